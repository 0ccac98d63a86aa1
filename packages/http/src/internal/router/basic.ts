import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"

/**
 * A browser cannot send `Bearer`, but a password: that is the key, whoever the user says to be. Every other header is
 * left as it is.
 */
export const asBearer = (authorization: string | undefined): string | undefined => {
  const basic = authorization === undefined ? null : /^basic +(\S+) *$/i.exec(authorization)
  if (basic === null) return authorization
  return Either.match(Encoding.decodeBase64String(basic[1] as string), {
    onLeft: () => undefined,
    onRight: (credentials) => {
      const colon = credentials.indexOf(":")
      return colon === -1 ? undefined : `Bearer ${credentials.slice(colon + 1)}`
    }
  })
}
