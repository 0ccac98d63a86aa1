import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import type { Transition } from "../../CircuitBreaker.ts"
import type { Next, Outcome } from "../../Outcome.ts"
import type { Climbing, Current } from "./current.ts"
import type { Ladder, Rung, Served } from "./ladder.ts"
import type { RunObserver } from "./observer.ts"
import { endOf, judge } from "./plan.ts"

/** The run that came to this. */
interface Climbed<X, E> {
  readonly ladder: Ladder<X, E, unknown>
  readonly observer: RunObserver<E>
  readonly fiber: RuntimeFiber<unknown, unknown>
  /** The way on from what was sent; `undefined` where there is none. */
  readonly wayOn: (
    transcript: Rung<X, E, unknown>["transcript"],
    sent: unknown
  ) => ((restore: Restore) => Climbing<X, E, unknown>) | undefined
}

/** Makes what is in it as interruptible as what is around the run. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** A run that has its answer, or the beginning of it. */
export class Committed<X, E> {
  readonly value: X
  private readonly run: Climbed<X, E>
  private readonly tier: Current<X, E, unknown>
  private ended = false

  constructor(value: X, run: Climbed<X, E>, tier: Current<X, E, unknown>) {
    this.value = value
    this.run = run
    this.tier = tier
  }

  served(): Served<X, E> {
    const { rung } = this.tier
    return {
      value: this.value,
      tier: rung.name,
      labels: rung.labels,
      fallback: rung !== this.run.ladder.rungs.at(0),
      attempts: this.run.observer.attempts
    }
  }

  /** What to keep of what is given, where a tier below could go on from there. */
  get transcript(): Rung<X, E, unknown>["transcript"] {
    const { transcript } = this.tier.rung
    return this.run.wayOn(transcript, transcript?.empty) && transcript
  }

  /**
   * After a stream has broken off: asks the tiers below that can go on from what was sent, and
   * gives the one that does to `onCommit`. Where none does, the failure is what it was.
   */
  goOn<F, B>(
    cause: Cause.Cause<F>,
    sent: unknown,
    onCommit: (committed: Committed<X, E>) => B
  ): Effect.Effect<B, F> {
    return Effect.uninterruptibleMask((restore) => {
      const { rung } = this.tier
      const exit = Exit.failCause(cause)
      const outcome = judge(rung, exit)
      const broken = outcome._tag === "Failure" && outcome.next !== "abort"
      const climb = broken ? this.run.wayOn(rung.transcript, sent) : undefined
      if (climb === undefined) return endOf(exit, outcome)
      // What the tiers need is in the context of the run.
      const climbing = climb(restore) as Climbing<X, E, never>
      return Effect.zipRight(
        this.end(exit, outcome, "nextTier"),
        Effect.matchCauseEffect(climbing, {
          onSuccess: (committed) => Effect.sync(() => onCommit(committed)),
          onFailure: () => exit
        })
      )
    })
  }

  /** Ends the run of a stream. */
  finish(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    if (this.ended) return Effect.sync(() => this.run.observer.close(exit))
    const outcome = judge(this.tier.rung, exit)
    const end = endOf(exit, outcome)
    return Effect.flatMap(this.end(end, outcome, undefined), () => {
      this.run.observer.close(end)
      return end === exit ? Effect.void : (end as Exit.Exit<never>)
    })
  }

  /** Ends the serving attempt, which closes its scope, and its spans. */
  private end(
    exit: Exit.Exit<unknown, unknown>,
    outcome: Outcome,
    next: Next | undefined
  ): Effect.Effect<void> {
    const { observer } = this.run
    const { attempt, fiber, rung } = this.tier
    this.ended = true
    return Effect.zipRight(
      fiber.stop(),
      Effect.map(this.retract(outcome), (transition) => {
        if (transition !== undefined) observer.breakerChanged(rung, [transition])
        observer.closeAttempt(attempt, exit, outcome, next)
        observer.closeTier(this.tier, exit)
      })
    )
  }

  /** The breaker has heard of a success, when the stream began. */
  private retract(outcome: Outcome): Effect.Effect<Transition | undefined> {
    const { reported, rung } = this.tier
    return rung.breaker === undefined || reported === undefined || outcome._tag !== "Failure"
      ? Effect.succeed(undefined)
      : rung.breaker.retractIn(this.run.fiber, reported, outcome, this.run.observer.listener)
  }
}

/** What comes of the answer of a tier, given what is {@link Committed}. */
export type Answer<X, E, A> = (...committed: ConstructorParameters<typeof Committed<X, E>>) => Exit.Exit<A>

/** That itself. */
export const committed = <X, E>(
  ...committed: ConstructorParameters<typeof Committed<X, E>>
): Exit.Exit<Committed<X, E>> => Exit.succeed(new Committed(...committed))
