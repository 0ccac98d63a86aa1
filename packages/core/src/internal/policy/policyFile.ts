import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Backoff from "../../Backoff.ts"
import type { Policy, PolicyFile, TierPolicy } from "../../Policy.ts"
import * as breakers from "../breaker/file.ts"
import { DurationText, factor, integerFrom, Name, SomeTime, share } from "./fields.ts"

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

const Hedge = Schema.Struct({ after: DurationText }).annotations({ title: "hedge" })

export const tierFields = {
  name: Name,
  timeout: Schema.optionalWith(SomeTime, { default: () => Duration.seconds(30) }),
  attemptTimeout: Schema.optional(SomeTime),
  firstToken: Schema.optional(SomeTime),
  idle: Schema.optionalWith(SomeTime, { default: () => Duration.minutes(4) }),
  maxStream: Schema.optionalWith(SomeTime, { default: () => Duration.minutes(15) }),
  retry: Schema.optionalWith(Retry, { default: () => Schema.decodeSync(Retry)({}) }),
  breaker: Schema.optionalWith(breakers.Breaker, {
    default: () => Schema.decodeSync(breakers.Breaker)({})
  }),
  hedge: Schema.optional(Hedge)
}

export const Alert = Schema.Struct({
  tier: Name,
  successBelow: Schema.optionalWith(share, { default: () => 0.95 }),
  over: Schema.optionalWith(SomeTime, { default: () => Duration.minutes(5) }),
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
  readonly alert?: typeof Alert.Type | undefined
}): Schema.FilterOutput | undefined => {
  const { alert, tiers } = policy
  return alert === undefined || (tiers as ReadonlyArray<TierPolicy>).some(({ name }) => name === alert.tier)
    ? undefined
    : { path: ["alert", "tier"], message: "no tier of this name; name one of the policy's tiers" }
}

export const struct = <Extra extends Schema.Struct.Fields>(
  extra: Extra
): Schema.Schema<
  Policy<TierPolicy & Schema.Struct.Type<Extra>>,
  PolicyFile<Schema.Struct.Encoded<Extra>>,
  Schema.Struct.Context<Extra>
> => {
  // The transformation names only the fields it changes; the extra ones pass through, which cannot be typed here.
  const fields: Schema.Schema<Tier, unknown> = Schema.Struct({ ...tierFields, ...extra }) as never
  const tier = Schema.transform(fields, Schema.declare(isTierPolicy), {
    decode: fromFile,
    encode: toFile
  }).annotations({ title: "tier" })
  const first = Schema.element(tier).annotations({ missingMessage: () => "expected at least one tier" })
  return Schema.Struct({
    deadline: Schema.optionalWith(SomeTime, { default: () => Duration.minutes(1) }),
    maxTiers: Schema.optionalWith(Schema.UndefinedOr(integerFrom(1)), { default: () => undefined }),
    tiers: Schema.Tuple([first], tier).pipe(Schema.filter(duplicateName, { title: "tiers" })),
    alert: Schema.optional(Alert)
  })
    .annotations({ title: "policy", parseOptions: { onExcessProperty: "error" } })
    .pipe(Schema.filter(unknownTier)) as never
}
