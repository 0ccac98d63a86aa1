import * as Duration from "effect/Duration"
import * as Backoff from "../../Backoff.ts"
import type { Policy, TierPolicy } from "../../Policy.ts"

/**
 * The most that something can take.
 *
 * @since 0.1.0
 * @category models
 */
export interface Bounds {
  readonly attempts: number
  readonly duration: Duration.Duration
}

/**
 * The most that a tier can take.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierBounds extends Bounds {
  readonly name: string
}

/**
 * The most that a run can take, and each of its tiers.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorstCase extends Bounds {
  readonly tiers: ReadonlyArray<TierBounds>
}

export const worstCase = (policy: Policy, options?: { readonly stream?: boolean | undefined }): WorstCase => {
  const stream = options?.stream ?? false
  const tiers = policy.tiers.map((tier) => ({
    name: tier.name,
    attempts: tier.backoff.times + 1,
    millis: worstTier(tier, stream)
  }))
  const { maxTiers = tiers.length } = policy
  const latest = latestStarts(policy, stream)
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

/** When each tier is asked at the latest, from the start of the run, if nothing but the tiers bounds it. */
export const latestStarts = (
  { maxTiers, tiers }: Pick<Policy, "maxTiers" | "tiers">,
  stream: boolean
): ReadonlyArray<number> => {
  const kept = tiers.map((tier) => Math.min(worstTier(tier, stream), stream ? never : hedgeAfter(tier)))
  // Those that are started before it: as many as leave it one of maxTiers.
  return tiers.map((_, index) => sumOfWorst(kept.slice(0, index), (maxTiers ?? tiers.length) - 1))
}

/** Which tiers a run starts is up to their breakers, so the worst ones count. */
const sumOfWorst = (values: ReadonlyArray<number>, most: number): number =>
  sum(values.toSorted((a, b) => b - a).slice(0, most))

const never = Number.POSITIVE_INFINITY

/** How long a tier leaves a whole answer open before the next one is asked beside it, in milliseconds. */
export const hedgeAfter = ({ hedge }: TierPolicy): number =>
  hedge === undefined ? never : Duration.toMillis(hedge.after)

const worstTier = (tier: TierPolicy, stream: boolean): number => {
  const { maxRetryAfter } = tier
  const asked = Duration.toMillis(maxRetryAfter)
  return Math.min(
    Duration.toMillis(tier.timeout),
    (tier.backoff.times + 1) * Duration.toMillis(attemptBound(tier, stream)) +
      sumOfWaits(tier.backoff, (largest) => Math.max(largest, asked))
  )
}

/** How long a tier keeps a run that it never answers from the next one. */
export const hangingTier = (tier: TierPolicy, stream: boolean): number => {
  const attempt = Duration.toMillis(attemptBound(tier, stream))
  const { times } = tier.backoff
  const all = tier.retryTimeouts ? (times + 1) * attempt + sumOfWaits(tier.backoff) : attempt
  return Math.min(Duration.toMillis(tier.timeout), all, stream ? never : hedgeAfter(tier))
}

/** How long a tier takes at least that is tried as often as it may be and fails at once every time. */
export const leastWaits = ({ backoff, timeout }: TierPolicy): number => {
  if (backoff.schedule !== undefined) return 0
  const base = Duration.toMillis(backoff.base)
  const shares = { none: 1, full: 0, equal: 0.5, decorrelated: 1 }
  const waits = sumOfWaits(backoff, (largest) =>
    backoff.jitter === "decorrelated" ? Math.min(base, largest) : largest * shares[backoff.jitter]
  )
  return Math.min(Duration.toMillis(timeout), waits)
}

/** What bounds one attempt, in a run for a whole answer and in one for a stream. */
const attemptBound = (tier: TierPolicy, stream: boolean): Duration.Duration =>
  stream ? tier.firstToken : tier.attemptTimeout

/** The sum of what `longest` makes of the largest wait before each retry, in milliseconds. */
export const sumOfWaits = (
  backoff: Backoff.Backoff,
  longest: (largest: number) => number = (largest) => largest
): number => {
  const largest = (retry: number) => Duration.toMillis(Backoff.largest(backoff, retry))
  const highest = largest(backoff.times)
  let total = 0
  for (let retry = 1; retry <= backoff.times; retry++) {
    // Waits never shrink: from here on they are all the same, however many there are.
    if (largest(retry) === highest) return total + (backoff.times - retry + 1) * longest(highest)
    total += longest(largest(retry))
  }
  return total
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)
