import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"

/**
 * Runs a task after a delay, unless cancelled before.
 *
 * A sleeping fiber works with every clock, including `TestClock`. Effect's live clock can set a timer without a fiber,
 * which is several times cheaper; that matters since nearly every timer of ours is cancelled.
 */
export const after = (clock: Clock.Clock, millis: number, task: () => void): (() => void) => {
  // Zero if the instant has passed.
  const duration = Duration.millis(millis)
  const scheduler = schedulerOf(clock)
  if (scheduler !== undefined) return scheduler.unsafeSchedule(task, duration)
  const fiber = Effect.runFork(Effect.map(clock.sleep(duration), task))
  return () => fiber.unsafeInterruptAsFork(FiberId.none)
}

/**
 * Sleeps until an instant, setting the timer again if it fires early: Node's timers do, by up to 1.4 ms.
 */
export const sleepUntil = (clock: Clock.Clock, instant: number, millis: number): Effect.Effect<void> =>
  Effect.flatMap(clock.sleep(Duration.millis(millis)), () => {
    const left = leftUntil(clock, instant)
    return left === 0 ? Effect.void : sleepUntil(clock, instant, left)
  })

/** The milliseconds for which a timer that fired early has to be set again; none if the instant has come. */
export const leftUntil = (clock: Clock.Clock, instant: number): number => {
  const left = instant - timeOf(clock)
  return isOver(left) ? 0 : Math.ceil(left)
}

/** Less than a nanosecond is a rounding error, and sleeping for it might take no time at all. */
export const isOver = (left: number): boolean => left < nanosecond

/** Milliseconds of the clock's monotonic time. */
export const timeOf = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

const nanosecond = 1e-6

const schedulers = new WeakMap<Clock.Clock, Clock.ClockScheduler>()

const schedulerOf = (clock: Clock.Clock): Clock.ClockScheduler | undefined => {
  const known = schedulers.get(clock)
  if (known !== undefined) return known
  if (!("scheduler" in clock) || typeof clock.scheduler !== "function") return undefined
  const scheduler = Effect.runSync(clock.scheduler() as Effect.Effect<Clock.ClockScheduler>)
  schedulers.set(clock, scheduler)
  return scheduler
}
