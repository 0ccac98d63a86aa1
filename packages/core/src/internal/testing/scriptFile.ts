import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Testing from "../../testing/Script.ts"
import { DurationText, integerFrom, Name, SomeTime, share } from "../policy/fields.ts"
import { constant, LatencyFile } from "./latencyFile.ts"

/** In the order of the table of `Script.kinds`. */
export const kinds = [
  "connection",
  "server_error",
  "overloaded",
  "rate_limited",
  "invalid_answer",
  "auth",
  "quota_exhausted",
  "model_not_found",
  "context_length",
  "invalid_request"
] as const

/** The default time to a failure. */
export const failing: Testing.Latency = constant("50 millis")

const aboveZero = Schema.Number.pipe(
  Schema.filter((value) => value > 0 && Number.isFinite(value), { description: "a number above 0" })
)

const FailureOptions = Schema.Struct({
  share,
  retryAfter: Schema.optional(DurationText),
  after: Schema.optional(LatencyFile)
})

const isFailures = (value: unknown): value is ReadonlyArray<Testing.Failure> => Array.isArray(value)

/** The share of calls that fail so, by kind. */
const failuresOf = (kinds: ReadonlyArray<string>) =>
  Schema.transform(
    Schema.Struct(
      Object.fromEntries(kinds.map((kind) => [kind, Schema.optional(Schema.Union(share, FailureOptions))]))
    ),
    Schema.declare(isFailures),
    {
      strict: true,
      decode: (file) =>
        Object.entries(file).flatMap(([kind, given]) => {
          if (given === undefined) return []
          const options = typeof given === "number" ? { share: given } : given
          return [{ kind, retryAfter: undefined, ...options, after: options.after ?? failing }]
        }),
      encode: (failures) => Object.fromEntries(failures.map(({ kind, ...options }) => [kind, options]))
    }
  )

const isTurn = (value: unknown): value is Testing.Turn => Predicate.hasProperty(value, "times")

const turnOf = (kinds: ReadonlyArray<string>) => {
  const words = ["ok", ...kinds]
  const Word = Schema.Literal(...words, ...words.map(Number).filter(Number.isInteger)).annotations({
    title: "turn"
  })
  const Options = Schema.Struct({
    fails: Schema.optional(Word),
    retryAfter: Schema.optional(DurationText),
    after: Schema.optional(LatencyFile),
    times: Schema.optionalWith(integerFrom(1), { default: () => 1 })
  })
  const failsBy = (word: string | number | undefined) =>
    word === undefined || word === "ok" ? undefined : String(word)
  return Schema.transform(Schema.Union(Word, Options), Schema.declare(isTurn), {
    strict: true,
    decode: (given) => {
      const options = typeof given === "object" ? given : { fails: given, times: 1 }
      return { retryAfter: undefined, after: undefined, ...options, fails: failsBy(options.fails) }
    },
    encode: (turn) => turn
  })
}

const Limit = Schema.Struct({ calls: integerFrom(1), per: SomeTime })

const Capacity = Schema.transform(
  Schema.Struct({ calls: integerFrom(1), refuseAbove: Schema.optional(integerFrom(1)) }),
  Schema.Struct({ calls: Schema.Number, refuseAbove: Schema.Number }),
  {
    strict: true,
    decode: ({ calls, refuseAbove }) => ({ calls, refuseAbove: refuseAbove ?? Number.POSITIVE_INFINITY }),
    encode: ({ calls, refuseAbove }) => (Number.isFinite(refuseAbove) ? { calls, refuseAbove } : { calls })
  }
)

const second = constant("1 second")

const upstreamOf = (kinds: ReadonlyArray<string>) =>
  Schema.Struct({
    latency: Schema.optionalWith(LatencyFile, { default: () => second }),
    failures: Schema.optionalWith(failuresOf(kinds), { default: () => [] }),
    calls: Schema.optionalWith(Schema.UndefinedOr(Schema.NonEmptyArray(turnOf(kinds))), {
      default: () => undefined
    }),
    limit: Schema.optionalWith(Schema.UndefinedOr(Limit), { default: () => undefined }),
    capacity: Schema.optionalWith(Schema.UndefinedOr(Capacity), { default: () => undefined }),
    price: Schema.optionalWith(Schema.NonNegative, { default: () => 0 })
  })

const isNames = (value: unknown): value is ReadonlyArray<string> => Array.isArray(value)

const Names = Schema.transform(Schema.Union(Name, Schema.Array(Name)), Schema.declare(isNames), {
  strict: true,
  decode: (names) => (typeof names === "string" ? [names] : names),
  encode: (names) => names
})

const eventOf = (kinds: ReadonlyArray<string>) =>
  Schema.Struct({
    at: DurationText,
    for: Schema.optionalWith(Schema.UndefinedOr(SomeTime), { default: () => undefined }),
    of: Schema.optionalWith(Names, { default: () => [] }),
    every: Schema.optionalWith(Schema.UndefinedOr(SomeTime), { default: () => undefined }),
    down: Schema.optionalWith(Schema.UndefinedOr(SomeTime), { default: () => undefined }),
    failures: Schema.optionalWith(failuresOf(kinds), { default: () => [] }),
    latency: Schema.optionalWith(Schema.UndefinedOr(LatencyFile), { default: () => undefined }),
    slower: Schema.optionalWith(aboveZero, { default: () => 1 }),
    capacity: Schema.optionalWith(share, { default: () => 1 })
  }).pipe(
    Schema.filter(({ capacity, down, every, failures, latency, slower }) => {
      if ((down === undefined) !== (every === undefined))
        return "every and down go together; give both or none"
      if (down !== undefined && every !== undefined && Duration.greaterThanOrEqualTo(down, every)) {
        return "down as long as every is no flapping; make down shorter"
      }
      return failures.length === 0 && latency === undefined && slower === 1 && capacity === 1
        ? "an event that changes nothing; give failures, latency, slower or capacity"
        : undefined
    })
  )

const Burst = Schema.Struct({ at: DurationText, for: SomeTime, rate: Schema.NonNegative })

export const Load = Schema.Struct({
  rate: Schema.optionalWith(aboveZero, { default: () => 10 }),
  arrivals: Schema.optionalWith(Schema.Literal("poisson", "even"), { default: () => "poisson" }),
  bursts: Schema.optionalWith(Schema.Array(Burst), { default: () => [] }),
  leave: Schema.optionalWith(
    Schema.UndefinedOr(
      Schema.Struct({ share: Schema.optionalWith(share, { default: () => 1 }), after: LatencyFile })
    ),
    { default: () => undefined }
  ),
  client: Schema.optionalWith(
    Schema.UndefinedOr(
      Schema.Struct({
        retries: Schema.optionalWith(integerFrom(0), { default: () => 2 }),
        timeout: Schema.optionalWith(Schema.UndefinedOr(SomeTime), { default: () => undefined })
      })
    ),
    { default: () => undefined }
  )
}).annotations({ parseOptions: { onExcessProperty: "error" } })

export const struct = (known: ReadonlyArray<string>) => {
  const kinds = [...known, "hang"]
  return Schema.Struct({
    for: Schema.optionalWith(SomeTime, { default: () => Duration.minutes(10) }),
    load: Schema.optionalWith(Load, { default: () => Schema.decodeSync(Load)({}) }),
    groups: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.Array(Name) }), {
      default: () => ({})
    }),
    upstreams: Schema.optionalWith(Schema.Record({ key: Schema.String, value: upstreamOf(kinds) }), {
      default: () => ({})
    }),
    events: Schema.optionalWith(Schema.Array(eventOf(kinds)), { default: () => [] })
  }).annotations({ parseOptions: { onExcessProperty: "error" } })
}

export const Script = struct(kinds)

export type TurnFile = Schema.Schema.Encoded<ReturnType<typeof turnOf>>
export type EventFile = Schema.Schema.Encoded<ReturnType<typeof eventOf>>

/** An upstream that the script does not mention. */
export const silent: Testing.Upstream = Schema.decodeSync(upstreamOf(kinds))({})
