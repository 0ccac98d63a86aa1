/** The record of one try, and the events of a run. */
export * as Attempt from "./Attempt.ts"
/** Retry timing as data. */
export * as Backoff from "./Backoff.ts"
/** Stops asking a tier that keeps failing, and finds out with a probe when it is well again. */
export * as CircuitBreaker from "./CircuitBreaker.ts"
/** The instants that bound an attempt, a tier and a whole run. */
export * as Deadline from "./Deadline.ts"
/** Tiers composed into one effect that asks them in order until one answers. */
export * as Fallback from "./Fallback.ts"
/** Tiers of streams composed into one stream that is given to the caller from its first content on. */
export * as FallbackStream from "./FallbackStream.ts"
/** How well tiers and models have done lately, and the alert on it. */
export * as Health from "./Health.ts"
/** The log: a line for every attempt and every run, through Effect's `Logger`. */
export * as Log from "./Log.ts"
/** One classification of how an attempt ended, from which everything else follows. */
export * as Outcome from "./Outcome.ts"
/** Tiers as plain data, with a Schema for files. */
export * as Policy from "./Policy.ts"
/** Bounds how many of the calls to a provider may be retries. */
export * as RetryBudget from "./RetryBudget.ts"
/** A few things of Effect's own at a fraction of their price, for what runs at every call. */
export * as Thin from "./Thin.ts"
/** One rung of the ladder: an effect with its policy. */
export * as Tier from "./Tier.ts"
