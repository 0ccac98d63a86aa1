import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type { Transition } from "../../CircuitBreaker.ts"
import * as Deadline from "../../Deadline.ts"
import { type Outcome, success } from "../../Outcome.ts"
import { reported } from "../breaker/machine.ts"
import { flatMapNow, matchNow } from "../fiber/now.ts"
import { isOver, sleepUntil } from "../fiber/timer.ts"
import { type Around, AttemptFiber } from "./attempt.ts"
import { type Answer, type Committed, committed, type Restore } from "./committed.ts"
import { type Climb, Current } from "./current.ts"
import { allTiersFailed, isOwn, noTierLeft } from "./ending.ts"
import { enter, type GroupProgress } from "./groups.ts"
import { AllTiersFailed, type Ladder, type Rung } from "./ladder.ts"
import type { RunObserver } from "./observer.ts"
import { interrupted } from "./outcomes.ts"
import { endOf, judge, type Plan, plan, refund } from "./plan.ts"
import { rest } from "./rest.ts"
import { expireAround, inForce } from "./underway.ts"

/**
 * The run as a state machine: each method is a state, and returns the state that follows. It implements a loop over
 * tiers with a nested loop over attempts, at a fraction of the cost of generators.
 *
 * ```
 * climb ──▶ admit ──▶ start ──▶ attempt ──▶ ended ──▶ commit
 *   ▲         ▲ │                             │
 *   │   retry └─┼─────────────────────────── carryOut ──▶ abort
 *   └── leave ◀─┴── next tier ────────────────┘
 * ```
 */
export class Run<X, E, R, A> {
  readonly ladder: Ladder<X, E, R>
  readonly observer: RunObserver<E>
  private readonly streams: boolean
  private readonly answer: Answer<X, E, A>
  private restore: Restore
  private readonly around: Around<R>
  private readonly deadline: number
  readonly groups: Array<GroupProgress> = []
  index = 0
  started = 0
  /** The run is decided or out of time: whatever is still in flight is discarded. */
  private over = false
  /** Its answer, or the failure that ended it; any later one is discarded. */
  private decided: Exit.Exit<unknown, unknown> | undefined

  constructor(
    ladder: Ladder<X, E, R>,
    streams: boolean,
    answer: Answer<X, E, A>,
    restore: Restore,
    observer: RunObserver<E>,
    around: Around<R>,
    startedAt: number
  ) {
    this.ladder = ladder
    this.streams = streams
    this.answer = answer
    this.restore = restore
    this.observer = observer
    this.around = around
    const given = inForce(around.context, Context.get(around.context, Deadline.Current))
    this.deadline = Math.min(given, startedAt + ladder.deadline)
  }

  /** Takes the next tier that may be asked, or ends the run. */
  climb(now: number): Climb<A, E, R> {
    const { ladder, observer } = this
    while (this.started < ladder.maxTiers) {
      const rung = ladder.rungs.at(this.index++)
      if (rung === undefined) break
      if (isOver(this.deadline - now)) return this.outOfTime()
      const groups = enter(this.groups, rung, now)
      if (
        groups.length > 0 &&
        groups.some((group) => group.started >= group.maxTiers || isOver(group.deadline - now))
      )
        continue
      return rung.hedgeAfter === Number.POSITIVE_INFINITY
        ? this.admit(new Current(rung, now, groups))
        : this.hedged(rung, now, groups)
    }
    return noTierLeft(ladder, observer)
  }

  /**
   * Asks the tier, and after `hedgeAfter` the ones below it as well. The first to answer wins and the other is
   * interrupted; a failure that aborts ends both; the run fails when neither is left in flight.
   */
  private hedged(rung: Rung<X, E, R>, now: number, groups: ReadonlyArray<GroupProgress>): Climb<A, E, R> {
    const { index, restore } = this
    // From here on each side runs in its own fiber, which the other's answer interrupts even if the caller cannot.
    this.restore = Effect.interruptible
    return Effect.flatMap(Effect.cached(Effect.fork(Effect.uninterruptible(this.below()))), (below) => {
      // The error that decided the run may be an `AllTiersFailed` too: that of a tier that runs a fallback itself.
      const hasFailed = (error: E | AllTiersFailed<E>): error is AllTiersFailed<E> =>
        error instanceof AllTiersFailed && !this.isDecidedBy(error)
      const next = Effect.catchIf(
        Effect.flatMap(below, Fiber.join),
        hasFailed,
        // This tier may have failed meanwhile.
        ({ reason }) =>
          reason === "deadline"
            ? allTiersFailed(this.observer, reason)
            : noTierLeft(this.ladder, this.observer)
      )
      const here = Effect.suspend(() => this.admit(new Current(rung, now, groups, this.restore(next))))
      const granted = Effect.suspend(() =>
        // If this tier has failed meanwhile, the tiers below are already being asked.
        this.index > index ? Effect.succeed(false) : (rung.budget?.withdraw ?? Effect.succeed(true))
      )
      const beside = Effect.flatMap(Effect.delay(granted, Duration.millis(rung.hedgeAfter)), (granted) => {
        // Without a token, it waits for what is in flight.
        if (!granted) return Effect.never
        const { started } = this
        const unused = Effect.suspend(() => (this.started > started ? Effect.void : refund(rung)))
        return Effect.catchIf(
          Effect.onInterrupt(next, () => unused),
          hasFailed,
          () => Effect.zipRight(unused, Effect.never)
        )
      })
      const both = Effect.raceFirst(Effect.uninterruptible(here), beside)
      return restore(Effect.checkInterruptible((isSo) => (isSo ? both : sheltered(both))))
    })
  }

  /** Asks the tier's breaker for admission. */
  private admit(tier: Current<X, E, R, A>): Climb<A, E, R> {
    const { breaker } = tier.rung
    if (breaker === undefined) return this.start(tier, tier.number === 1)
    const decision = breaker.decideIn(this.around.fiber)
    const isNow = tier.number === 1 && Exit.isExit(decision)
    return matchNow(decision, {
      onFailure: (cause) => this.unstarted(tier, () => this.abort(tier, cause)),
      onSuccess: ({ changes, permit, rejection }) => {
        const { observer } = this
        observer.breakerChanged(tier.rung, changes)
        tier.permit = permit
        if (permit !== undefined) return this.start(tier, isNow)
        observer.refused(tier.rung, Duration.millis(rejection?.retryAfter ?? 0))
        return this.unstarted(tier, () => this.leave(tier, Exit.fail("circuit open")))
      }
    })
  }

  /** Checks the time and the caller again: a wait or an asynchronous admission may have outlasted either. */
  private start(tier: Current<X, E, R, A>, isNow: boolean): Climb<A, E, R> {
    if (isNow) return this.attempt(tier, tier.enteredAt)
    return Effect.matchCauseEffect(this.restore(Effect.void), {
      onFailure: (cause) => this.drop(tier, cause),
      onSuccess: () => {
        const now = this.observer.now()
        if (!isOver(Math.min(tier.deadline, this.deadline) - now)) return this.attempt(tier, now)
        return this.unstarted(tier, () => {
          const exit = tier.number === 1 ? Exit.void : tier.attempt.exit
          if (!isOver(this.deadline - now)) return this.leave(tier, exit)
          this.over = true
          this.observer.closeTier(tier, exit)
          return this.outOfTime()
        })
      }
    })
  }

  /** Returns the token and the permit of an attempt that will not start. */
  private unstarted(tier: Current<X, E, R, A>, then: () => Climb<A, E, R>): Climb<A, E, R> {
    if (tier.number === 1 && tier.permit === undefined) return then()
    const refunded = tier.number === 1 ? Effect.void : refund(tier.rung)
    return Effect.matchCauseEffect(Effect.ensuring(refunded, this.report(tier, interrupted)), {
      onFailure: (cause) => this.abort(tier, cause),
      onSuccess: then
    })
  }

  private attempt(tier: Current<X, E, R, A>, now: number): Climb<A, E, R> {
    const { observer } = this
    const { groups, number, rung } = tier
    if (number === 1) {
      tier.span = observer.openTier(rung)
      this.started++
      for (const group of groups) group.started++
    }
    tier.attempt = observer.openAttempt(rung, tier.span, number, tier.waited, now)
    // The earliest of its bounds; its own wins a tie.
    const millis = Math.min(rung.attemptTimeout, tier.deadline - now, this.deadline - now)
    const bound =
      millis === rung.attemptTimeout
        ? rung.attemptBound
        : millis === tier.deadline - now
          ? "timeout"
          : "deadline"
    const deadline = bound === "deadline" ? this.deadline : bound === "timeout" ? tier.deadline : now + millis
    const fiber = new AttemptFiber(rung.attempt, tier.attempt, this.around, bound, millis, deadline)
    tier.fiber = fiber
    return Effect.matchCauseEffect(this.restore(fiber.wait()), {
      onFailure: (cause) =>
        Effect.flatMap(this.over ? fiber.leave() : fiber.stop(), () =>
          this.ended(tier, Exit.failCause(cause))
        ),
      onSuccess: () => this.ended(tier, fiber.exit)
    })
  }

  /** Classifies the attempt's exit, once, and tells the breaker. */
  private ended(
    tier: Current<X, E, R, A>,
    exit: Exit.Exit<X, E | Deadline.DeadlineExceeded>
  ): Climb<A, E, R> {
    const { permit, rung } = tier
    const outcome = judge(rung, exit)
    const end = endOf(exit, outcome)
    return matchNow(this.report(tier, outcome), {
      onFailure: (cause) => this.untold(tier, end, outcome, cause),
      onSuccess: (transition) => {
        if (transition !== undefined) this.observer.breakerChanged(rung, [transition])
        tier.reported = permit && reported(permit, transition)
        if (Exit.isSuccess(end)) return this.decided ? this.tooLate(tier) : this.commit(tier, end)
        return flatMapNow(
          plan(tier, end.cause, outcome, Math.min(tier.deadline, this.deadline), this.observer),
          (plan) => this.carryOut(tier, end, outcome, plan)
        )
      }
    })
  }

  private report(
    { permit, rung }: Current<X, E, R, A>,
    outcome: Outcome
  ): Effect.Effect<Transition | undefined> {
    return rung.breaker === undefined || permit === undefined
      ? nothing
      : rung.breaker.reportIn(this.around.fiber, permit, outcome, this.observer.listener)
  }

  /** Ends the run whose breaker or budget could not be told of the attempt. */
  private untold(
    tier: Current<X, E, R, A>,
    exit: Exit.Exit<X, E | Deadline.DeadlineExceeded>,
    outcome: Outcome,
    cause: Cause.Cause<never>
  ): Climb<A, E, R> {
    return Effect.flatMap(tier.fiber.stop(), () =>
      this.carryOut(tier, exit, outcome, { _tag: "abort", cause })
    )
  }

  private carryOut(
    tier: Current<X, E, R, A>,
    exit: Exit.Exit<X, E | Deadline.DeadlineExceeded>,
    outcome: Outcome,
    plan: Plan<E | Deadline.DeadlineExceeded>
  ): Climb<A, E, R> {
    this.observer.closeAttempt(tier.attempt, exit, outcome, plan._tag)
    switch (plan._tag) {
      case "abort":
        return this.abort(tier, plan.cause)
      case "nextTier":
        return this.leave(tier, exit)
      case "retry":
        tier.number++
        tier.permit = undefined
        tier.backoff = plan.backoff
        tier.waited = Duration.toMillis(plan.wait)
        if (tier.waited === 0) return this.admit(tier)
        return Effect.matchCauseEffect(
          this.restore(sleepUntil(this.around.clock, plan.resumeAt, tier.waited)),
          { onSuccess: () => this.admit(tier), onFailure: (cause) => this.drop(tier, cause) }
        )
    }
  }

  /** Ends the run with `cause`. */
  private abort(
    tier: Current<X, E, R, A>,
    cause: Cause.Cause<E | Deadline.DeadlineExceeded>
  ): Climb<A, E, R> {
    this.over = true
    const end = Exit.failCause(cause)
    this.observer.closeTier(tier, end)
    // At the deadline each side of a hedge ends by itself, and the other may still have an answer at that instant.
    if (!isOwn(cause)) return allTiersFailed(this.observer, "deadline")
    this.decided ??= end
    return Effect.failCause(cause)
  }

  /** Ends the run before its next attempt: the caller has left, or another tier has answered. */
  private drop(tier: Current<X, E, R, A>, cause: Cause.Cause<never>): Climb<A, E, R> {
    return this.unstarted(tier, () => {
      this.observer.closeTier(tier, Exit.failCause(cause))
      return Effect.failCause(cause)
    })
  }

  private isDecidedBy(error: unknown): boolean {
    const { decided } = this
    return decided !== undefined && Exit.isFailure(decided) && Cause.squash(decided.cause) === error
  }

  /** Goes on with the next tier, unless the caller has left. */
  below(): Climb<A, E, R> {
    return Effect.flatMap(this.restore(Effect.void), () => this.climb(this.observer.now()))
  }

  private outOfTime(): Climb<A, E, R> {
    expireAround(this.around.context, this.deadline)
    return allTiersFailed(this.observer, "deadline")
  }

  /** Gives up a tier. */
  private leave(tier: Current<X, E, R, A>, exit: Exit.Exit<unknown, unknown>): Climb<A, E, R> {
    this.observer.closeTier(tier, exit)
    return tier.otherwise ?? this.below()
  }

  private commit(
    tier: Current<X, E, R, A>,
    exit: Exit.Success<X, E | Deadline.DeadlineExceeded>
  ): Climb<A, E, R> {
    this.over = true
    this.decided = Exit.void
    const { budget } = tier.rung
    return budget === undefined
      ? this.serve(tier, exit.value)
      : Effect.matchCauseEffect(budget.deposit, {
          onFailure: (cause) => this.untold(tier, exit, success, cause),
          onSuccess: () => this.serve(tier, exit.value)
        })
  }

  private serve(tier: Current<X, E, R, A>, value: X): Climb<A, E, R> {
    const { streams, observer } = this
    const { attempt } = tier
    observer.serves(attempt)
    if (streams) observer.streams(attempt)
    else {
      observer.closeAttempt(attempt, Exit.void, success, undefined)
      observer.closeTier(tier, Exit.void)
    }
    return this.answer(value, this, tier)
  }

  get fiber(): Around<R>["fiber"] {
    return this.around.fiber
  }

  /** Climbs the rest of the ladder for a stream that has broken off, in the fiber that reads the stream. */
  continuation(
    transcript: Rung<X, E, R>["transcript"],
    sent: unknown
  ): ((restore: Restore) => Climb<Committed<X, E>, E, R>) | undefined {
    const { around, ladder, observer } = this
    const left = rest(ladder, this, transcript, sent)
    if (left === undefined) return undefined
    const context = Context.add(around.context, Deadline.Current, Number.POSITIVE_INFINITY)
    return (restore) =>
      new Run<X, E, R, Committed<X, E>>(
        left,
        true,
        committed,
        restore,
        observer,
        { ...around, context },
        observer.now()
      ).below()
  }

  /** Another tier's answer came first. That ends this side, since the side that ends first decides the run. */
  private tooLate(tier: Current<X, E, R, A>): Climb<A, E, R> {
    const exit = Exit.interrupt(FiberId.none)
    this.observer.closeAttempt(tier.attempt, exit, interrupted, "abort")
    this.observer.closeTier(tier, exit)
    return Effect.zipRight(tier.fiber.stop(), this.restore(Effect.never))
  }
}

/** A daemon, since a fiber hands an interruption on to its children even while it cannot be interrupted itself. */
const sheltered = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.forkDaemon(Effect.interruptible(effect)), Fiber.join)

const nothing: Effect.Effect<undefined> = Effect.succeed(undefined)
