/**
 * Tiers as plain data: what a file says, with every default filled in.
 *
 * A policy can be read, printed and bounded before anything runs. Decoding refuses what could not work (no tier,
 * two tiers of one name, a number out of range) and keys it does not know.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import type * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Backoff from "./Backoff.ts"
import type * as CircuitBreaker from "./CircuitBreaker.ts"

/**
 * One rung of the ladder.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierPolicy {
  readonly name: string
  /** Bounds the tier, all its attempts and waits together. */
  readonly timeout: Duration.Duration
  /** Bounds one attempt. */
  readonly attemptTimeout: Duration.Duration
  /** Bounds the wait for the first content of an attempt's stream. */
  readonly firstToken: Duration.Duration
  /** Bounds the silence of a stream after the commit point. */
  readonly idle: Duration.Duration
  /** Bounds the whole length of a stream after the commit point. */
  readonly maxStream: Duration.Duration
  readonly backoff: Backoff.Backoff
  /** The longest wait asked for by the other side that is waited for. */
  readonly maxRetryAfter: Duration.Duration
  /** Whether an attempt that ran into its timeout is tried again. */
  readonly retryTimeouts: boolean
  readonly breaker: CircuitBreaker.Config
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Policy<out Tier extends TierPolicy = TierPolicy> {
  /** Bounds the run. */
  readonly deadline: Duration.Duration
  /** How many tiers one run may ask; all of them where undefined. */
  readonly maxTiers: number | undefined
  readonly tiers: Arr.NonEmptyReadonlyArray<Tier>
}

/**
 * A duration as files write it: Effect's own text or a short form such as `20s`, `250ms`, `1.5s` or `1h30m`.
 * Negative durations are refused; the short form is what it encodes to.
 *
 * @example
 * import { Duration, Schema } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * console.log(Duration.toMillis(Schema.decodeSync(Policy.DurationText)("1m30s"))) // => 90000
 * console.log(Schema.encodeSync(Policy.DurationText)(Duration.minutes(90))) // => 1h30m
 *
 * @since 0.1.0
 * @category schemas
 */
export const DurationText: Schema.Schema<Duration.Duration, string> = Schema.transformOrFail(
  Schema.String,
  Schema.DurationFromSelf,
  {
    strict: true,
    decode: (text, _, ast) =>
      Option.match(parseDuration(text), {
        onNone: () => ParseResult.fail(new ParseResult.Type(ast, text)),
        onSome: ParseResult.succeed
      }),
    encode: (duration, _, ast) =>
      Duration.isFinite(duration)
        ? ParseResult.succeed(formatDuration(duration))
        : ParseResult.fail(new ParseResult.Type(ast, duration))
  }
).annotations({
  description: 'a duration such as 20s or "20 seconds"',
  message: () => ({ message: 'expected a duration such as 20s or "20 seconds"', override: true })
})

/**
 * The schema of a policy whose tiers have further fields: what a gateway adds to say where a tier leads to.
 *
 * @example
 * import { Either, Schema } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * const Route = Policy.struct({ model: Schema.NonEmptyString })
 * const route = Schema.decodeUnknownSync(Route)({ tiers: [{ name: "primary", model: "large" }] })
 *
 * console.log(route.tiers[0].model) // => large
 *
 * @since 0.1.0
 * @category schemas
 */
export const struct = <Extra extends Schema.Struct.Fields>(
  extra: Extra
): Schema.Schema<
  Policy<TierPolicy & Schema.Struct.Type<Extra>>,
  PolicyFile<Schema.Struct.Encoded<Extra>>,
  Schema.Struct.Context<Extra>
> => {
  const Tier = Schema.transform(Schema.Struct({ ...tierFields, ...extra }), Schema.declare(isTierPolicy), {
    strict: false,
    decode: fromFile,
    encode: toFile
  })
  const first = Schema.element(Tier).annotations({ missingMessage: () => "expected at least one tier" })
  return Schema.Struct({
    deadline: Schema.optionalWith(DurationText, { default: () => Duration.minutes(1) }),
    maxTiers: Schema.optionalWith(Schema.UndefinedOr(integerFrom(1)), { default: () => undefined }),
    tiers: Schema.Tuple([first], Tier).pipe(Schema.filter(duplicateName))
  }).annotations({ parseOptions: { onExcessProperty: "error" } }) as never
}
const parseDuration = (text: string): Option.Option<Duration.Duration> => {
  const short = text === "" ? null : shortForm.exec(text)
  if (short === null) return text.startsWith("-") ? Option.none() : Duration.decodeUnknown(text)
  const [, hours = 0, minutes = 0, seconds = 0, millis = 0] = short
  return Option.some(
    Duration.millis(
      Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1_000 + Number(millis)
    )
  )
}

const shortForm = /^(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/

const formatDuration = (duration: Duration.Duration): string => {
  const { days, hours, minutes, seconds, millis, nanos } = Duration.parts(duration)
  const whole = nanos === 0 && seconds > 0
  const units: ReadonlyArray<readonly [number, string]> = [
    [days * 24 + hours, "h"],
    [minutes, "m"],
    [whole ? (seconds * 1_000 + millis) / 1_000 : seconds, "s"],
    [whole ? 0 : (millis * 1e6 + nanos) / 1e6, "ms"]
  ]
  const text = units.map(([amount, unit]) => (amount === 0 ? "" : `${amount}${unit}`)).join("")
  return text === "" ? "0s" : text
}

const number = (
  description: string,
  accepts: (value: number) => boolean,
  jsonSchema: object
): Schema.Schema<number> => Schema.Number.pipe(Schema.filter(accepts, { description, jsonSchema }))

const integerFrom = (least: number): Schema.Schema<number> =>
  number(`an integer of ${least} or more`, (value) => Number.isInteger(value) && value >= least, {
    type: "integer",
    minimum: least
  })

const factor = number("a number of 1 or more", (value) => value >= 1 && Number.isFinite(value), {
  minimum: 1
})

const share = number("a number from 0 to 1", (value) => value >= 0 && value <= 1, { minimum: 0, maximum: 1 })

// Names go into log lines, metric labels and HTTP headers.
const Name = Schema.String.pipe(Schema.pattern(/^[!-~]([ -~]*[!-~])?$/, { description: "a name in plain ASCII" }))

const backoff = Backoff.exponential()

const Retry = Schema.Struct({
  times: Schema.optionalWith(integerFrom(0), { default: () => backoff.times }),
  base: Schema.optionalWith(DurationText, { default: () => backoff.base }),
  factor: Schema.optionalWith(factor, { default: () => backoff.factor }),
  max: Schema.optionalWith(DurationText, { default: () => backoff.max }),
  jitter: Schema.optionalWith(Schema.Literal("none", "full", "equal", "decorrelated"), {
    default: () => backoff.jitter
  }),
  maxRetryAfter: Schema.optionalWith(DurationText, { default: () => Duration.seconds(5) }),
  onTimeout: Schema.optionalWith(Schema.Boolean, { default: () => false })
})

const breaker = CircuitBreaker.config()

const Breaker = Schema.Struct({
  consecutive: Schema.optionalWith(integerFrom(1), { default: () => breaker.trip.failures }),
  openFor: Schema.optionalWith(DurationText, { default: () => breaker.openFor }),
  factor: Schema.optionalWith(factor, { default: () => breaker.factor }),
  maxOpenFor: Schema.optionalWith(DurationText, { default: () => breaker.maxOpenFor }),
  jitter: Schema.optionalWith(share, { default: () => breaker.jitter }),
  probes: Schema.optionalWith(integerFrom(1), { default: () => breaker.probes })
})

const tierFields = {
  name: Name,
  timeout: Schema.optionalWith(DurationText, { default: () => Duration.seconds(30) }),
  attemptTimeout: Schema.optional(DurationText),
  firstToken: Schema.optional(DurationText),
  idle: Schema.optionalWith(DurationText, { default: () => Duration.minutes(4) }),
  maxStream: Schema.optionalWith(DurationText, { default: () => Duration.minutes(15) }),
  retry: Schema.optionalWith(Retry, { default: () => Schema.decodeSync(Retry)({}) }),
  breaker: Schema.optionalWith(Breaker, { default: () => Schema.decodeSync(Breaker)({}) })
}

const TierFile = Schema.Struct(tierFields)

const fromFile = <Extra extends object>({
  retry: { maxRetryAfter, onTimeout, ...backoff },
  breaker: { consecutive, ...breaker },
  ...tier
}: typeof TierFile.Type & Extra) => ({
  ...tier,
  attemptTimeout: tier.attemptTimeout ?? tier.timeout,
  firstToken: tier.firstToken ?? tier.timeout,
  backoff,
  maxRetryAfter,
  retryTimeouts: onTimeout,
  breaker: { ...breaker, trip: CircuitBreaker.consecutive(consecutive) }
})

const toFile = <Extra extends object>({
  backoff,
  maxRetryAfter,
  retryTimeouts,
  breaker: { trip, ...breaker },
  ...tier
}: TierPolicy & Extra) => ({
  ...tier,
  retry: { ...backoff, maxRetryAfter, onTimeout: retryTimeouts },
  breaker: { ...breaker, consecutive: trip.failures }
})
