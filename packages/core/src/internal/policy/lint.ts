import * as Duration from "effect/Duration"
import type { Trip } from "../../CircuitBreaker.ts"
import type { Policy, TierPolicy } from "../../Policy.ts"
import { formatDuration } from "./durationText.ts"
import { hangingTier, sumOfWaits, worstCase } from "./worstCase.ts"

/**
 * A finding of {@link lint}; the names are those used in files.
 *
 * @since 0.1.0
 * @category models
 */
export interface Finding {
  /** An `error` can never work as written; a `warning` works differently than it looks. */
  readonly severity: "error" | "warning"
  /** The tier it is about; `undefined` for the policy itself. */
  readonly tier: string | undefined
  readonly rule: Rule
  readonly message: string
  readonly remedy: string
}

/**
 * The stable name of what a {@link Finding} is about.
 *
 * @since 0.1.0
 * @category models
 */
export type Rule =
  | "no-time"
  | "attempt-beyond-timeout"
  | "attempt-beyond-deadline"
  | "unreachable-tier"
  | "unbounded-tier"
  | "unbounded-stream"
  | "idle-beyond-stream"
  | "waits-fill-timeout"
  | "wait-beyond-max"
  | "retry-after-beyond-timeout"
  | "timeouts-not-retried"
  | "open-beyond-max"
  | "window-below-attempts"
  | "slow-beyond-attempt"
  | "lease-below-attempt"
  | "endless-lease"
  | "unused-hedge"

export const lint = (policy: Policy): ReadonlyArray<Finding> => [
  ...noTime({ deadline: policy.deadline }).map((finding) => ({ ...finding, tier: undefined })),
  ...policy.tiers.flatMap((tier, index) =>
    checks
      .flatMap((check) => check(tier, policy, index) ?? [])
      .map((finding) => ({ ...finding, tier: tier.name }))
  )
]

type About = Omit<Finding, "tier">

type Check = (tier: TierPolicy, policy: Policy, index: number) => About | ReadonlyArray<About> | undefined

const noTime = (bounds: { readonly [name: string]: Duration.Duration }): ReadonlyArray<About> =>
  Object.entries(bounds)
    .filter(([, bound]) => millis(bound) === 0)
    .map(([name]) => ({
      severity: "error",
      rule: "no-time",
      message: `${name} of 0s leaves no time for an answer`,
      remedy: `give ${name} some time`
    }))

const checks: ReadonlyArray<Check> = [
  ({ attemptTimeout, firstToken, idle, maxStream, timeout }) =>
    noTime({ timeout, attemptTimeout, firstToken, idle, maxStream }),

  (tier) => {
    const cut = attemptBoundsAbove(tier, tier.timeout)
    return cut.length === 0
      ? undefined
      : warning(
          "attempt-beyond-timeout",
          `the timeout of ${text(tier.timeout)} comes before ${withValues(tier, cut)}, and the breaker does not count what a timeout cut short`,
          `lengthen timeout or shorten ${cut.join(" and ")} to it`
        )
  },

  (tier, { deadline }) => {
    const cut = millis(deadline) < millis(tier.timeout) ? attemptBoundsAbove(tier, deadline) : []
    return cut.length === 0
      ? undefined
      : warning(
          "attempt-beyond-deadline",
          `the deadline of ${text(deadline)} comes before ${withValues(tier, cut)}: an attempt that hangs ends the run, and the breaker does not count it`,
          `lengthen deadline or shorten ${cut.join(" and ")}`
        )
  },

  (_, policy, index) => {
    const { deadline, maxTiers = policy.tiers.length, tiers } = policy
    if (index === 0 || index >= maxTiers) return undefined
    const taken = (stream: boolean) =>
      tiers.slice(0, index).reduce((sum, above) => sum + hangingTier(above, { stream }), 0)
    const kinds = ([false, true] as const).filter((stream) => taken(stream) >= millis(deadline))
    const [first] = kinds
    return first === undefined
      ? undefined
      : warning(
          "unreachable-tier",
          `the tiers before it take ${text(Duration.millis(taken(first)))} when they hang${kinds.length === 2 ? "" : first ? " in a stream" : " in a whole answer"}, and the deadline of ${text(deadline)} is over before it is asked`,
          "lengthen deadline or shorten the attempts of the tiers before"
        )
  },

  (tier, policy) =>
    ([false, true] as const).some((stream) => {
      const alone = worstCase({ deadline: Duration.infinity, maxTiers: undefined, tiers: [tier] }, { stream })
      return !Duration.isFinite(alone.duration)
    })
      ? warning(
          "unbounded-tier",
          Duration.isFinite(policy.deadline)
            ? "nothing but the run's deadline ends an attempt that hangs"
            : "nothing ends an attempt that hangs",
          "give the tier a timeout"
        )
      : undefined,

  ({ idle, maxStream }) =>
    Duration.isFinite(idle) || Duration.isFinite(maxStream)
      ? undefined
      : warning("unbounded-stream", "nothing ends a stream that falls silent", "give the tier an idle bound"),

  ({ idle, maxStream }) =>
    millis(idle) < millis(maxStream) || !Duration.isFinite(maxStream)
      ? undefined
      : warning(
          "idle-beyond-stream",
          `an idle of ${text(idle)} never ends a stream that may last ${text(maxStream)} in all`,
          "make idle shorter than maxStream"
        ),

  ({ backoff, timeout }, { deadline }) => {
    const waits = sumOfWaits(backoff)
    const [bound, name] = nearest(timeout, deadline)
    return backoff.times > 0 && waits >= millis(bound)
      ? warning(
          "waits-fill-timeout",
          `the waits before its retries can add up to ${text(Duration.millis(waits))} and leave nothing of the ${name} of ${text(bound)}`,
          `lower retry.times, retry.base or retry.max, or lengthen ${name}`
        )
      : undefined
  },

  ({ backoff: { base, max, times } }) =>
    times > 0 && millis(base) > millis(max)
      ? warning(
          "wait-beyond-max",
          `a retry.base of ${text(base)} is cut to the retry.max of ${text(max)}`,
          "make retry.base no longer than retry.max"
        )
      : undefined,

  ({ backoff, maxRetryAfter, timeout }, { deadline }) => {
    const [bound, name] = nearest(timeout, deadline)
    return backoff.times > 0 && millis(maxRetryAfter) > millis(bound)
      ? warning(
          "retry-after-beyond-timeout",
          `no wait as long as the ${name} of ${text(bound)} is ever made, yet one that is asked for opens the breaker only beyond the maxRetryAfter of ${text(maxRetryAfter)}`,
          `lower retry.maxRetryAfter to ${text(bound)} or less`
        )
      : undefined
  },

  ({ attemptTimeout, backoff, firstToken, retryTimeouts, timeout }) => {
    if (!retryTimeouts) return undefined
    if (backoff.times === 0) {
      return warning(
        "timeouts-not-retried",
        "retry.onTimeout is set, but retry.times is 0",
        "raise retry.times"
      )
    }
    return Math.min(millis(attemptTimeout), millis(firstToken)) >= millis(timeout)
      ? warning(
          "timeouts-not-retried",
          "retry.onTimeout is set, but one attempt may use up all of the tier's timeout",
          "make attemptTimeout and firstToken shorter than timeout"
        )
      : undefined
  },

  ({ breaker: { maxOpenFor, openFor } }) =>
    millis(openFor) > millis(maxOpenFor)
      ? warning(
          "open-beyond-max",
          `a breaker.openFor of ${text(openFor)} is cut to the breaker.maxOpenFor of ${text(maxOpenFor)}`,
          "make breaker.openFor no longer than breaker.maxOpenFor"
        )
      : undefined,

  (tier, policy) => {
    const longest = longestAttempt(tier, policy)
    return tier.breaker.trip.flatMap((trigger) =>
      "window" in trigger && millis(trigger.window) < 2 * longest
        ? warning(
            "window-below-attempts",
            `a breaker.${key(trigger)}.window of ${text(trigger.window)} holds too few attempts to judge by: one may take ${text(Duration.millis(longest))}`,
            "make the window at least twice as long as an attempt"
          )
        : []
    )
  },

  (tier, policy) => {
    const longest = longestAttempt(tier, policy)
    return tier.breaker.trip.flatMap((trigger) =>
      trigger._tag === "Slow" && millis(trigger.after) >= longest
        ? warning(
            "slow-beyond-attempt",
            `no attempt is slower than a breaker.slow.after of ${text(trigger.after)}: it is ended after ${text(Duration.millis(longest))}`,
            "make breaker.slow.after shorter than the attempts"
          )
        : []
    )
  },

  (tier, policy) => {
    const longest = longestAttempt(tier, policy)
    const { lease } = tier.breaker
    if (Duration.isFinite(lease)) {
      return millis(lease) < longest
        ? warning(
            "lease-below-attempt",
            `a probe counts as failed after a breaker.lease of ${text(lease)}, but may take ${text(Duration.millis(longest))}`,
            "make breaker.lease longer than an attempt"
          )
        : undefined
    }
    return longest === Number.POSITIVE_INFINITY
      ? warning(
          "endless-lease",
          "a probe that hangs keeps the breaker half-open for ever",
          "give the attempts or breaker.lease an end"
        )
      : undefined
  },

  (tier, { maxTiers, tiers }, index) => {
    if (tier.hedge === undefined) return undefined
    if (index === tiers.length - 1 || maxTiers === 1) {
      return warning("unused-hedge", "a hedge has no next tier to ask", "remove it or add a tier")
    }
    const { after } = tier.hedge
    const { duration } = worstCase({ deadline: Duration.infinity, maxTiers: undefined, tiers: [tier] })
    return millis(after) >= millis(duration)
      ? warning(
          "unused-hedge",
          `a hedge.after of ${text(after)} never comes: the tier is given up after ${text(duration)}`,
          "make hedge.after shorter"
        )
      : undefined
  }
]

const warning = (rule: Rule, message: string, remedy: string): About => ({
  severity: "warning",
  rule,
  message,
  remedy
})

type AttemptBound = "attemptTimeout" | "firstToken"

const attemptBoundsAbove = (tier: TierPolicy, bound: Duration.Duration): ReadonlyArray<AttemptBound> =>
  (["attemptTimeout", "firstToken"] as const).filter((name) => millis(tier[name]) > millis(bound))

const withValues = (tier: TierPolicy, names: ReadonlyArray<AttemptBound>): string =>
  names.map((name) => `the ${name} of ${text(tier[name])}`).join(" and ")

/** The longest an attempt can be in flight, whichever of its bounds ends it. */
const longestAttempt = (tier: TierPolicy, { deadline }: Policy): number =>
  Math.min(
    Math.max(millis(tier.attemptTimeout), millis(tier.firstToken)),
    millis(tier.timeout),
    millis(deadline)
  )

const key = ({ _tag }: Trip): string => _tag.toLowerCase()

const nearest = (
  timeout: Duration.Duration,
  deadline: Duration.Duration
): readonly [bound: Duration.Duration, name: string] =>
  millis(deadline) < millis(timeout) ? [deadline, "deadline"] : [timeout, "timeout"]

const millis = Duration.toMillis

const text = (duration: Duration.Duration): string =>
  Duration.isFinite(duration) ? formatDuration(duration) : "infinity"
