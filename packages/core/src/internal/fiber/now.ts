import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/**
 * `Effect.flatMap` that takes no run-loop iteration if the value is available. It then calls `f` synchronously, so a
 * loop through it has to yield elsewhere.
 */
export const flatMapNow = <A, E, R, B, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  f: (value: A) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2, R | R2> =>
  Exit.isExit(effect) && Exit.isSuccess(effect) ? f(effect.value as A) : Effect.flatMap(effect, f)

/** `Effect.matchCauseEffect`, in the same way. */
export const matchNow = <A, E, R, B, E2, R2, C, E3, R3>(
  effect: Effect.Effect<A, E, R>,
  options: {
    readonly onFailure: (cause: Cause.Cause<E>) => Effect.Effect<B, E2, R2>
    readonly onSuccess: (value: A) => Effect.Effect<C, E3, R3>
  }
): Effect.Effect<B | C, E2 | E3, R | R2 | R3> =>
  Exit.isExit(effect) && Exit.isSuccess(effect)
    ? options.onSuccess(effect.value as A)
    : Effect.matchCauseEffect(effect, options)
