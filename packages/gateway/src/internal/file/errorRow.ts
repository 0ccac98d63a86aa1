import type * as ErrorTable from "@understudy/http/ErrorTable"
import * as ProviderError from "@understudy/http/ProviderError"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/**
 * A line of a provider's own table of errors.
 *
 * @since 0.1.0
 * @category models
 */
export interface ErrorRow extends Omit<ErrorTable.Row, "name" | "status"> {
  readonly status?: NonEmptyReadonlyArray<number> | undefined
}

/** It finds upper and lower case alike. */
const Pattern = Schema.transformOrFail(Schema.String.pipe(Schema.minLength(1)), Schema.instanceOf(RegExp), {
  strict: true,
  decode: (text, _, ast) =>
    Either.try({ try: () => new RegExp(text, "i"), catch: () => new ParseResult.Type(ast, text) }),
  encode: (pattern) => Either.right(pattern.source)
}).annotations({ description: "a regular expression", jsonSchema: { format: "regex" } })

const isClass = (status: number): boolean => status >= 2 && status <= 5

const StatusOrClass = Schema.Number.pipe(
  Schema.filter(
    (status) => Number.isInteger(status) && (isClass(status) || (status >= 200 && status <= 599)),
    {
      description: "a status, or its first digit for all that begin with it",
      jsonSchema: {
        type: "integer",
        anyOf: [
          { minimum: 2, maximum: 5 },
          { minimum: 200, maximum: 599 }
        ]
      }
    }
  )
)

export const ErrorRowFile = Schema.Struct({
  kind: Schema.Literal(...ProviderError.kinds),
  status: Schema.optional(Schema.NonEmptyArray(StatusOrClass)),
  code: Schema.optional(Pattern),
  text: Schema.optional(Pattern),
  retry: Schema.optional(Schema.Boolean)
}).pipe(
  Schema.filter(
    ({ code, status, text }) =>
      status === undefined && code === undefined && text === undefined
        ? "matches every error; give status, code or text"
        : undefined,
    { jsonSchema: { allOf: [{ anyOf: ["status", "code", "text"].map((key) => ({ required: [key] })) }] } }
  )
)
