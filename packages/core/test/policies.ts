import { Duration, FastCheck } from "effect"
import { Backoff, CircuitBreaker, type Policy } from "../src/index.ts"

const durations = (max: number) =>
  FastCheck.oneof(
    { weight: 6, arbitrary: FastCheck.integer({ min: 1, max }) },
    { weight: 1, arbitrary: FastCheck.constant(Number.POSITIVE_INFINITY) }
  ).map(Duration.millis)

const backoffs = FastCheck.record({
  times: FastCheck.nat(5),
  base: FastCheck.nat(3_000),
  factor: FastCheck.constantFrom(1, 1.5, 2, 3),
  max: FastCheck.nat(6_000),
  jitter: FastCheck.constantFrom("none" as const, "full" as const, "equal" as const, "decorrelated" as const)
}).map(Backoff.exponential)

/** Policies of every kind, some of them bounded by nothing. */
export const policies: FastCheck.Arbitrary<Policy.Policy> = FastCheck.record({
  deadline: durations(60_000),
  maxTiers: FastCheck.option(FastCheck.integer({ min: 1, max: 5 }), { nil: undefined }),
  tiers: FastCheck.array(
    FastCheck.record({
      timeout: durations(30_000),
      attemptTimeout: durations(10_000),
      firstToken: durations(10_000),
      idle: FastCheck.constant(Duration.infinity),
      maxStream: FastCheck.constant(Duration.infinity),
      backoff: backoffs,
      maxRetryAfter: FastCheck.nat(5_000).map(Duration.millis),
      retryTimeouts: FastCheck.boolean(),
      breaker: FastCheck.constantFrom(1, 3, 1_000).map((failures) =>
        CircuitBreaker.config({ trip: CircuitBreaker.consecutive(failures), openFor: "1 second" })
      )
    }),
    { minLength: 1, maxLength: 4 }
  )
}).map(({ tiers, ...policy }): Policy.Policy => {
  const [first, ...rest] = tiers.map((tier, index) => ({ ...tier, name: `tier ${index}` }))
  return { ...policy, tiers: [first!, ...rest] }
})

const hedge = FastCheck.option(
  // Never a whole number: a tie with a bound could go either way.
  FastCheck.nat(12_000).map((after) => ({ after: Duration.millis(after + 0.25) })),
  { nil: undefined }
)

/** The same, of which some ask their next tiers beside those that are slow. */
export const hedgedPolicies: FastCheck.Arbitrary<Policy.Policy> = FastCheck.tuple(
  policies,
  FastCheck.tuple(hedge, hedge, hedge, hedge)
).map(([policy, hedges]): Policy.Policy => {
  const [first, ...rest] = policy.tiers
  return {
    ...policy,
    tiers: [
      { ...first, hedge: hedges[0] },
      ...rest.map((tier, index) => ({ ...tier, hedge: hedges[index + 1] }))
    ]
  }
})
