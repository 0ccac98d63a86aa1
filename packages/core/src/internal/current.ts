import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { Permit, Transition } from "../CircuitBreaker.ts"
import type { Outcome } from "../Outcome.ts"
import type { GroupProgress } from "./groups.ts"
import type { AllTiersFailed, Ladder, Rung, Served } from "./ladder.ts"
import type { OpenAttempt, RunObserver } from "./observer.ts"
import { heed } from "./plan.ts"
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
  /** Of the breaker's state that came of its success: in that it can be taken back. */
  epoch: number | undefined
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
  private readonly fiber: RuntimeFiber<unknown, unknown>

  constructor(
    value: X,
    ladder: Ladder<X, E, unknown>,
    observer: RunObserver<E>,
    tier: Current<X, E, unknown>,
    fiber: RuntimeFiber<unknown, unknown>
  ) {
    this.value = value
    this.ladder = ladder
    this.observer = observer
    this.tier = tier
    this.fiber = fiber
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
    const outcome = heed(rung, rung.judge(exit))
    return Effect.zipRight(
      Scope.close(scope, exit),
      Effect.map(this.retract(outcome), (transition) => {
        if (transition !== undefined) this.observer.breakerChanged(rung, [transition])
        this.observer.closeAttempt(attempt, exit, outcome, undefined)
        this.observer.closeTier(span, exit)
        this.observer.close(exit)
      })
    )
  }

  /** The breaker has heard of a success, when the stream began. */
  private retract(outcome: Outcome): Effect.Effect<Transition | undefined> {
    const { epoch, rung } = this.tier
    return rung.breaker === undefined || epoch === undefined || outcome._tag !== "Failure"
      ? Effect.succeed(undefined)
      : rung.breaker.retractIn(this.fiber, epoch, outcome)
  }
}
