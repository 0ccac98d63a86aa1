import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** Enough yields for synchronous finalizers to run, across a few fibers. */
const turns = 16

/**
 * Waits for an interrupted fiber only as long as its finalizers are synchronous. So bounds are hard, and whatever
 * releases its resources at once has done so before anything else starts.
 */
export const letGo = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> => {
  const wait = (left: number): Effect.Effect<void> =>
    left === 0 || fiber.unsafePoll() !== null
      ? Effect.void
      : Effect.flatMap(Effect.yieldNow(), () => wait(left - 1))
  return Effect.suspend(() => wait(turns))
}
