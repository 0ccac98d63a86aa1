import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/**
 * `Effect.flatMap` that takes no turn of the run loop where the value is at hand. It calls `f` on the spot then, so
 * whoever loops through it has to take a turn elsewhere.
 */
export const flatMapNow = <A, E, R, B, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  f: (value: A) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2, R | R2> =>
  Exit.isExit(effect) && Exit.isSuccess(effect) ? f(effect.value as A) : Effect.flatMap(effect, f)
