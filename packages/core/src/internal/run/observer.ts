import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import * as Attempt from "../../Attempt.ts"
import type { Change } from "../../CircuitBreaker.ts"
import { type Next, type Outcome, success } from "../../Outcome.ts"
import { timeOf } from "../fiber/timer.ts"
import type { Ladder, Rung } from "./ladder.ts"
import { interrupted, pastDeadline } from "./outcomes.ts"
import {
  attemptOutcome,
  circuitOpen,
  errorTypeOf,
  type OpenAttempt,
  record,
  runErrorType,
  runOutcome,
  spanIds
} from "./record.ts"
import { annotate, openSpan } from "./span.ts"

type AnyRung<E> = Rung<unknown, E, unknown>

/** The listener of a run, if any. */
export type Listening = ((event: Attempt.Event) => void) | undefined

/**
 * Everything observable about a run: its spans, its events and its record of attempts. All of it is plain and
 * synchronous; without a tracer there are no spans, and without a listener no events.
 */
export class RunObserver<E> {
  refusals: ReadonlyArray<Attempt.Refusal> = none
  readonly clock: Clock.Clock
  readonly startedAt: number
  readonly span: Tracer.Span | undefined
  readonly listener: Listening
  private readonly ladder: Ladder<unknown, E, unknown>
  private readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  private servedBy: AnyRung<E> | undefined
  /** Why the first tier did not serve: for lack of time, if it was neither asked nor refused. */
  private missed = pastDeadline.errorType
  /** The last attempt that has ended or whose stream has begun, and how many there are. */
  private last: OpenAttempt<E> | undefined
  /** The last one whose stream has broken off. */
  private broken: OpenAttempt<E> | undefined
  /** The attempt that ended the run, which need not be the last one: in a hedge, the interrupted side ends after it. */
  private decisive: OpenAttempt<E> | undefined
  private count = 0

  /** A listener that is passed replaces the one in the context. */
  constructor(
    fiber: Fiber.RuntimeFiber<unknown, unknown>,
    ladder: Ladder<unknown, E, unknown>,
    listener?: Listening
  ) {
    this.fiber = fiber
    this.ladder = ladder
    this.clock = Context.get(fiber.getFiberRef(DefaultServices.currentServices), Clock.Clock)
    this.listener = listener ?? Context.get(fiber.currentContext, Attempt.Listener)
    this.span = openSpan(fiber, `fallback ${ladder.name}`, "internal")
    this.startedAt = this.now()
  }

  /** Whether there is a listener or a span that observes the run while it is running. */
  get isWatched(): boolean {
    return this.span !== undefined || this.listener !== undefined
  }

  /** Milliseconds of the clock's monotonic time. */
  now(): number {
    return timeOf(this.clock)
  }

  /** The attempts that have ended, in that order, and the one whose stream has begun. */
  get attempts(): ReadonlyArray<Attempt.Attempt<E>> {
    const attempts: Array<Attempt.Attempt<E>> = []
    for (let each = this.last; each !== undefined; each = each.previous) attempts.push(record(each))
    return attempts.reverse()
  }

  refused(rung: AnyRung<E>, retryAfter: Duration.Duration): void {
    const refusal: Attempt.Refusal = { tier: rung.name, labels: rung.labels, retryAfter }
    this.refusals = [...this.refusals, refusal]
    if (rung === this.ladder.rungs.at(0)) this.missed = circuitOpen
    if (this.span?.sampled) {
      this.span.event("tier refused", this.clock.unsafeCurrentTimeNanos(), {
        "understudy.tier": rung.name,
        "understudy.retry_after_ms": Duration.toMillis(retryAfter)
      })
    }
    this.emit({ _tag: "TierRefused", run: this.ladder.name, refusal })
  }

  breakerChanged(rung: AnyRung<E>, changes: ReadonlyArray<Change>): void {
    const key = rung.breaker?.key
    if (key === undefined) return
    for (const change of changes) {
      const transition = { key, ...change }
      this.emit({
        _tag: "BreakerChanged",
        run: this.ladder.name,
        tier: rung.name,
        labels: rung.labels,
        transition
      })
    }
  }

  openTier(rung: AnyRung<E>): Tracer.Span | undefined {
    if (this.span === undefined) return undefined
    return openSpan(this.fiber, rung.span.name, "client", rung.span.attributes, this.span)
  }

  /** A tier that was never asked has nothing to close. */
  closeTier({ attempt, enteredAt, span }: AskedTier<E>, exit: Exit.Exit<unknown, unknown>): void {
    if (attempt === undefined) return
    if (span !== undefined) {
      const errorType = errorTypeOf(attempt.outcome)
      if (span.sampled && Exit.isFailure(exit) && errorType !== undefined)
        span.attribute("error.type", errorType)
      this.closeSpan(span, exit)
    }
    if (attempt.told !== undefined) {
      this.emit({
        _tag: "TierEnded",
        run: this.ladder.name,
        last: attempt.told,
        duration: Duration.millis(this.now() - enteredAt),
        span: spanIds(span)
      })
    }
  }

  openAttempt(
    rung: AnyRung<E>,
    tier: Tracer.Span | undefined,
    number: number,
    waited: number,
    startedAt: number
  ): OpenAttempt<E> {
    return {
      rung,
      number,
      waited,
      startedAt,
      firstToken: undefined,
      endedAt: startedAt,
      exit: Exit.void,
      outcome: success,
      next: undefined,
      told: undefined,
      previous: undefined,
      usage: undefined,
      pace: undefined,
      tierSpan: tier,
      span: tier && openSpan(this.fiber, "attempt", "client", numbered(rung.name, number), tier)
    }
  }

  /** The attempt's answer is the run's. */
  serves(attempt: OpenAttempt<E>): void {
    this.servedBy = attempt.rung
  }

  /** The attempt's stream has begun. */
  streams(attempt: OpenAttempt<E>): void {
    attempt.endedAt = this.now()
    attempt.firstToken = attempt.endedAt - attempt.startedAt
    const { firstToken, tierSpan } = attempt
    if (tierSpan?.sampled) tierSpan.attribute("understudy.time_to_first_token", firstToken / 1000)
    this.append(attempt)
  }

  closeAttempt(
    attempt: OpenAttempt<E>,
    exit: Exit.Exit<unknown, unknown>,
    outcome: Outcome,
    next: Next | undefined
  ): void {
    attempt.endedAt = this.now()
    attempt.exit = exit
    attempt.outcome = outcome
    attempt.next = next
    if (next === "abort") this.decisive ??= attempt
    if (attempt.firstToken === undefined) this.append(attempt)
    else if (Exit.isFailure(exit)) this.broken = attempt
    const { rung, span } = attempt
    const errorType = errorTypeOf(outcome)
    if (errorType !== undefined && rung === this.ladder.rungs.at(0)) {
      // If the first tier is interrupted and the run goes on, another tier's answer was faster.
      this.missed = outcome === interrupted ? "hedge" : errorType
    }
    if (span !== undefined) {
      if (span.sampled) {
        span.attribute("understudy.outcome", attemptOutcome(outcome))
        if (errorType !== undefined) span.attribute("error.type", errorType)
      }
      this.closeSpan(span, exit)
    }
    if (this.listener !== undefined) {
      attempt.told = record(attempt)
      this.emit({ _tag: "AttemptEnded", run: this.ladder.name, attempt: attempt.told })
    }
  }

  close(exit: Exit.Exit<unknown, unknown>): void {
    if (!this.isWatched) return
    const { count, ladder, servedBy, span } = this
    // The caller sees the failure of the stream that broke off, not those of the tiers that could not continue it.
    const last = this.broken ?? this.decisive ?? this.last
    const outcome = runOutcome(exit, last)
    const fallback = servedBy !== undefined && servedBy !== ladder.rungs.at(0)
    const end: Attempt.RunEnded = {
      _tag: "RunEnded",
      run: ladder.name,
      outcome,
      servedBy: servedBy?.name,
      labels: servedBy?.labels,
      fallback,
      fallbackReason: fallback ? this.missed : undefined,
      errorType: runErrorType(exit, outcome, last, this.refusals.length > 0),
      attempts: count,
      duration: Duration.millis(this.now() - this.startedAt),
      span: spanIds(span)
    }
    if (span !== undefined) {
      if (span.sampled) annotate(span, endAttributes(end))
      this.closeSpan(span, exit)
    }
    this.emit(end)
  }

  private append(attempt: OpenAttempt<E>): void {
    attempt.previous = this.last
    this.last = attempt
    this.count++
  }

  private closeSpan(span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): void {
    span.end(this.clock.unsafeCurrentTimeNanos(), exit)
  }

  private emit(event: Attempt.Event): void {
    if (this.listener === undefined) return
    try {
      this.listener(event)
    } catch {
      // A listener must not fail the run.
    }
  }
}

/** A tier, with its last attempt if there is one. */
interface AskedTier<out E> {
  readonly attempt: OpenAttempt<E> | undefined
  readonly enteredAt: number
  readonly span: Tracer.Span | undefined
}

const numbered = (tier: string, number: number): Readonly<Record<string, unknown>> => ({
  "understudy.tier": tier,
  "understudy.attempt.number": number,
  ...(number > 1 && { "http.request.resend_count": number - 1 })
})

const endAttributes = (end: Attempt.RunEnded): Readonly<Record<string, unknown>> => ({
  "understudy.outcome": end.outcome,
  "understudy.attempts": end.attempts,
  "understudy.fallback": end.fallback,
  ...(end.servedBy !== undefined && { "understudy.served_by": end.servedBy }),
  ...(end.errorType !== undefined && { "error.type": end.errorType })
})

const none: ReadonlyArray<never> = []
