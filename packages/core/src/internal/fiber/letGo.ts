import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** Turns enough for finalizers that need no time, through a few fibers, to run. */
const turns = 16

/**
 * Waits for an interrupted fiber no longer than it takes to do what needs no time: so a bound is a bound, and what
 * lets go at once has let go before anything else starts.
 */
export const letGo = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> => {
  const wait = (left: number): Effect.Effect<void> =>
    left === 0 || fiber.unsafePoll() !== null
      ? Effect.void
      : Effect.flatMap(Effect.yieldNow(), () => wait(left - 1))
  return Effect.suspend(() => wait(turns))
}
