import * as Policy from "@understudy/core/Policy"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { integerFrom, Share, Status } from "./fields.ts"

/**
 * A time, or one drawn evenly from a range.
 *
 * @since 0.1.0
 * @category models
 */
export type Latency = Duration.Duration | { readonly from: Duration.Duration; readonly to: Duration.Duration }

/**
 * An upstream inside the process, that answers and fails as told.
 *
 * @since 0.1.0
 * @category models
 */
export interface SandboxProvider {
  readonly kind: "sandbox"
  /** The time to the answer, or to the first piece of a stream. */
  readonly latency: Latency
  /** The time between two pieces of a stream. */
  readonly chunkEvery?: Duration.Duration | undefined
  /** The share of calls that fail, and with what. */
  readonly failure?: { readonly status: number; readonly rate: number } | undefined
  /** What the calls meet with, one after the other. */
  readonly script?: NonEmptyReadonlyArray<SandboxWord | SandboxTurn> | undefined
}

/**
 * What a call meets with, in a word; see `Sandbox.Word`.
 *
 * @since 0.1.0
 * @category models
 */
export type SandboxWord = Schema.Schema.Type<typeof Word>

/**
 * What a call meets with; see `Sandbox.Turn`.
 *
 * @since 0.1.0
 * @category models
 */
export interface SandboxTurn extends Schema.Schema.Type<typeof Turn> {}

const LatencyText: Schema.Schema<Latency, string> = Schema.transformOrFail(
  Schema.String,
  Schema.Union(
    Schema.DurationFromSelf,
    Schema.Struct({ from: Schema.DurationFromSelf, to: Schema.DurationFromSelf })
  ),
  {
    strict: true,
    decode: (text, _, ast) => {
      const wrong = new ParseResult.Type(ast, text)
      const times = Either.mapLeft(
        Either.all(text.split("..").map((part) => Schema.decodeEither(Policy.DurationText)(part))),
        () => wrong
      )
      return Either.flatMap(times, ([from, to, ...more]) =>
        from === undefined || more.length > 0 || (to !== undefined && Duration.lessThan(to, from))
          ? Either.left(wrong)
          : Either.right(to === undefined ? from : { from, to })
      )
    },
    encode: (latency) =>
      Either.mapBoth(
        Either.all(
          (Duration.isDuration(latency) ? [latency] : [latency.from, latency.to]).map((time) =>
            Schema.encodeEither(Policy.DurationText)(time)
          )
        ),
        { onLeft: ({ issue }) => issue, onRight: (times) => times.join("..") }
      )
  }
).annotations({ description: "a duration such as 120ms, or a range such as 80ms..400ms" })

const Word = Schema.Literal("ok", "hang", "reset", "nonsense").annotations({ title: "turn" })

const Turn = Schema.Struct({
  times: Schema.optional(integerFrom(1)),
  latency: Schema.optional(LatencyText),
  chunkEvery: Schema.optional(Policy.DurationText),
  status: Schema.optional(Status),
  code: Schema.optional(Policy.Name),
  retryAfter: Schema.optional(Policy.DurationText),
  breaks: Schema.optional(Schema.Literal("hang", "reset", "end", "error")),
  after: Schema.optional(integerFrom(0))
}).pipe(
  Schema.filter(
    ({ after, breaks, code, retryAfter, status }) => {
      if (status !== undefined && breaks !== undefined) return "both status and breaks; give one of the two"
      if (status === undefined && (code ?? retryAfter) !== undefined) {
        return "code and retryAfter belong to an error; give its status"
      }
      return after !== undefined && breaks === undefined
        ? "nothing breaks after that; say how with breaks"
        : undefined
    },
    {
      jsonSchema: {
        not: { required: ["status", "breaks"] },
        dependencies: { code: ["status"], retryAfter: ["status"], after: ["breaks"] }
      }
    }
  )
)

export const sandboxFields = {
  latency: Schema.optionalWith(LatencyText, { default: () => Duration.millis(120) }),
  chunkEvery: Schema.optional(Policy.DurationText),
  failure: Schema.optional(Schema.Struct({ status: Status, rate: Share })),
  script: Schema.optional(Schema.NonEmptyArray(Schema.Union(Word, Turn)))
}
