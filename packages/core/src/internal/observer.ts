import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import * as Attempt from "../Attempt.ts"
import type { Transition } from "../CircuitBreaker.ts"
import type { Next, Outcome } from "../Outcome.ts"
import type { Ladder, Rung } from "./ladder.ts"

/**
 * What is seen of a run from outside: its spans, its events and its record of attempts. Each ends with the scope
 * it was opened in, so that the span of a stream ends when the stream does.
 */
export interface RunObserver<E> {
  readonly span: Tracer.Span
  readonly attempts: Array<Attempt.Attempt<E>>
  readonly refusals: Array<Attempt.Refusal>
  readonly now: () => number
  readonly refused: (rung: Rung<unknown, E, unknown>, retryAfter: Duration.Duration) => void
  readonly transition: (rung: Rung<unknown, E, unknown>, transition: Transition | undefined) => void
  readonly openTier: (
    rung: Rung<unknown, E, unknown>
  ) => Effect.Effect<{ readonly scope: Scope.CloseableScope; readonly span: Tracer.Span }>
  readonly openAttempt: (
    rung: Rung<unknown, E, unknown>,
    tier: { readonly scope: Scope.CloseableScope; readonly span: Tracer.Span },
    number: number,
    waited: number
  ) => Effect.Effect<AttemptObserver<E>>
}

export interface AttemptObserver<E> {
  readonly scope: Scope.CloseableScope
  readonly span: Tracer.Span
  /** The run will do this next; said before the scope closes. */
  next: Next | undefined
  /** The attempt has its answer, or the beginning of its stream. */
  readonly commit: () => Attempt.Attempt<E>
}

export const openRun = <E>(
  ladder: Ladder<unknown, E, unknown>,
  scope: Scope.Scope
): Effect.Effect<RunObserver<E>> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const listener = yield* Attempt.Listener
    const span = yield* openSpan(clock, scope, `fallback ${ladder.name}`, { kind: "internal" })
    const now = () => millis(clock)
    const startedAt = now()
    const attempts: Array<Attempt.Attempt<E>> = []
    const refusals: Array<Attempt.Refusal> = []
    let servedBy: Rung<unknown, E, unknown> | undefined

    const emit = (event: Attempt.Event) => {
      if (listener === undefined) return
      try {
        listener(event)
      } catch {
        // A listener cannot fail the call it listens to.
      }
    }

    yield* Scope.addFinalizerExit(scope, (exit) =>
      Effect.sync(() => {
        const fallback = servedBy !== undefined && servedBy !== ladder.rungs[0]
        const outcome = runOutcome(exit, attempts)
        const end: Attempt.RunEnded = {
          _tag: "RunEnded",
          run: ladder.name,
          outcome,
          servedBy: servedBy?.name,
          labels: servedBy?.labels,
          fallback,
          errorType: runErrorType(outcome, attempts),
          attempts: attempts.length,
          duration: Duration.millis(now() - startedAt),
          span: spanIds(span)
        }
        span.attribute("understudy.outcome", end.outcome)
        span.attribute("understudy.attempts", end.attempts)
        span.attribute("understudy.fallback", fallback)
        if (end.servedBy !== undefined) span.attribute("understudy.served_by", end.servedBy)
        if (end.errorType !== undefined) span.attribute("error.type", end.errorType)
        emit(end)
      })
    )

    const openTier: RunObserver<E>["openTier"] = (rung) =>
      Effect.gen(function* () {
        const tierScope = yield* Scope.fork(scope, ExecutionStrategy.sequential)
        const tierSpan = yield* openSpan(clock, tierScope, rung.span.name, {
          kind: "client",
          parent: span,
          attributes: { ...rung.span.attributes, "understudy.tier": rung.name }
        })
        yield* Scope.addFinalizerExit(tierScope, (exit) =>
          Effect.sync(() => {
            const errorType = attempts.at(-1)?.errorType
            if (Exit.isFailure(exit) && errorType !== undefined) tierSpan.attribute("error.type", errorType)
          })
        )
        return { scope: tierScope, span: tierSpan }
      })

    const openAttempt: RunObserver<E>["openAttempt"] = (rung, tier, number, waited) =>
      Effect.gen(function* () {
        const attemptScope = yield* Scope.fork(tier.scope, ExecutionStrategy.sequential)
        const attemptSpan = yield* openSpan(clock, attemptScope, "attempt", {
          kind: "client",
          parent: tier.span,
          attributes: {
            "understudy.tier": rung.name,
            "understudy.attempt.number": number,
            ...(number > 1 ? { "http.request.resend_count": number - 1 } : {})
          }
        })
        const attemptStartedAt = now()
        let firstToken: Duration.Duration | undefined
        const record = (exit: Exit.Exit<unknown, unknown>): Attempt.Attempt<E> => {
          const outcome = rung.judge(exit)
          return {
            tier: rung.name,
            labels: rung.labels,
            number,
            outcome: attemptOutcome(outcome),
            errorType: outcome._tag === "Success" ? undefined : outcome.errorType,
            cause: Exit.isSuccess(exit) ? undefined : (exit.cause as Cause.Cause<E>),
            duration: Duration.millis(now() - attemptStartedAt),
            firstToken,
            waited: Duration.millis(waited),
            retryAfter: outcome._tag === "Failure" ? outcome.retryAfter : undefined,
            next: observer.next,
            span: spanIds(attemptSpan)
          }
        }
        const observer: AttemptObserver<E> = {
          scope: attemptScope,
          span: attemptSpan,
          next: undefined,
          commit: () => {
            servedBy = rung
            if (rung.attemptBound === "firstToken") firstToken = Duration.millis(now() - attemptStartedAt)
            return record(Exit.void)
          }
        }
        yield* Scope.addFinalizerExit(attemptScope, (exit) =>
          Effect.sync(() => {
            const attempt = record(exit)
            attempts.push(attempt)
            attemptSpan.attribute("understudy.outcome", attempt.outcome)
            if (attempt.errorType !== undefined) attemptSpan.attribute("error.type", attempt.errorType)
            emit({ _tag: "AttemptEnded", run: ladder.name, attempt })
          })
        )
        return observer
      })

    return {
      span,
      attempts,
      refusals,
      now,
      openTier,
      openAttempt,
      refused: (rung, retryAfter) => {
        const refusal: Attempt.Refusal = { tier: rung.name, labels: rung.labels, retryAfter }
        refusals.push(refusal)
        span.event("tier refused", clock.unsafeCurrentTimeNanos(), {
          "understudy.tier": rung.name,
          "understudy.retry_after_ms": Duration.toMillis(retryAfter)
        })
        emit({ _tag: "TierRefused", run: ladder.name, refusal })
      },
      transition: (rung, transition) => {
        if (transition === undefined) return
        emit({ _tag: "BreakerChanged", run: ladder.name, tier: rung.name, labels: rung.labels, transition })
      }
    }
  })

export const millis = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

const openSpan = (
  clock: Clock.Clock,
  scope: Scope.Scope,
  name: string,
  options: Tracer.SpanOptions
): Effect.Effect<Tracer.Span> =>
  Effect.tap(Effect.makeSpan(name, { ...options, captureStackTrace: false }), (span) =>
    Scope.addFinalizerExit(scope, (exit) => Effect.sync(() => span.end(clock.unsafeCurrentTimeNanos(), exit)))
  )

const spanIds = (span: Tracer.Span): Attempt.SpanIds | undefined =>
  span.traceId === "noop" ? undefined : { traceId: span.traceId, spanId: span.spanId }

const attemptOutcome = (outcome: Outcome): Attempt.AttemptOutcome => {
  if (outcome._tag === "Success") return "success"
  switch (outcome.errorType) {
    case "timeout":
    case "deadline":
      return "timeout"
    case "interrupted":
      return "interrupted"
    default:
      return outcome._tag === "Failure" ? "failure" : "ignored"
  }
}

const runOutcome = (
  exit: Exit.Exit<unknown, unknown>,
  attempts: ReadonlyArray<Attempt.Attempt<unknown>>
): Attempt.RunOutcome => {
  if (Exit.isSuccess(exit)) return "success"
  if (Cause.isInterruptedOnly(exit.cause)) return "cancelled"
  const last = attempts.at(-1)
  return last?.outcome === "ignored" && last.next === "abort" ? "rejected" : "failure"
}

const runErrorType = (
  outcome: Attempt.RunOutcome,
  attempts: ReadonlyArray<Attempt.Attempt<unknown>>
): string | undefined => {
  switch (outcome) {
    case "success":
      return undefined
    case "cancelled":
      return "interrupted"
    default:
      return attempts.at(-1)?.errorType ?? "circuit_open"
  }
}
