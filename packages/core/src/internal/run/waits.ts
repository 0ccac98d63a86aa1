import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as Intervals from "effect/ScheduleIntervals"
import * as Backoff from "../../Backoff.ts"

/** The wait before a retry, and the state of the backoff after it. */
interface Wait {
  readonly duration: Duration.Duration
  /** The wait itself or, for a schedule, its state. */
  readonly state: unknown
}

/** The state of a backoff before the first retry. */
export const initial = (backoff: Backoff.Backoff): unknown => backoff.schedule?.initial ?? backoff.base

/** The wait before a retry (counted from 1) after a failure with `cause`; `undefined` if there is no retry. */
export const next = (
  backoff: Backoff.Backoff,
  retry: number,
  state: unknown,
  cause: Cause.Cause<unknown>
): Effect.Effect<Wait | undefined> => {
  const { schedule } = backoff
  if (schedule !== undefined) {
    return Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.map(schedule.step(now, Cause.squash(cause), state), ([state, , decision]) =>
        ScheduleDecision.isDone(decision)
          ? undefined
          : { duration: Duration.millis(Math.max(0, Intervals.start(decision.intervals) - now)), state }
      )
    )
  }
  if (retry > backoff.times) return none
  const previous = Duration.isDuration(state) ? state : backoff.base
  return Effect.map(Backoff.delay(backoff, retry, previous), (duration) => ({ duration, state: duration }))
}

const none: Effect.Effect<undefined> = Effect.succeed(undefined)
