import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type * as Attempt from "../../Attempt.ts"
import type { Next, Outcome } from "../../Outcome.ts"
import type { Rung } from "./ladder.ts"
import { interrupted, pastDeadline, slowCaller, timeouts } from "./outcomes.ts"
import type { Pace } from "./pace.ts"

/** An attempt in flight, and its result. */
export interface OpenAttempt<out E> {
  readonly rung: Rung<unknown, E, unknown>
  readonly number: number
  readonly waited: number
  readonly startedAt: number
  readonly span: Tracer.Span | undefined
  readonly tierSpan: Tracer.Span | undefined
  usage: Attempt.Usage | undefined
  pace: Pace | undefined
  firstToken: number | undefined
  endedAt: number
  exit: Exit.Exit<unknown, unknown>
  outcome: Outcome
  next: Next | undefined
  /** Its record as reported at its end, if there is a listener. */
  told: Attempt.Attempt<E> | undefined
  /** The attempt that ended before it. */
  previous: OpenAttempt<E> | undefined
}

export const spanIds = (span: Tracer.Span | undefined): Attempt.SpanIds | undefined =>
  span && { traceId: span.traceId, spanId: span.spanId, sampled: span.sampled }

/** The record of an attempt that has ended or whose stream has begun. */
export const record = <E>(attempt: OpenAttempt<E>): Attempt.Attempt<E> => {
  const { endedAt, exit, firstToken, next, number, outcome, pace, rung, span, startedAt, usage, waited } =
    attempt
  return {
    tier: rung.name,
    labels: rung.labels,
    attributes: rung.span.attributes,
    number,
    outcome: attemptOutcome(outcome),
    errorType: errorTypeOf(outcome),
    cause: Exit.isSuccess(exit) ? undefined : (exit.cause as Cause.Cause<E>),
    duration: Duration.millis(endedAt - startedAt),
    firstToken: firstToken === undefined ? undefined : Duration.millis(firstToken),
    pace: pace?.soFar,
    usage,
    waited: Duration.millis(waited),
    retryAfter: outcome._tag === "Failure" ? outcome.retryAfter : undefined,
    next,
    span: spanIds(span)
  }
}

export const errorTypeOf = (outcome: Outcome | undefined): string | undefined =>
  outcome === undefined || outcome._tag === "Success" ? undefined : outcome.errorType

export const attemptOutcome = (outcome: Outcome): Attempt.AttemptOutcome => {
  if (outcome._tag === "Success") return "success"
  if (outcome === interrupted) return "interrupted"
  if (timeouts.has(outcome)) return "timeout"
  return outcome._tag === "Failure" ? "failure" : "ignored"
}

/** The outcome of a run, from its exit and the outcome of its last attempt. */
export const runOutcome = (
  exit: Exit.Exit<unknown, unknown>,
  last: OpenAttempt<unknown> | undefined
): Attempt.RunOutcome => {
  if (Exit.isSuccess(exit)) return "success"
  if (Cause.isInterruptedOnly(exit.cause)) return "cancelled"
  if (isDefect(exit.cause)) return "failure"
  const outcome = last?.outcome
  if (outcome === slowCaller) return "rejected"
  // Not derived from what the run did next: after a stream's first content that is always nothing.
  return outcome?._tag === "Ignored" && outcome.next === "abort" && attemptOutcome(outcome) === "ignored"
    ? "rejected"
    : "failure"
}

/** Whether a tier or a breaker's store died. */
const isDefect = (cause: Cause.Cause<unknown>): boolean => !Cause.isFailure(cause)

/** Why the run failed. If it asked no tier and no breaker `refused`, it had no time. */
export const runErrorType = (
  exit: Exit.Exit<unknown, unknown>,
  outcome: Attempt.RunOutcome,
  last: OpenAttempt<unknown> | undefined,
  refused: boolean
): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  if (outcome === "cancelled") return "interrupted"
  if (isDefect(exit.cause)) return "defect"
  return errorTypeOf(last?.outcome) ?? (refused ? circuitOpen : pastDeadline.errorType)
}

export const circuitOpen = "circuit_open"
