import * as Duration from "effect/Duration"
import * as Backoff from "../../Backoff.ts"
import type { Policy, TierPolicy } from "../../Policy.ts"

/**
 * Upper bounds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Bounds {
  readonly attempts: number
  readonly duration: Duration.Duration
}

/**
 * The upper bounds of a tier.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierBounds extends Bounds {
  readonly name: string
}

/**
 * The upper bounds of a run, and of each of its tiers.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorstCase extends Bounds {
  readonly tiers: ReadonlyArray<TierBounds>
}

/**
 * The runs to bound.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunKind {
  /** Streamed runs, up to their commit point. Default: runs for a whole answer. */
  readonly stream?: boolean | undefined
  /** Runs of a policy that is compiled with a `budget`, which may refuse hedges. Default: without one. */
  readonly budget?: boolean | undefined
}

export const worstCase = (policy: Policy, kind: RunKind = {}): WorstCase => {
  const { stream = false } = kind
  const tiers = policy.tiers.map((tier) => ({
    name: tier.name,
    attempts: tier.backoff.times + 1,
    millis: worstTier(tier, stream)
  }))
  const { maxTiers = tiers.length } = policy
  const latest = latestStarts(policy, kind)
  const ends = tiers.map(({ millis }, index) => latest[index]! + millis)
  return {
    attempts: sumOfWorst(
      tiers.map(({ attempts }) => attempts),
      maxTiers
    ),
    duration: Duration.millis(Math.min(Duration.toMillis(policy.deadline), Math.max(...ends))),
    tiers: tiers.map(({ attempts, millis, name }) => ({ name, attempts, duration: Duration.millis(millis) }))
  }
}

/** The latest start of each tier, counted from the start of the run and ignoring the run's own bounds. */
export const latestStarts = (
  { maxTiers, tiers }: Pick<Policy, "maxTiers" | "tiers">,
  kind: RunKind
): ReadonlyArray<number> => {
  const { stream = false } = kind
  const kept = tiers.map((tier) => Math.min(worstTier(tier, stream), surelyHedged(tier, kind)))
  // The tiers started before it: at most `maxTiers - 1`.
  return tiers.map((_, index) => sumOfWorst(kept.slice(0, index), (maxTiers ?? tiers.length) - 1))
}

/** The breakers decide which tiers a run starts, so the longest ones count. */
const sumOfWorst = (values: ReadonlyArray<number>, most: number): number =>
  sum(values.toSorted((a, b) => b - a).slice(0, most))

const never = Number.POSITIVE_INFINITY

/** How long a tier may take for a whole answer before the next one is asked alongside it, in milliseconds. */
export const hedgeAfter = ({ hedge }: TierPolicy): number =>
  hedge === undefined ? never : Duration.toMillis(hedge.after)

/** The same, unless the run is streamed or its budget may refuse. */
const surelyHedged = (tier: TierPolicy, { budget = false, stream = false }: RunKind): number =>
  stream || budget ? never : hedgeAfter(tier)

const worstTier = (tier: TierPolicy, stream: boolean): number => {
  const { maxRetryAfter } = tier
  const asked = Duration.toMillis(maxRetryAfter)
  return Math.min(
    Duration.toMillis(tier.timeout),
    (tier.backoff.times + 1) * Duration.toMillis(attemptBound(tier, stream)) +
      sumOfWaits(tier.backoff, (largest) => Math.max(largest, asked))
  )
}

/** How long a tier that hangs delays the next one. */
export const hangingTier = (tier: TierPolicy, kind: RunKind): number => {
  const { stream = false } = kind
  const attempt = Duration.toMillis(attemptBound(tier, stream))
  const { times } = tier.backoff
  const all = tier.retryTimeouts ? (times + 1) * attempt + sumOfWaits(tier.backoff) : attempt
  return Math.min(Duration.toMillis(tier.timeout), all, surelyHedged(tier, kind))
}

/** The least time a tier takes that uses up all its attempts, each failing at once. */
export const leastWaits = ({ backoff, timeout }: TierPolicy): number => {
  if (backoff.schedule !== undefined) return 0
  const base = Duration.toMillis(backoff.base)
  const shares = { none: 1, full: 0, equal: 0.5, decorrelated: 1 }
  const waits = sumOfWaits(backoff, (largest) =>
    backoff.jitter === "decorrelated" ? Math.min(base, largest) : largest * shares[backoff.jitter]
  )
  return Math.min(Duration.toMillis(timeout), waits)
}

/** The bound of one attempt, in a run for a whole answer or for a stream. */
const attemptBound = (tier: TierPolicy, stream: boolean): Duration.Duration =>
  stream ? tier.firstToken : tier.attemptTimeout

/** The sum of `longest` over the largest wait before each retry, in milliseconds. */
export const sumOfWaits = (
  backoff: Backoff.Backoff,
  longest: (largest: number) => number = (largest) => largest
): number => {
  const largest = (retry: number) => Duration.toMillis(Backoff.largest(backoff, retry))
  const highest = largest(backoff.times)
  let total = 0
  for (let retry = 1; retry <= backoff.times; retry++) {
    // Waits never shrink, so from here on they are all the same.
    if (largest(retry) === highest) return total + (backoff.times - retry + 1) * longest(highest)
    total += longest(largest(retry))
  }
  return total
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)
