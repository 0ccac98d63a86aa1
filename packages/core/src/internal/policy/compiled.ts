import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as CircuitBreaker from "../../CircuitBreaker.ts"
import * as Deadline from "../../Deadline.ts"
import type { Compiled, CompiledTier, CompileOptions, Policy, TierPolicy } from "../../Policy.ts"
import { type Ladder, ladderOf, type Rung } from "../run/ladder.ts"
import { fixed } from "../run/rung.ts"
import { hedgeAfter } from "./worstCase.ts"

export const compile = <Tier extends TierPolicy>(
  policy: Policy<Tier>,
  options: CompileOptions<Tier> = {}
): Effect.Effect<Compiled<Tier>> => {
  const { maxTiers } = policy
  if (maxTiers !== undefined && !(Number.isInteger(maxTiers) && maxTiers >= 1)) {
    throw new RangeError(`Policy.compile: maxTiers must be an integer of 1 or more, got ${maxTiers}`)
  }
  const { name = policy.tiers[0].name } = options
  const breakerOf = (tier: Tier): Effect.Effect<CircuitBreaker.CircuitBreaker> => {
    const shared = options.breaker?.(tier)
    return shared === undefined
      ? CircuitBreaker.make({ ...tier.breaker, key: `${name}/${tier.name}` })
      : Effect.succeed(shared)
  }
  const compileTier = (tier: Tier): Effect.Effect<CompiledTier<Tier>> =>
    Effect.map(breakerOf(tier), (breaker) => {
      const rung = {
        name: tier.name,
        labels: options.labels?.(tier),
        timeout: tier.timeout,
        backoff: tier.backoff,
        maxRetryAfter: tier.maxRetryAfter,
        retryTimeouts: tier.retryTimeouts,
        breaker,
        budget: options.budget?.(tier),
        span: options.span?.(tier)
      }
      return {
        tier,
        breaker,
        answer: { ...fixed(rung, "attemptTimeout", tier.attemptTimeout), hedgeAfter: hedgeAfter(tier) },
        stream: fixed(rung, "firstToken", tier.firstToken)
      }
    })
  return Effect.map(Effect.forEach(policy.tiers, compileTier), (tiers) => ({
    name,
    policy,
    tiers,
    available: Effect.flatMap(Deadline.now, (now) =>
      Effect.exists(tiers, ({ breaker }) => Effect.map(breaker.notBefore, (instant) => instant <= now))
    )
  }))
}

/** The ladder of one run, of which only what the tiers do is new. */
export const ladderFrom = <Tier extends TierPolicy, X, E, R>(
  { name, policy, tiers }: Compiled<Tier>,
  rung: (tier: CompiledTier<Tier>) => Rung<X, E, R>
): Ladder<X, E, R> => {
  const rungs = Arr.map(tiers, rung)
  const [first] = rungs
  return {
    ...ladderOf(first),
    name,
    rungs,
    deadline: Duration.toMillis(policy.deadline),
    maxTiers: policy.maxTiers ?? Number.POSITIVE_INFINITY
  }
}
