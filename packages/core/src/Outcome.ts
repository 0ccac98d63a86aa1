/**
 * The one classification of how an attempt ended. It decides whether the tier is retried, whether the next tier is
 * asked, what the circuit breaker counts, and what logs, spans and metrics say.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { DeadlineExceeded } from "./Deadline.ts"
import { cutShort, interrupted, overtime, pastDeadline, slowCaller } from "./internal/run/outcomes.ts"

/**
 * What the run does after a failed attempt: retry the same tier, ask the next tier, or stop and fail with this very
 * failure.
 *
 * @since 0.1.0
 * @category models
 */
export type Next = "retry" | "nextTier" | "abort"

/**
 * How an attempt ended.
 *
 * - `Success` counts for the tier's breaker.
 * - `Failure` counts against it.
 * - `Ignored` says nothing about the tier's health: the caller's own mistake, a complete but unusable answer, an
 *   attempt that was cut short before its own timeout, or a caller that left.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = Success | Failure | Ignored

/**
 * An answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Success {
  readonly _tag: "Success"
}

/**
 * Counts against the tier.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failure {
  readonly _tag: "Failure"
  readonly next: Next
  /** Low-cardinality name for logs, spans and metrics. */
  readonly errorType: string
  /** The wait requested by the upstream. */
  readonly retryAfter: Duration.Duration | undefined
  /** Opens the breaker at once, regardless of its triggers. */
  readonly trip: boolean
}

/**
 * Says nothing about the health of the tier.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ignored {
  readonly _tag: "Ignored"
  readonly next: Next
  readonly errorType: string
}

/**
 * The outcome of an answer, and of an error that is as good as one.
 *
 * @example
 * import { Effect } from "effect"
 * import { CircuitBreaker, Outcome } from "@understudy/core"
 *
 * const program = Effect.gen(function* () {
 *   const breaker = yield* CircuitBreaker.make({ key: "cache", trip: CircuitBreaker.consecutive(1) })
 *   const lookUp = Effect.fail("not in the cache")
 *   yield* Effect.exit(CircuitBreaker.execute(lookUp, breaker, { classify: () => Outcome.success }))
 *   return (yield* breaker.state)._tag
 * })
 *
 * console.log(Effect.runSync(program)) // => Closed
 *
 * @since 0.1.0
 * @category constructors
 */
export const success: Success = { _tag: "Success" }

/**
 * A failure that counts against the tier.
 *
 * Defaults: `next: "retry"`, `errorType: "failure"`, no `retryAfter`, `trip: false`. A `retryAfter` longer than the
 * tier's `maxRetryAfter` is not waited for: the next tier is asked, and the breaker opens until then.
 *
 * @example
 * import { Outcome } from "@understudy/core"
 *
 * console.log(Outcome.failure({ errorType: "overloaded" }).next) // => retry
 *
 * @since 0.1.0
 * @category constructors
 */
export const failure = (options?: {
  readonly next?: Next | undefined
  readonly errorType?: string | undefined
  readonly retryAfter?: Duration.Duration | undefined
  readonly trip?: boolean | undefined
}): Failure => ({
  _tag: "Failure",
  next: options?.next ?? "retry",
  errorType: options?.errorType ?? "failure",
  retryAfter: options?.retryAfter,
  trip: options?.trip ?? false
})

/**
 * A failure that says nothing about the tier's health.
 *
 * Defaults: `next: "abort"`, `errorType: "ignored"`.
 *
 * @example
 * import { Outcome } from "@understudy/core"
 *
 * console.log(Outcome.ignored({ next: "nextTier", errorType: "context_length" }).next) // => nextTier
 *
 * @since 0.1.0
 * @category constructors
 */
export const ignored = (options?: {
  readonly next?: Next | undefined
  readonly errorType?: string | undefined
}): Ignored => ({
  _tag: "Ignored",
  next: options?.next ?? "abort",
  errorType: options?.errorType ?? "ignored"
})

/**
 * Maps a tier's typed error to its outcome.
 *
 * @since 0.1.0
 * @category models
 */
export type Classify<in E> = (error: E) => Outcome

/**
 * The default classifier: every typed error is worth a retry and counts against the breaker; its `_tag`, if it has one,
 * is the error type.
 *
 * @example
 * import { Outcome } from "@understudy/core"
 *
 * const outcome = Outcome.classifyError({ _tag: "Busy" })
 *
 * console.log(outcome._tag, outcome._tag === "Failure" && outcome.errorType) // => Failure Busy
 *
 * @since 0.1.0
 * @category classification
 */
export const classifyError: Classify<unknown> = (error) =>
  failure({
    errorType:
      typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
        ? error._tag
        : "failure"
  })

/**
 * Classifies any exit of an attempt.
 *
 * **Details**
 * - A typed failure goes to `classify`, even if combined with an interruption.
 * - `DeadlineExceeded` of the attempt's own bound (`attemptTimeout`, `firstToken`, `idle`, `maxStream`) is a failure:
 *   the next tier is asked, or this one again with `retryTimeouts`. An attempt cut short by the tier's `timeout` or the
 *   run's `deadline` is ignored, since it had not exceeded its own bound, and so is a `maxStream` during which the
 *   stream waited for its caller.
 * - A defect is a failure that aborts: asking another tier does not fix a bug.
 * - Interruption alone is ignored, always.
 *
 * @example
 * import { Exit, FiberId } from "effect"
 * import { Outcome } from "@understudy/core"
 *
 * console.log(Outcome.fromExit(Exit.die("bug"), Outcome.classifyError)._tag) // => Failure
 * console.log(Outcome.fromExit(Exit.interrupt(FiberId.none), Outcome.classifyError)._tag) // => Ignored
 *
 * @since 0.1.0
 * @category classification
 */
export const fromExit = <A, E>(
  exit: Exit.Exit<A, E | DeadlineExceeded>,
  classify: Classify<E>,
  options?: { readonly retryTimeouts?: boolean | undefined }
): Outcome => {
  if (Exit.isSuccess(exit)) return success
  // Fast path: most causes are a single typed failure.
  const error = Cause.isFailType(exit.cause) ? Option.some(exit.cause.error) : Cause.failureOption(exit.cause)
  if (Option.isNone(error)) {
    return Cause.isInterruptedOnly(exit.cause) ? interrupted : failure({ next: "abort", errorType: "defect" })
  }
  if (!(error.value instanceof DeadlineExceeded)) return classify(error.value)
  if (error.value.unread !== undefined) return slowCaller
  switch (error.value.bound) {
    case "timeout":
      return cutShort
    case "deadline":
      return pastDeadline
    default:
      return overtime[options?.retryTimeouts ? "retry" : "nextTier"]
  }
}
