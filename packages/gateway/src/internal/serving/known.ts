import type * as Health from "@understudy/core/Health"
import type * as Metrics from "@understudy/otel/Metrics"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Log from "../../Log.ts"
import type { HandedOver } from "../network/handedOver.ts"
import type { AlertStatus, BreakerStatus, PolicyStatus } from "./status.ts"

/** What one process of a gateway has counted, as plain data. */
export interface Counts {
  readonly families: ReadonlyArray<Metrics.Family>
  readonly watched: ReadonlyArray<Health.Watched>
}

/** What it has to say beside that to who looks at the page, as plain data. */
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

/** What all processes of a gateway know together. */
export interface Known {
  readonly families: ReadonlyArray<Metrics.Family>
  readonly alerts: ReadonlyArray<AlertStatus>
  /** None where only what is counted was asked for. */
  readonly accounts: ReadonlyArray<Account>
  readonly policy: PolicyStatus
  readonly startedAt: string
}

/** How to ask one process. */
export interface Self {
  readonly counts: Effect.Effect<Counts>
  readonly account: Effect.Effect<Account>
  /** What it would say if it were alone. */
  readonly alone: Effect.Effect<Omit<Known, "families" | "accounts">>
}

/** How one process asks them all; `full` is with their accounts. */
export type Ask = (full: boolean) => Effect.Effect<Known, Unanswered>

/** What a process has from those that it makes a gateway with. */
export interface Among {
  readonly handedOver: HandedOver
  readonly peers: (self: Self) => Ask
}

/** They could not be asked. */
type Unanswered = "unanswered"

/** Who has no others. */
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

/** What Prometheus is told: of alerts what all know, and not the most that one does. */
export const measured = ({ alerts, families }: Known): ReadonlyArray<Metrics.Family> => {
  const fires = firing(alerts)
  return families.map((family) => (family.name === fires.name ? fires : family))
}
