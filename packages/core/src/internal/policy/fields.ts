import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { durationPattern, formatDuration, parseDuration } from "./durationText.ts"

export const DurationText: Schema.Schema<Duration.Duration, string> = Schema.transformOrFail(
  Schema.String,
  Schema.DurationFromSelf,
  {
    strict: true,
    decode: (text, _, ast) => Either.fromOption(parseDuration(text), () => new ParseResult.Type(ast, text)),
    encode: (duration, _, ast) =>
      Duration.isFinite(duration)
        ? ParseResult.succeed(formatDuration(duration))
        : ParseResult.fail(new ParseResult.Type(ast, duration))
  }
).annotations({
  description: 'a duration such as 20s or "20 seconds"',
  jsonSchema: { pattern: durationPattern },
  message: () => ({ message: 'expected a duration such as 20s or "20 seconds"', override: true })
})

export const SomeTime: Schema.Schema<Duration.Duration, string> = DurationText.pipe(
  Schema.filter((duration) => Duration.toMillis(duration) > 0 || "expected a duration longer than nothing")
)

export const Name: Schema.Schema<string> = Schema.String.pipe(
  Schema.pattern(/^[!-~]([ -~]*[!-~])?$/, { description: "a name in plain ASCII" })
)

const number = (
  description: string,
  accepts: (value: number) => boolean,
  jsonSchema: object
): Schema.Schema<number> =>
  Schema.Number.pipe(Schema.filter(accepts, { description, jsonSchema: { description, ...jsonSchema } }))

export const integerFrom = (least: number): Schema.Schema<number> =>
  number(`an integer of ${least} or more`, (value) => Number.isInteger(value) && value >= least, {
    type: "integer",
    minimum: least
  })

export const factor: Schema.Schema<number> = number(
  "a number of 1 or more",
  (value) => value >= 1 && Number.isFinite(value),
  { type: "number", minimum: 1 }
)

export const share: Schema.Schema<number> = number(
  "a number from 0 to 1",
  (value) => value >= 0 && value <= 1,
  { type: "number", minimum: 0, maximum: 1 }
)
