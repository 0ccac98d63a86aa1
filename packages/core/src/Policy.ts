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
import type * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Backoff from "./Backoff.ts"
import type * as CircuitBreaker from "./CircuitBreaker.ts"
import type { Alert } from "./Health.ts"
import * as breakers from "./internal/breakerFile.ts"
import * as fields from "./internal/fields.ts"

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
  /** When to call for help. */
  readonly alert?: Alert | undefined
}

/**
 * A policy as files write it; `Extra` is what each tier says beyond this.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyFile<out Extra = {}> {
  readonly deadline?: string | undefined
  readonly maxTiers?: number | undefined
  readonly tiers: readonly [TierFile & Extra, ...Array<TierFile & Extra>]
  readonly alert?: AlertFile | undefined
}

/**
 * A tier as files write it.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierFile extends Schema.Struct.Encoded<typeof tierFields> {}

/**
 * An alert as files write it.
 *
 * @since 0.1.0
 * @category models
 */
export interface AlertFile extends Schema.Schema.Encoded<typeof AlertFields> {}

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
export const DurationText: Schema.Schema<Duration.Duration, string> = fields.DurationText

/**
 * The name of a tier, or any other text that goes into log lines, metric labels and HTTP headers as it is.
 *
 * @example
 * import { Schema } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * console.log(Schema.is(Policy.Name)("llama3.2:1b"), Schema.is(Policy.Name)("two\nlines")) // => true false
 *
 * @since 0.1.0
 * @category schemas
 */
export const Name: Schema.Schema<string> = fields.Name

const { factor, integerFrom, share } = fields

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
}).annotations({ title: "retry" })

const tierFields = {
  name: Name,
  timeout: Schema.optionalWith(DurationText, { default: () => Duration.seconds(30) }),
  attemptTimeout: Schema.optional(DurationText),
  firstToken: Schema.optional(DurationText),
  idle: Schema.optionalWith(DurationText, { default: () => Duration.minutes(4) }),
  maxStream: Schema.optionalWith(DurationText, { default: () => Duration.minutes(15) }),
  retry: Schema.optionalWith(Retry, { default: () => Schema.decodeSync(Retry)({}) }),
  breaker: Schema.optionalWith(breakers.Breaker, {
    default: () => Schema.decodeSync(breakers.Breaker)({})
  })
}

const AlertFields = Schema.Struct({
  tier: Name,
  successBelow: Schema.optionalWith(share, { default: () => 0.95 }),
  over: Schema.optionalWith(DurationText, { default: () => Duration.minutes(5) }),
  atLeast: Schema.optionalWith(integerFrom(1), { default: () => 20 })
}).annotations({ title: "alert" })

type Tier = Schema.Struct.Type<typeof tierFields>

const isTierPolicy = (value: unknown): value is TierPolicy =>
  Predicate.hasProperty(value, "backoff") && Predicate.hasProperty(value, "breaker")

const fromFile = ({ retry, breaker, ...tier }: Tier): TierPolicy => {
  const { maxRetryAfter, onTimeout, ...backoff } = retry
  const attemptTimeout = tier.attemptTimeout ?? tier.timeout
  const firstToken = tier.firstToken ?? tier.timeout
  return {
    ...tier,
    attemptTimeout,
    firstToken,
    backoff,
    maxRetryAfter,
    retryTimeouts: onTimeout,
    breaker: breakers.fromFile(breaker, Duration.max(attemptTimeout, firstToken))
  }
}

const toFile = ({ backoff, maxRetryAfter, retryTimeouts, breaker, ...tier }: TierPolicy): Tier => ({
  ...tier,
  retry: { ...backoff, maxRetryAfter, onTimeout: retryTimeouts },
  breaker: breakers.toFile(breaker, Duration.max(tier.attemptTimeout, tier.firstToken))
})

const duplicateName = (tiers: ReadonlyArray<TierPolicy>): Schema.FilterOutput | undefined => {
  const names = tiers.map((tier) => tier.name)
  const index = names.findIndex((name, i) => names.indexOf(name) < i)
  return index === -1
    ? undefined
    : { path: [index, "name"], message: "duplicate tier name; give every tier its own name" }
}

const unknownTier = (policy: {
  readonly tiers: ReadonlyArray<unknown>
  readonly alert?: Alert | undefined
}): Schema.FilterOutput | undefined => {
  const { alert, tiers } = policy
  return alert === undefined || (tiers as ReadonlyArray<TierPolicy>).some(({ name }) => name === alert.tier)
    ? undefined
    : { path: ["alert", "tier"], message: "no tier of this name; name one of the policy's tiers" }
}

/**
 * The schema of a policy whose tiers have further fields: what a gateway adds to say where a tier leads to.
 *
 * @example
 * import { Schema } from "effect"
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
  // The transformation names only the fields it changes: the extra ones ride along, which no type can say here.
  const fields: Schema.Schema<Tier, unknown> = Schema.Struct({ ...tierFields, ...extra }) as never
  const tier = Schema.transform(fields, Schema.declare(isTierPolicy), {
    decode: fromFile,
    encode: toFile
  }).annotations({ title: "tier" })
  const first = Schema.element(tier).annotations({ missingMessage: () => "expected at least one tier" })
  return Schema.Struct({
    deadline: Schema.optionalWith(DurationText, { default: () => Duration.minutes(1) }),
    maxTiers: Schema.optionalWith(Schema.UndefinedOr(integerFrom(1)), { default: () => undefined }),
    tiers: Schema.Tuple([first], tier).pipe(Schema.filter(duplicateName, { title: "tiers" })),
    alert: Schema.optional(AlertFields)
  })
    .annotations({ title: "policy", parseOptions: { onExcessProperty: "error" } })
    .pipe(Schema.filter(unknownTier)) as never
}

/**
 * The schema of a policy.
 *
 * **Details**
 * - Defaults: `deadline: 60s`, `maxTiers` all; of a tier `timeout: 30s`, `attemptTimeout` and `firstToken` as its
 *   timeout, `idle: 4m`, `maxStream: 15m`; `retry` and `breaker` as in {@link Backoff.exponential} and
 *   {@link CircuitBreaker.config}, with `maxRetryAfter: 5s` and `onTimeout: false`. Of an `alert`, which is off
 *   unless there is one, `successBelow: 0.95`, `over: 5m`, `atLeast: 20`.
 * - An unknown key is an error, whatever the options of the decoder say.
 * - It encodes to the file form with every default written out.
 *
 * @example
 * import { Schema } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * const policy = Schema.decodeUnknownSync(Policy.Policy)({ tiers: [{ name: "primary" }] })
 *
 * console.log(Schema.encodeSync(Policy.Policy)(policy).tiers[0].attemptTimeout) // => 30s
 *
 * @since 0.1.0
 * @category schemas
 */
export const Policy: Schema.Schema<Policy, PolicyFile> = struct({})

/**
 * Decodes a policy from the file form, say from parsed JSON or YAML.
 *
 * @example
 * import { Either } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * console.log(Either.isLeft(Policy.decodeUnknown({ tiers: [{ name: "primary", timout: "5s" }] }))) // => true
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeUnknown = (input: unknown): Either.Either<Policy, ParseResult.ParseError> =>
  Schema.decodeUnknownEither(Policy)(input)

/**
 * Decodes a policy written in code.
 *
 * @example
 * import { Either } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * const policy = Policy.decode({ deadline: "10s", tiers: [{ name: "primary" }, { name: "standby" }] })
 *
 * console.log(Either.getOrThrow(policy).tiers.map((tier) => tier.name)) // => [ 'primary', 'standby' ]
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode: (policy: PolicyFile) => Either.Either<Policy, ParseResult.ParseError> = decodeUnknown
