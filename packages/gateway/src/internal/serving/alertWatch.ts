import type { AlertStatus } from "@understudy/core/Health"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/**
 * Reports every alert that starts or stops firing. It polls once a second, since an alert can also end because there
 * are no calls, and then there is no event.
 */
export const watch = (
  alerts: Effect.Effect<ReadonlyArray<AlertStatus>>,
  tell: (status: AlertStatus) => void
): Effect.Effect<never> =>
  Effect.suspend(() => {
    // By name, since the next file may have other alerts.
    let firing: ReadonlyMap<string, AlertStatus> = new Map()
    return Effect.repeat(
      Effect.map(alerts, (now) => {
        const names = new Set(now.map(nameOf))
        for (const [name, status] of firing) if (!names.has(name)) tell({ ...status, firing: false })
        for (const status of now) if (status.firing !== firing.has(nameOf(status))) tell(status)
        firing = new Map(now.filter(({ firing }) => firing).map((status) => [nameOf(status), status]))
      }),
      Schedule.spaced("1 second")
    )
  }).pipe(Effect.zipRight(Effect.never))

const nameOf = ({ alert: { run, tier } }: AlertStatus): string => JSON.stringify([run, tier])
