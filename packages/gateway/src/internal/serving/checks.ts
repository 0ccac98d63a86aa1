import * as Health from "@understudy/core/Health"
import type { Route } from "@understudy/http/Route"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Config from "../../Config.ts"
import type * as Log from "../../Log.ts"
import { type Latencies, latencies, type Rates } from "./rates.ts"

/**
 * The last synthetic check of a tier, as logged, and the figures of all checks over `over_s`. A check that the tier's
 * breaker refused counts against it.
 *
 * @since 0.1.0
 * @category models
 */
export interface CheckStatus extends Pick<Rates, "due" | "served" | "success_rate">, Latencies {
  readonly timestamp: string
  readonly over_s: number
  readonly [field: string]: string | number | boolean | null | undefined
}

/** Long enough for a meaningful number of checks, and at least as long as for users' traffic. */
const looksBackOn = ({ every }: Config.Probe): Duration.Duration =>
  Duration.max(Duration.times(every, 20), Duration.minutes(5))

/** The results of checks are kept if the interval is unchanged. */
export const make = (
  probe: Config.Probe | undefined,
  before: { readonly probe: Config.Probe | undefined; readonly checks: Health.Health | undefined }
): Effect.Effect<Health.Health | undefined> => {
  if (probe === undefined) return Effect.succeed(undefined)
  const isSame = before.probe !== undefined && Duration.equals(before.probe.every, probe.every)
  return isSame ? Effect.succeed(before.checks) : Health.make({ over: looksBackOn(probe) })
}

/** The last check of each tier in the order of the file, if it was checked with its current settings. */
export const statusOf = (
  routes: ReadonlyArray<Route>,
  probes: ReadonlyArray<Log.Entry>,
  { over, tiers: known }: Health.Snapshot
): ReadonlyArray<CheckStatus> =>
  routes.flatMap(({ name, tiers }) =>
    tiers.flatMap(({ model, name: tier, provider }) => {
      const own = { route: name, tier, model, provider: provider.name }
      const [entry] = probes
        .filter((probe) => Object.entries(own).every(([field, value]) => probe[field] === value))
        .toSorted((a, b) => b.timestamp.localeCompare(a.timestamp))
      if (entry === undefined) return []
      const seen = known.find((known) => known.run === name && known.tier === tier)
      const { due = 0, served = 0, successRate = null } = seen ?? {}
      const over_s = Duration.toSeconds(over)
      return [{ ...entry, over_s, due, served, success_rate: successRate, ...latencies(seen?.latency) }]
    })
  )
