import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { Permit } from "../CircuitBreaker.ts"
import type { GroupProgress } from "./groups.ts"
import type { AllTiersFailed, Ladder, Rung, Served } from "./ladder.ts"
import type { OpenAttempt, RunObserver } from "./observer.ts"
import * as Waits from "./waits.ts"

/** A state of a run, which ends with what is committed. */
export type Climbing<X, E, R> = Effect.Effect<Committed<X, E>, E | AllTiersFailed<E>, Exclude<R, Scope.Scope>>

/** The tier being tried, one attempt after the other. */
export class Current<X, E, R> {
  readonly rung: Rung<X, E, R>
  readonly enteredAt: number
  readonly deadline: number
  readonly groups: ReadonlyArray<GroupProgress>
  /** What follows when it is given up, if not the tier below. */
  readonly otherwise: Climbing<X, E, R> | undefined
  span: Tracer.Span | undefined
  /** Of the attempt, from 1. */
  number = 1
  /** Where the backoff has come to, and the whole wait before the attempt. */
  backoff: unknown
  waited = 0
  permit: Permit | undefined
  attempt!: OpenAttempt<E>
  scope!: Scope.CloseableScope

  constructor(
    rung: Rung<X, E, R>,
    enteredAt: number,
    groups: ReadonlyArray<GroupProgress>,
    otherwise?: Climbing<X, E, R>
  ) {
    this.rung = rung
    this.enteredAt = enteredAt
    this.groups = groups
    this.deadline = groups.reduce((least, group) => Math.min(least, group.deadline), enteredAt + rung.timeout)
    this.backoff = Waits.initial(rung.backoff)
    this.otherwise = otherwise
  }
}

/** A run that has its answer, or the beginning of it. */
export class Committed<X, E> {
  readonly value: X
  private readonly ladder: Ladder<X, E, unknown>
  private readonly observer: RunObserver<E>
  private readonly tier: Current<X, E, unknown>

  constructor(
    value: X,
    ladder: Ladder<X, E, unknown>,
    observer: RunObserver<E>,
    tier: Current<X, E, unknown>
  ) {
    this.value = value
    this.ladder = ladder
    this.observer = observer
    this.tier = tier
  }

  served(): Served<X, E> {
    const { rung } = this.tier
    return {
      value: this.value,
      tier: rung.name,
      labels: rung.labels,
      fallback: rung !== this.ladder.rungs[0],
      attempts: this.observer.attempts
    }
  }

  /** With `keepScope`, ends the run: closes the serving attempt's scope, its spans and the run's. */
  finish(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    const { attempt, rung, scope, span } = this.tier
    return Effect.map(Scope.close(scope, exit), () => {
      this.observer.closeAttempt(attempt, exit, rung.judge(exit), undefined)
      this.observer.closeTier(span, exit)
      this.observer.close(exit)
    })
  }
}
