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

/** The run that committed. */
interface Climbed<X, E> {
  readonly ladder: Ladder<X, E, unknown>
  readonly observer: RunObserver<E>
  readonly fiber: RuntimeFiber<unknown, unknown>
  /** Continues from what was sent; `undefined` if no tier can. */
  readonly continuation: (
    transcript: Rung<X, E, unknown>["transcript"],
    sent: unknown
  ) => ((restore: Restore) => Climbing<X, E, unknown>) | undefined
}

/** Restores the interruptibility of the run's surroundings. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** A run that has its answer, or the start of its stream. */
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

  /** The transcript to keep of the stream, if a tier below could continue it. */
  get transcript(): Rung<X, E, unknown>["transcript"] {
    const { transcript } = this.tier.rung
    return this.run.continuation(transcript, transcript?.empty) && transcript
  }

  /**
   * After a stream has broken off, asks the tiers below that can continue from what was sent, and passes the one that
   * does to `onCommit`. If none does, the original failure stands.
   */
  continueFrom<F, B>(
    cause: Cause.Cause<F>,
    sent: unknown,
    onCommit: (committed: Committed<X, E>) => B
  ): Effect.Effect<B, F> {
    return Effect.uninterruptibleMask((restore) => {
      const { rung } = this.tier
      const exit = Exit.failCause(cause)
      const outcome = judge(rung, exit)
      const broken = outcome._tag === "Failure" && outcome.next !== "abort"
      const climb = broken ? this.run.continuation(rung.transcript, sent) : undefined
      if (climb === undefined) return endOf(exit, outcome)
      // The services of the tiers are in the context of the run.
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
    return Effect.matchCauseEffect(this.end(end, outcome, undefined), {
      onFailure: (cause) => {
        this.run.observer.close(Exit.failCause(cause))
        return Effect.failCause(cause)
      },
      onSuccess: () => {
        this.run.observer.close(end)
        return end === exit ? Effect.void : (end as Exit.Exit<never>)
      }
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
    const retracted = Effect.map(this.retract(outcome), (transition) => {
      if (transition !== undefined) observer.breakerChanged(rung, [transition])
    })
    const closed = Effect.sync(() => {
      observer.closeAttempt(attempt, exit, outcome, next)
      observer.closeTier(this.tier, exit)
    })
    return Effect.zipRight(fiber.stop(), Effect.ensuring(retracted, closed))
  }

  /** Takes back the success that the breaker was told of when the stream began. */
  private retract(outcome: Outcome): Effect.Effect<Transition | undefined> {
    const { reported, rung } = this.tier
    return rung.breaker === undefined || reported === undefined || outcome._tag !== "Failure"
      ? Effect.succeed(undefined)
      : rung.breaker.retractIn(this.run.fiber, reported, outcome, this.run.observer.listener)
  }
}

/** Makes the run's result from the arguments of {@link Committed}. */
export type Answer<X, E, A> = (...committed: ConstructorParameters<typeof Committed<X, E>>) => Exit.Exit<A>

/** The result is the {@link Committed} itself. */
export const committed = <X, E>(
  ...committed: ConstructorParameters<typeof Committed<X, E>>
): Exit.Exit<Committed<X, E>> => Exit.succeed(new Committed(...committed))
