/**
 * Runs effects in virtual time, as fast as possible and reproducibly.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import { VirtualTime } from "../internal/testing/virtualTime.ts"

/**
 * How an effect ended, and when.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ended<out A, out E> {
  /** `undefined` if it would never end. */
  readonly exit: Exit.Exit<A, E> | undefined
  /** Milliseconds of virtual time. */
  readonly elapsed: number
}

/**
 * Runs an effect to its end, at once and in virtual time, with `Random` drawing from `seed` (by default 1).
 *
 * **Details**
 * - It must depend only on `Clock` and `Random`: an effect that waits for a socket or a promise never ends here.
 * - Unlike with `TestClock`, time advances by itself, and no real time passes: a hundred thousand runs take seconds.
 *
 * @example
 * import { Effect } from "effect"
 * import { Fallback, Tier } from "@understudy/core"
 * import { VirtualTime } from "@understudy/core/testing"
 *
 * const primary = Tier.make({ name: "primary", effect: Effect.never, attemptTimeout: "30 seconds" })
 * const standby = Tier.make({ name: "standby", effect: Effect.delay(Effect.succeed("answer"), "2 seconds") })
 * const { elapsed, exit } = VirtualTime.run(primary.pipe(Fallback.orElse(standby)))
 *
 * console.log(exit?._tag, elapsed) // => Success 32000
 *
 * @since 0.1.0
 * @category execution
 */
export const run = <A, E>(
  effect: Effect.Effect<A, E>,
  options?: { readonly seed?: number | undefined }
): Ended<A, E> => {
  const time = new VirtualTime(options?.seed ?? 1)
  const fiber = time.fork(effect, Context.empty())
  while (fiber.unsafePoll() === null && time.step());
  const exit = fiber.unsafePoll() ?? undefined
  const elapsed = time.now
  if (exit === undefined) {
    fiber.unsafeInterruptAsFork(FiberId.none)
    time.settle()
  }
  return { exit, elapsed }
}
