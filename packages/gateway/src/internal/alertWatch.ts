import type { AlertStatus } from "@understudy/core/Health"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/**
 * Tells of every alert that begins or ends to fire. It looks once a second, for an alert can end because nobody
 * calls: then there is no event to hear it from.
 */
export const watch = (
  alerts: Effect.Effect<ReadonlyArray<AlertStatus>>,
  tell: (status: AlertStatus) => void
): Effect.Effect<never> =>
  Effect.suspend(() => {
    let firing: ReadonlyArray<boolean> = []
    return Effect.repeat(
      Effect.map(alerts, (now) => {
        for (const [index, status] of now.entries()) {
          if (status.firing !== (firing[index] ?? false)) tell(status)
        }
        firing = now.map((status) => status.firing)
      }),
      Schedule.spaced("1 second")
    )
  }).pipe(Effect.zipRight(Effect.never))
