import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { Permit } from "../../CircuitBreaker.ts"
import type { Reported } from "../breaker/state.ts"
import type { AttemptFiber } from "./attempt.ts"
import type { Committed } from "./committed.ts"
import type { GroupProgress } from "./groups.ts"
import type { AllTiersFailed, Rung } from "./ladder.ts"
import type { OpenAttempt } from "./record.ts"
import * as Waits from "./waits.ts"

/** A state of a run, which ends with its answer. */
export type Climb<A, E, R> = Effect.Effect<A, E | AllTiersFailed<E>, Exclude<R, Scope.Scope>>

/** A state that ends with a {@link Committed}. */
export type Climbing<X, E, R> = Climb<Committed<X, E>, E, R>

/** The tier being tried, one attempt after the other. */
export class Current<X, E, R, A = unknown> {
  readonly rung: Rung<X, E, R>
  readonly enteredAt: number
  readonly deadline: number
  readonly groups: ReadonlyArray<GroupProgress>
  /** What follows if it is given up, in place of the tier below. */
  readonly otherwise: Climb<A, E, R> | undefined
  span: Tracer.Span | undefined
  /** The number of the attempt, from 1. */
  number = 1
  /** The state of the backoff, and the total wait before the attempt. */
  backoff: unknown
  waited = 0
  permit: Permit | undefined
  /** Identifies its reported success, so that it can be taken back. */
  reported: Reported | undefined
  attempt!: OpenAttempt<E>
  fiber!: Pick<AttemptFiber<X, E, R>, "stop">

  constructor(
    rung: Rung<X, E, R>,
    enteredAt: number,
    groups: ReadonlyArray<GroupProgress>,
    otherwise?: Climb<A, E, R>
  ) {
    this.rung = rung
    this.enteredAt = enteredAt
    this.groups = groups
    let deadline = enteredAt + rung.timeout
    for (const group of groups) deadline = Math.min(deadline, group.deadline)
    this.deadline = deadline
    this.backoff = Waits.initial(rung.backoff)
    this.otherwise = otherwise
  }
}
