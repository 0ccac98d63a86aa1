import type { Failure, Ignored } from "../../Outcome.ts"

// The outcomes that the engine itself creates. They are compared by identity, since a tier's own error may have the
// same name.

/** The caller left, or another tier was faster. */
export const interrupted: Ignored = { _tag: "Ignored", next: "abort", errorType: "interrupted" }

/** The tier's timeout came before the attempt's own. */
export const cutShort: Ignored = { _tag: "Ignored", next: "nextTier", errorType: "timeout" }

/** The run's deadline came before the attempt's own timeout. */
export const pastDeadline: Ignored = { _tag: "Ignored", next: "abort", errorType: "deadline" }

/**
 * The stream exceeded `maxStream`, but its caller had kept it waiting. After the commit point nothing comes next; where a tier's
 * own effect was that caller, the next tier can still answer.
 */
export const slowCaller: Ignored = { _tag: "Ignored", next: "nextTier", errorType: "slow_caller" }

const timedOut = (next: "retry" | "nextTier"): Failure => ({
  _tag: "Failure",
  next,
  errorType: "timeout",
  retryAfter: undefined,
  trip: false
})

/** The attempt exceeded its own timeout. */
export const overtime = { retry: timedOut("retry"), nextTier: timedOut("nextTier") } as const

export const timeouts: ReadonlySet<unknown> = new Set([
  cutShort,
  pastDeadline,
  overtime.retry,
  overtime.nextTier
])
