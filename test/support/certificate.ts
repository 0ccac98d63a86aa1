import { generateKeyPairSync, type KeyObject, sign } from "node:crypto"

/** A certificate and its key, for a TLS server. */
export interface Identity {
  readonly cert: string
  readonly key: string
}

/** An authority that signs certificates; `cert` is for those who are to trust it. */
export interface Authority {
  readonly cert: string
  readonly issue: (options?: Partial<Claims>) => Identity
}

interface Claims {
  /** What the server is called; an IPv4 address, or a name. */
  readonly host: string
  readonly from: Date
  readonly until: Date
}

const days = (count: number): Date => new Date(Date.now() + count * 24 * 60 * 60 * 1000)
const claims: Claims = { host: "127.0.0.1", from: days(-1), until: days(1) }

export const authority = (): Authority => {
  const { privateKey, publicKey } = pair()
  const issuer = { name: "test authority", privateKey }
  return {
    cert: certificate(issuer, publicKey, { ...claims, host: issuer.name }, basicConstraints),
    issue: (options = {}) => {
      const own = pair()
      const wanted = { ...claims, ...options }
      return {
        cert: certificate(issuer, own.publicKey, wanted, subjectAltName(wanted.host)),
        key: pem("PRIVATE KEY", own.privateKey.export({ type: "pkcs8", format: "der" }))
      }
    }
  }
}

/** One that vouches for itself. */
export const selfSigned = (): Identity => {
  const { privateKey, publicKey } = pair()
  const issuer = { name: claims.host, privateKey }
  return {
    cert: certificate(issuer, publicKey, claims, subjectAltName(claims.host)),
    key: pem("PRIVATE KEY", privateKey.export({ type: "pkcs8", format: "der" }))
  }
}

const pair = () => generateKeyPairSync("ec", { namedCurve: "P-256" })

interface Issuer {
  readonly name: string
  readonly privateKey: KeyObject
}

/** X.509 in DER: no more of it than a test needs. */
const certificate = (
  issuer: Issuer,
  publicKey: KeyObject,
  { from, host, until }: Claims,
  extension: Buffer
) => {
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    nameOf(issuer.name),
    sequence(time(from), time(until)),
    nameOf(host),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(extension))
  )
  const signature = sign("sha256", content, issuer.privateKey)
  const signed = sequence(content, ecdsaWithSha256, der(0x03, Buffer.concat([Buffer.from([0]), signature])))
  return pem("CERTIFICATE", signed)
}

const der = (tag: number, ...content: ReadonlyArray<Buffer>): Buffer => {
  const { length } = Buffer.concat(content)
  const size = length < 128 ? [length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), ...content])
}

const sequence = (...content: ReadonlyArray<Buffer>): Buffer => der(0x30, ...content)
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"))

const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"))

const nameOf = (text: string): Buffer =>
  sequence(der(0x31, sequence(oid("550403"), der(0x0c, Buffer.from(text)))))

const time = (date: Date): Buffer =>
  der(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replace(/\D/g, "")}Z`))

const extensionOf = (id: string, value: Buffer): Buffer => sequence(oid(id), der(0x04, value))

const basicConstraints = extensionOf("551d13", sequence(der(0x01, Buffer.from([255]))))

const subjectAltName = (host: string): Buffer => {
  const isAddress = /^[\d.]+$/.test(host)
  const name = isAddress ? der(0x87, Buffer.from(host.split(".").map(Number))) : der(0x82, Buffer.from(host))
  return extensionOf("551d11", sequence(name))
}

const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes.toString("base64")}\n-----END ${label}-----\n`
