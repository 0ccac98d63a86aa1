import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"

/**
 * A browser cannot send `Bearer`, but `Basic`: the password is the key, and the user name is ignored. Any other header
 * stays unchanged.
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
