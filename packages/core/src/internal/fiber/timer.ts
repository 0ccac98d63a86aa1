import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"

/**
 * Runs a task once the clock has moved on by so much, unless cancelled before.
 *
 * A fiber that sleeps works with every clock, `TestClock` among them. Effect's own live clock can set a timer
 * without a fiber, which is several times cheaper, and nearly every timer of ours is cancelled.
 */
export const after = (clock: Clock.Clock, millis: number, task: () => void): (() => void) => {
  // Of a time that is past: zero.
  const duration = Duration.millis(millis)
  const scheduler = schedulerOf(clock)
  if (scheduler !== undefined) return scheduler.unsafeSchedule(task, duration)
  const fiber = Effect.runFork(Effect.map(clock.sleep(duration), task))
  return () => fiber.unsafeInterruptAsFork(FiberId.none)
}

const schedulers = new WeakMap<Clock.Clock, Clock.ClockScheduler>()

const schedulerOf = (clock: Clock.Clock): Clock.ClockScheduler | undefined => {
  const known = schedulers.get(clock)
  if (known !== undefined) return known
  if (!("scheduler" in clock) || typeof clock.scheduler !== "function") return undefined
  const scheduler = Effect.runSync(clock.scheduler() as Effect.Effect<Clock.ClockScheduler>)
  schedulers.set(clock, scheduler)
  return scheduler
}
