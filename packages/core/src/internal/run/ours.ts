import type { Failure, Ignored } from "../../Outcome.ts"

// The outcomes that are of our making. They are known by what they are: a tier's own error may have the same name.

/** The caller left, or another tier was faster. */
export const interrupted: Ignored = { _tag: "Ignored", next: "abort", errorType: "interrupted" }

/** The tier's time was over before the attempt's own. */
export const cutShort: Ignored = { _tag: "Ignored", next: "nextTier", errorType: "timeout" }

/** And the run's. */
export const pastDeadline: Ignored = { _tag: "Ignored", next: "abort", errorType: "deadline" }

/** The stream's time was over, and its caller had let a part of that pass. */
export const slowCaller: Ignored = { _tag: "Ignored", next: "abort", errorType: "slow_caller" }

const timedOut = (next: "retry" | "nextTier"): Failure => ({
  _tag: "Failure",
  next,
  errorType: "timeout",
  retryAfter: undefined,
  trip: false
})

/** The attempt's own time was over. */
export const overtime = { retry: timedOut("retry"), nextTier: timedOut("nextTier") } as const

export const timeouts: ReadonlySet<unknown> = new Set([
  cutShort,
  pastDeadline,
  overtime.retry,
  overtime.nextTier
])
