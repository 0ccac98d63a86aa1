import * as Policy from "@understudy/core/Policy"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

const units: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30
}

/**
 * A number of bytes as files write it: `16MB` is 16 · 10⁶, `16MiB` is 16 · 2²⁰.
 */
export const SizeText: Schema.Schema<number, string> = Schema.transformOrFail(Schema.String, Schema.Number, {
  strict: true,
  decode: (text, _, ast) => {
    const [, amount, unit = ""] = /^(\d+(?:\.\d+)?) ?([kKMG]?i?B)$/.exec(text) ?? []
    const bytes = Math.floor(Number(amount) * (units[unit] ?? Number.NaN))
    return Number.isSafeInteger(bytes) && bytes > 0
      ? Either.right(bytes)
      : Either.left(new ParseResult.Type(ast, text))
  },
  encode: (bytes) => {
    const texts = Object.entries(units).flatMap(([unit, size]) =>
      bytes % size === 0 ? [`${bytes / size}${unit}`] : []
    )
    return Either.right(texts.reduce((short, text) => (text.length < short.length ? text : short)))
  }
}).annotations({
  description: "a size such as 16MB or 16MiB",
  jsonSchema: { pattern: "^\\d+(\\.\\d+)? ?([kKMG]?B|[KMG]iB)$" }
})

/**
 * A port; also as text, which is what `${PORT}` gives.
 */
export const Port: Schema.Schema<number, number | string> = Schema.transformOrFail(
  Schema.Union(Schema.Number, Schema.String),
  Schema.Number,
  {
    strict: true,
    decode: (port, _, ast) => {
      const number = typeof port === "string" && /^\d+$/.test(port) ? Number(port) : port
      return typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 65_535
        ? Either.right(number)
        : Either.left(new ParseResult.Type(ast, port))
    },
    encode: Either.right
  }
).annotations({
  description: "a port from 0 to 65535",
  jsonSchema: {
    description: "a port from 0 to 65535",
    anyOf: [
      { type: "integer", minimum: 0, maximum: 65_535 },
      { type: "string", pattern: "^\\d+$" }
    ]
  }
})

export const Host = Schema.String.pipe(Schema.pattern(/^\S+$/, { description: "a host name or address" }))

/**
 * A bearer key. Characters that HTTP cannot carry are refused here, where the message can name the place.
 */
export const Key = Schema.Redacted(
  Schema.String.pipe(Schema.pattern(/^[!-~]+$/, { description: "a key in plain ASCII without spaces" }))
)

const headerName = /^[\w!#$%&'*+.^`|~-]+$/

export const Headers = Schema.Record({
  key: Schema.String,
  value: Schema.Redacted(Policy.Name.annotations({ description: "a header value in plain ASCII" }))
}).pipe(
  Schema.filter(
    (headers) => {
      const wrong = Object.keys(headers).find((name) => !headerName.test(name))
      return wrong === undefined
        ? undefined
        : { path: [wrong], message: "not the name of a header; use letters, digits and -" }
    },
    { jsonSchema: { propertyNames: { pattern: headerName.source } } }
  )
)

export const BaseUrl = Schema.String.pipe(
  Schema.filter(
    (text) => {
      const url = URL.canParse(text) ? new URL(text) : undefined
      const plain = url && url.username + url.password + url.search + url.hash === ""
      return plain === true && /^https?:$/.test(url?.protocol ?? "") && !/[?#]$/.test(text)
    },
    {
      description: "an http or https URL without user name, password and query",
      jsonSchema: { pattern: "^[hH][tT][tT][pP][sS]?:[^?#]*$" }
    }
  )
)

export const ApiVersion = Schema.String.pipe(
  Schema.pattern(/^[\w.-]+$/, { description: "an API version such as 2024-10-21" })
)

export const Status = Schema.Number.pipe(
  Schema.filter((status) => Number.isInteger(status) && status >= 400 && status <= 599, {
    description: "a status from 400 to 599",
    jsonSchema: { type: "integer", minimum: 400, maximum: 599 }
  })
)

export const integerFrom = (least: number): Schema.Schema<number> =>
  Schema.Number.pipe(
    Schema.filter((number) => Number.isInteger(number) && number >= least, {
      description: `an integer of ${least} or more`,
      jsonSchema: { type: "integer", minimum: least }
    })
  )

export const Share = Schema.Number.pipe(
  Schema.filter((share) => share >= 0 && share <= 1, {
    description: "a number from 0 to 1",
    jsonSchema: { type: "number", minimum: 0, maximum: 1 }
  })
)
