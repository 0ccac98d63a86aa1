import type * as Health from "@understudy/core/Health"
import type * as Metrics from "@understudy/otel/Metrics"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Log from "../../Log.ts"
import type { HandedOver } from "../network/handedOver.ts"
import type { AlertStatus, BreakerStatus, PolicyStatus } from "./status.ts"

/** The counts of one process of a gateway, as plain data. */
export interface Counts {
  readonly families: ReadonlyArray<Metrics.Family>
  readonly watched: ReadonlyArray<Health.Watched>
}

/** What the status page needs from a process beside its counts, as plain data. */
export interface Account {
  readonly health: Health.Part
  readonly checks: Health.Part | undefined
  readonly tiers: ReadonlyArray<TierAccount>
  /** The last ones. */
  readonly attempts: ReadonlyArray<Log.Entry>
  readonly probes: ReadonlyArray<Log.Entry>
}

export interface TierAccount {
  readonly route: string
  readonly tier: string
  readonly breaker: BreakerStatus
  /** Its last attempts. */
  readonly recent: ReadonlyArray<Log.Entry>
}

/** The combined data of all processes of a gateway. */
export interface Known {
  readonly families: ReadonlyArray<Metrics.Family>
  readonly alerts: ReadonlyArray<AlertStatus>
  /** Empty if only counts were asked for. */
  readonly accounts: ReadonlyArray<Account>
  readonly policy: PolicyStatus
  readonly startedAt: string
}

/** Access to one process. */
export interface Self {
  readonly counts: Effect.Effect<Counts>
  readonly account: Effect.Effect<Account>
  /** What it would report if it were the only process. */
  readonly alone: Effect.Effect<Omit<Known, "families" | "accounts">>
}

/** Asks all processes; `full` includes their accounts. */
export type Ask = (full: boolean) => Effect.Effect<Known, Unanswered>

/** The connection of a process to the others of its gateway. */
export interface Among {
  readonly handedOver: HandedOver
  readonly peers: (self: Self) => Ask
}

/** The processes could not be asked. */
type Unanswered = "unanswered"

/** For a gateway of one process. */
export const alone =
  ({ account, alone, counts }: Self): Ask =>
  (full) =>
    Effect.map(
      Effect.all([alone, counts, full ? Effect.map(account, (account) => [account]) : Effect.succeed([])]),
      ([known, { families }, accounts]) => ({ ...known, families, accounts })
    )

export const alertStatus = ({
  alert,
  due,
  firing,
  served,
  successRate
}: Health.AlertStatus): AlertStatus => ({
  route: alert.run ?? "",
  tier: alert.tier,
  firing,
  due,
  served,
  success_rate: successRate ?? null,
  success_below: alert.successBelow,
  over_s: Duration.toSeconds(alert.over),
  at_least: alert.atLeast
})

/** Which alerts fire, for Prometheus. */
export const firing = (alerts: ReadonlyArray<AlertStatus>): Metrics.Family => ({
  type: "gauge",
  name: "understudy_alert_firing",
  help: "Whether the alert on a tier fires.",
  points: alerts.map(({ firing, route, tier }) => ({ labels: { route, tier }, value: firing ? 1 : 0 }))
})

/** The families for Prometheus, with the alerts over all processes. */
export const measured = ({ alerts, families }: Known): ReadonlyArray<Metrics.Family> => {
  const fires = firing(alerts)
  return families.map((family) => (family.name === fires.name ? fires : family))
}
