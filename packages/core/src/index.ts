/** The record of one try, and the events of a run. */
export * as Attempt from "./Attempt.ts"
/** Retry timing as data. */
export * as Backoff from "./Backoff.ts"
/** Stops asking a tier that keeps failing, and detects with a probe when it has recovered. */
export * as CircuitBreaker from "./CircuitBreaker.ts"
/** The instants that bound an attempt, a tier and a whole run. */
export * as Deadline from "./Deadline.ts"
/** Tiers composed into one effect that asks them in order until one answers. */
export * as Fallback from "./Fallback.ts"
/** Stream tiers composed into one stream, which is emitted from its first content on. */
export * as FallbackStream from "./FallbackStream.ts"
/** The recent health of tiers and models, and alerts on it. */
export * as Health from "./Health.ts"
/** The log: a line for every attempt and every run, through Effect's `Logger`. */
export * as Log from "./Log.ts"
/** The one classification of how an attempt ended, which decides everything else. */
export * as Outcome from "./Outcome.ts"
/** Tiers as plain data, with a Schema for files. */
export * as Policy from "./Policy.ts"
/** Limits the share of calls to a provider that may be retries. */
export * as RetryBudget from "./RetryBudget.ts"
/** Leaner versions of a few Effect primitives, for code that runs on every call. */
export * as Thin from "./Thin.ts"
/** One rung of the ladder: an effect with its policy. */
export * as Tier from "./Tier.ts"
