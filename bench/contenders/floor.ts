import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { ofEffect } from "../contender.ts"
import { attemptTimeout } from "../scenarios.ts"

/**
 * No policy at all, only what any needs whose bound is a bound: the call in a fiber and a scope of its own, so that
 * it can be left behind, a timer beside it, and nothing lost when the caller leaves.
 */
export default ofEffect((_, [upstream]) =>
  Effect.map(
    Effect.flatMap(Effect.clock, (clock) =>
      // The live clock has timers that need no fiber.
      "scheduler" in clock && typeof clock.scheduler === "function"
        ? (clock.scheduler() as Effect.Effect<Clock.ClockScheduler>)
        : Effect.dieMessage("not the live clock")
    ),
    (timers) => {
      const attempt = Effect.interruptible(upstream!.asEffect)
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Scope.make(), (scope) => {
          const closing = <A, E>(exit: Exit.Exit<A, E>) =>
            Effect.flatMap(Scope.close(scope, exit), () => exit)
          const inScope = Effect.matchCauseEffect(attempt, {
            onFailure: (cause) => closing(Exit.failCause(cause)),
            onSuccess: (value) => closing(Exit.succeed(value))
          })
          return Effect.flatMap(Effect.forkDaemon(inScope), (fiber) =>
            restore(
              Effect.async<number, Error>((resume) => {
                const cancel = timers.unsafeSchedule(
                  () => resume(Effect.interrupt),
                  Duration.millis(attemptTimeout)
                )
                fiber.addObserver((exit) => {
                  cancel()
                  resume(exit)
                })
              })
            ).pipe(Effect.onInterrupt(() => Fiber.interrupt(fiber)))
          )
        })
      )
    }
  )
)
