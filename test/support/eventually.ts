import { Effect, Schedule } from "effect"

/** Waits for something that other fibers and sockets bring about; asks often, and gives up only where it hangs. */
export const eventually = (condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (condition() ? Effect.void : Effect.fail("not yet"))).pipe(
    Effect.retry(Schedule.spaced("2 millis")),
    Effect.timeoutFail({
      duration: "10 seconds",
      onTimeout: () => new Error(`it never came to this: ${condition}`)
    }),
    Effect.orDie
  )
