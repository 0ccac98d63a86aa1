import type * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Labels } from "../../Attempt.ts"
import * as CircuitBreaker from "../../CircuitBreaker.ts"
import * as Deadline from "../../Deadline.ts"
import type { Policy, TierPolicy } from "../../Policy.ts"
import type { RetryBudget } from "../../RetryBudget.ts"
import type { Options as TierOptions } from "../../Tier.ts"
import type { Ladder, Rung, Rungs } from "../run/ladder.ts"
import { type Fixed, fixed } from "../run/rung.ts"
import { hedgeAfter } from "./worstCase.ts"

/**
 * A policy ready to run: its tiers with their breakers. Make it once, since it holds the breakers' state, and pass it
 * to `Fallback.fromPolicy` or `FallbackStream.fromPolicy` for every run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Compiled<out Tier extends TierPolicy = TierPolicy> {
  /** Names the runs. */
  readonly name: string
  readonly policy: Policy<Tier>
  readonly tiers: Arr.NonEmptyReadonlyArray<CompiledTier<Tier>>
  /** Whether any tier's breaker lets calls through now, or is half-open. */
  readonly available: Effect.Effect<boolean>
}

/**
 * A tier with its breaker.
 *
 * @since 0.1.0
 * @category models
 */
export interface CompiledTier<out Tier extends TierPolicy = TierPolicy> {
  readonly tier: Tier
  readonly breaker: CircuitBreaker.CircuitBreaker
  /** @hidden */
  readonly answer: Fixed
  /** @hidden */
  readonly stream: Fixed
}

/**
 * What a policy does not specify itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface CompileOptions<in Tier extends TierPolicy = TierPolicy> {
  /** Names the runs in spans and events. Default: the name of the first tier. */
  readonly name?: string | undefined
  /** Labels of a tier in records, logs, spans and metrics, such as its model. Default: none. */
  readonly labels?: ((tier: Tier) => Labels) | undefined
  /** A tier's span. Default name: `tier {name}`. */
  readonly span?: ((tier: Tier) => TierOptions<never>["span"]) | undefined
  /** A shared breaker. Default: one of its own, configured by the tier's `breaker`. */
  readonly breaker?: ((tier: Tier) => CircuitBreaker.CircuitBreaker | undefined) | undefined
  /** A tier's budget, of retries and of hedges. Default: none. */
  readonly budget?: ((tier: Tier) => RetryBudget | undefined) | undefined
}

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

/** The ladder of one run. Everything but what the tiers do was made once, when the policy was compiled. */
export const ladderFrom = <Tier extends TierPolicy, X, E, R>(
  { name, policy, tiers }: Compiled<Tier>,
  rung: (tier: CompiledTier<Tier>) => Rung<X, E, R>
): Ladder<X, E, R> => ({
  name,
  rungs: new RungsInTime(tiers, rung),
  deadline: Duration.toMillis(policy.deadline),
  maxTiers: policy.maxTiers ?? Number.POSITIVE_INFINITY
})

/** Made lazily, since nearly every run asks only the first tier. */
class RungsInTime<A, X, E, R> implements Rungs<X, E, R> {
  private readonly tiers: ReadonlyArray<A>
  private readonly make: (tier: A) => Rung<X, E, R>
  private readonly made: Array<Rung<X, E, R> | undefined>

  constructor(tiers: ReadonlyArray<A>, make: (tier: A) => Rung<X, E, R>) {
    this.tiers = tiers
    this.make = make
    this.made = new Array(tiers.length)
  }

  get length(): number {
    return this.tiers.length
  }

  at(index: number): Rung<X, E, R> | undefined {
    const tier = this.tiers[index]
    if (tier === undefined) return undefined
    this.made[index] ??= this.make(tier)
    return this.made[index]
  }

  *[Symbol.iterator](): Iterator<Rung<X, E, R>> {
    for (const index of this.tiers.keys()) yield this.at(index) as Rung<X, E, R>
  }
}
