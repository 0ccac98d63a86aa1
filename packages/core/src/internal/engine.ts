import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { Permit } from "../CircuitBreaker.ts"
import * as Deadline from "../Deadline.ts"
import { type Outcome, success } from "../Outcome.ts"
import { type Around, AttemptFiber, type Options } from "./attempt.ts"
import { AllTiersFailed, type Group, type Ladder, type Rung, type Served } from "./ladder.ts"
import { type OpenAttempt, RunObserver } from "./observer.ts"
import { heed, type Plan, plan, refund } from "./plan.ts"

/** A run that has its answer, or the beginning of it. */
export interface Committed<X, E> {
  readonly served: Served<X, E>
  /** With `keepScope`, ends the run: closes the serving attempt's scope, its spans and the run's. */
  readonly finish: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

/**
 * One run: asks the tiers in order until one answers, which is given to `onCommit`.
 *
 * Every losing attempt's scope is closed before anything else starts; the serving one's with the attempt, or with
 * `keepScope` by `finish`, so that a stream can go on in it. The run itself cannot be interrupted, only an attempt
 * or a wait in it can: so an admitted call is always reported to its breaker, exactly once.
 */
export const run = <X, E, R, A, R2>(
  ladder: Ladder<X, E, R>,
  keepScope: boolean,
  onCommit: (committed: Committed<X, E>) => Effect.Effect<A, never, R2>
): Effect.Effect<A, E | AllTiersFailed<E>, Exclude<R, Scope.Scope> | R2> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
      const observer = new RunObserver<E>(fiber, ladder)
      const deadline = Math.min(
        Context.get(fiber.currentContext, Deadline.Current),
        observer.startedAt + ladder.deadline
      )
      const around = {
        fiberId: fiber.id(),
        context: fiber.currentContext as Context.Context<R>,
        fiberRefs: fiber.getFiberRefs(),
        runtimeFlags
      }
      return Effect.matchCauseEffect(
        new Run(ladder, keepScope, restore, observer, around, deadline).climb(),
        {
          onSuccess: (committed) => {
            if (!keepScope) observer.close(Exit.void)
            return onCommit(committed)
          },
          onFailure: (cause) => {
            const exit = Exit.failCause(cause)
            observer.close(exit)
            return exit
          }
        }
      )
    })
  )

type Climbing<X, E, R> = Effect.Effect<Committed<X, E>, E | AllTiersFailed<E>, Exclude<R, Scope.Scope>>

interface GroupProgress {
  readonly deadline: number
  readonly maxTiers: number
  started: number
}

/** The tier being tried. */
interface Current<X, E, R> {
  readonly rung: Rung<X, E, R>
  readonly enteredAt: number
  readonly deadline: number
  readonly groups: ReadonlyArray<GroupProgress>
  span: Tracer.Span | undefined
  /** Of the attempt to come, from 1. */
  number: number
  /** The backoff before it, and the whole wait. */
  backoff: Duration.Duration
  waited: number
  /** What follows when it is given up. */
  readonly otherwise: () => Climbing<X, E, R>
}

/**
 * The run as a machine: each method is a state, and what it returns is the state that follows. It stands for the
 * loop over tiers with the loop over attempts in it, at a fraction of the price of generators.
 */
class Run<X, E, R> {
  private readonly ladder: Ladder<X, E, R>
  private readonly keepScope: boolean
  private readonly restore: <A1, E1, R1>(effect: Effect.Effect<A1, E1, R1>) => Effect.Effect<A1, E1, R1>
  private readonly observer: RunObserver<E>
  private readonly around: Around<R>
  private readonly deadline: number
  private groups: Map<Group, GroupProgress> | undefined
  private index = 0
  private started = 0
  private won = false

  constructor(
    ladder: Ladder<X, E, R>,
    keepScope: boolean,
    restore: <A1, E1, R1>(effect: Effect.Effect<A1, E1, R1>) => Effect.Effect<A1, E1, R1>,
    observer: RunObserver<E>,
    around: Around<R>,
    deadline: number
  ) {
    this.ladder = ladder
    this.keepScope = keepScope
    this.restore = restore
    this.observer = observer
    this.around = around
    this.deadline = deadline
  }

  /** The next tier that may be asked, or the end. */
  climb(): Climbing<X, E, R> {
    const { ladder, observer } = this
    while (this.started < ladder.maxTiers) {
      const rung = ladder.rungs[this.index++]
      if (rung === undefined) break
      const now = this.index === 1 ? observer.startedAt : observer.now()
      if (now >= this.deadline) return this.allTiersFailed("deadline")
      const groups = this.enter(rung, now)
      if (groups.some((group) => group.started >= group.maxTiers || group.deadline <= now)) continue
      const tier: Current<X, E, R> = {
        rung,
        enteredAt: now,
        deadline: groups.reduce((least, group) => Math.min(least, group.deadline), now + rung.timeout),
        groups,
        span: undefined,
        number: 1,
        backoff: rung.backoff.base,
        waited: 0,
        otherwise: () => this.climb()
      }
      return rung.hedgeAfter === Number.POSITIVE_INFINITY ? this.admit(tier) : this.hedged(tier)
    }
    return this.noTierLeft()
  }

  /**
   * The tier, and after a while the ones below it as well. The first to answer wins and the other is interrupted;
   * a failure that aborts ends both; the run has failed when nothing is left under way.
   */
  private hedged(tier: Current<X, E, R>): Climbing<X, E, R> {
    return Effect.flatMap(
      Effect.cached(Effect.fork(Effect.uninterruptible(Effect.suspend(() => this.climb())))),
      (below) => {
        const next = Effect.flatMap(below, Fiber.join)
        const here = this.admit({ ...tier, otherwise: () => this.restore(next) })
        const granted = tier.rung.budget?.withdraw ?? Effect.succeed(true)
        const beside = this.restore(Effect.delay(granted, Duration.millis(tier.rung.hedgeAfter))).pipe(
          // Without a token, what is under way is waited for.
          Effect.flatMap((granted) => (granted ? next : Effect.never)),
          Effect.catchIf(
            (error) => error instanceof AllTiersFailed,
            () => Effect.never
          )
        )
        return this.restore(Effect.raceFirst(Effect.uninterruptible(here), beside))
      }
    )
  }

  /** Asks the tier's breaker for an attempt. */
  private admit(tier: Current<X, E, R>): Climbing<X, E, R> {
    const { breaker } = tier.rung
    if (breaker === undefined) return this.attempt(tier, undefined)
    return Effect.flatMap(breaker.decide, ({ changes, permit, rejection }) => {
      this.observer.breakerChanged(tier.rung, changes)
      if (permit !== undefined) return this.attempt(tier, permit)
      this.observer.refused(tier.rung, Duration.millis(rejection?.retryAfter ?? 0))
      if (tier.number === 1) return tier.otherwise()
      const leave = Effect.suspend(() => this.leave(tier, Exit.fail("circuit open")))
      return Effect.zipRight(refund(tier.rung), leave)
    })
  }

  private attempt(tier: Current<X, E, R>, permit: Permit | undefined): Climbing<X, E, R> {
    const { observer } = this
    if (tier.number === 1) {
      tier.span = observer.openTier(tier.rung)
      this.started++
      for (const group of tier.groups) group.started++
    }
    const now = tier.number === 1 ? tier.enteredAt : observer.now()
    const attempt = observer.openAttempt(tier.rung, tier.span, tier.number, tier.waited, now)
    return Effect.flatMap(Scope.make(), (scope) => {
      const ended = (exit: Exit.Exit<X, E | Deadline.DeadlineExceeded>) =>
        this.report(tier, attempt, scope, permit, exit)
      const fiber = new AttemptFiber(this.bounded(tier, attempt, scope))
      return Effect.matchCauseEffect(this.restore(fiber.exit), {
        onFailure: (cause) => Effect.zipRight(fiber.stop, ended(Exit.failCause(cause))),
        onSuccess: ended
      })
    })
  }

  /** Classifies the attempt's exit, once, and tells the breaker. */
  private report(
    tier: Current<X, E, R>,
    attempt: OpenAttempt<E>,
    scope: Scope.CloseableScope,
    permit: Permit | undefined,
    exit: Exit.Exit<X, E | Deadline.DeadlineExceeded>
  ): Climbing<X, E, R> {
    const { rung } = tier
    const outcome = heed(rung, rung.judge(exit))
    const then = () =>
      Exit.isSuccess(exit)
        ? this.won
          ? this.tooLate(tier, attempt, scope)
          : rung.budget === undefined
            ? Effect.succeed(this.committed(tier, attempt, scope, exit.value))
            : Effect.as(rung.budget.deposit, this.committed(tier, attempt, scope, exit.value))
        : Effect.flatMap(plan(tier, outcome, Math.min(tier.deadline, this.deadline), this.observer), (plan) =>
            this.carryOut(tier, attempt, exit, outcome, plan)
          )
    if (rung.breaker === undefined || permit === undefined) return then()
    return Effect.flatMap(rung.breaker.report(permit, outcome), (transition) => {
      if (transition !== undefined) this.observer.breakerChanged(rung, [transition])
      return then()
    })
  }

  private carryOut(
    tier: Current<X, E, R>,
    attempt: OpenAttempt<E>,
    exit: Exit.Failure<X, E | Deadline.DeadlineExceeded>,
    outcome: Outcome,
    plan: Plan
  ): Climbing<X, E, R> {
    this.observer.closeAttempt(attempt, exit, outcome, plan._tag)
    switch (plan._tag) {
      case "abort":
        this.observer.closeTier(tier.span, exit)
        return isOwn(exit.cause) ? Effect.failCause(exit.cause) : this.allTiersFailed("deadline")
      case "nextTier":
        return this.leave(tier, exit)
      case "retry":
        tier.number++
        tier.backoff = plan.backoff
        tier.waited = Duration.toMillis(plan.wait)
        if (tier.waited === 0) return this.admit(tier)
        return Effect.matchCauseEffect(this.restore(Effect.sleep(plan.wait)), {
          onSuccess: () => this.admit(tier),
          onFailure: (cause) => {
            this.observer.closeTier(tier.span, Exit.failCause(cause))
            return Effect.zipRight(refund(tier.rung), Effect.failCause(cause))
          }
        })
    }
  }

  /** Gives a tier up. */
  private leave(tier: Current<X, E, R>, exit: Exit.Exit<unknown, unknown>): Climbing<X, E, R> {
    this.observer.closeTier(tier.span, exit)
    return tier.otherwise()
  }

  private committed(
    { rung, span }: Current<X, E, R>,
    attempt: OpenAttempt<E>,
    scope: Scope.CloseableScope,
    value: X
  ): Committed<X, E> {
    this.won = true
    const { keepScope, ladder, observer } = this
    observer.serves(attempt)
    const end = (exit: Exit.Exit<unknown, unknown>, outcome: Outcome) => {
      observer.closeAttempt(attempt, exit, outcome, undefined)
      observer.closeTier(span, exit)
    }
    const served = (attempts: Served<X, E>["attempts"]): Served<X, E> => ({
      value,
      tier: rung.name,
      labels: rung.labels,
      fallback: rung !== ladder.rungs[0],
      attempts
    })
    if (keepScope) {
      const finish = (exit: Exit.Exit<unknown, unknown>) =>
        Effect.zipRight(
          Scope.close(scope, exit),
          Effect.sync(() => {
            end(exit, rung.judge(exit))
            observer.close(exit)
          })
        )
      return { served: served([...observer.attempts, observer.streams(attempt)]), finish }
    }
    end(Exit.void, success)
    return { served: served(observer.attempts), finish: () => Effect.void }
  }

  /** Another tier's answer came first, in the very same moment. */
  private tooLate(
    tier: Current<X, E, R>,
    attempt: OpenAttempt<E>,
    scope: Scope.CloseableScope
  ): Climbing<X, E, R> {
    const exit = Exit.interrupt(FiberId.none)
    this.observer.closeAttempt(attempt, exit, tier.rung.judge(exit), "abort")
    this.observer.closeTier(tier.span, exit)
    return Effect.zipRight(Scope.close(scope, exit), exit)
  }

  private noTierLeft(): Climbing<X, E, R> {
    const { ladder, observer } = this
    const cause = observer.attempts[0]?.cause
    return ladder.rungs.length === 1 &&
      ladder.rungs[0].backoff.times === 0 &&
      cause !== undefined &&
      isOwn(cause)
      ? Effect.failCause(cause)
      : this.allTiersFailed(observer.attempts.length === 0 ? "open" : "failed")
  }

  private allTiersFailed(reason: AllTiersFailed<E>["reason"]): Effect.Effect<never, AllTiersFailed<E>> {
    const { attempts, refusals } = this.observer
    const hints = [...refusals, ...attempts].flatMap(({ retryAfter }) => retryAfter ?? [])
    return Effect.fail(
      new AllTiersFailed<E>({
        reason,
        attempts,
        refusals,
        retryAfter: hints.length === 0 ? undefined : hints.reduce(Duration.min)
      })
    )
  }

  /** The groups a tier lies in; the clock of a group starts with its first tier. */
  private enter(rung: Rung<X, E, R>, now: number): ReadonlyArray<GroupProgress> {
    if (rung.groups.length === 0) return noGroups
    this.groups ??= new Map()
    const { groups } = this
    return rung.groups.map((group) => {
      const known = groups.get(group)
      if (known !== undefined) return known
      const progress = { deadline: now + group.deadline, maxTiers: group.maxTiers, started: 0 }
      groups.set(group, progress)
      return progress
    })
  }

  /** The attempt under the nearest of its bounds; its own bound wins a tie. */
  private bounded(
    { deadline, rung }: Current<X, E, R>,
    { span, startedAt: now }: OpenAttempt<E>,
    scope: Scope.CloseableScope
  ): Options<X, E, R> {
    const limit = Math.min(rung.attemptTimeout, deadline - now, this.deadline - now)
    const bound =
      limit === rung.attemptTimeout ? rung.attemptBound : limit === deadline - now ? "timeout" : "deadline"
    return {
      effect: rung.attempt,
      scope,
      keepScope: this.keepScope,
      around: this.around,
      clock: this.observer.clock,
      span,
      deadline: now + limit,
      limit,
      exceeded: () => new Deadline.DeadlineExceeded({ bound, limit: Duration.millis(limit) })
    }
  }
}

const noGroups: ReadonlyArray<GroupProgress> = []

const isOwn = <E>(cause: Cause.Cause<E | Deadline.DeadlineExceeded>): cause is Cause.Cause<E> => {
  const error = Cause.failureOption(cause)
  return error._tag === "None" || !(error.value instanceof Deadline.DeadlineExceeded)
}
