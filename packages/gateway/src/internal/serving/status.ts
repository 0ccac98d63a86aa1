import type * as CircuitBreaker from "@understudy/core/CircuitBreaker"
import * as Deadline from "@understudy/core/Deadline"
import type * as Health from "@understudy/core/Health"
import type { Route, RouteBreaker, RouteTier } from "@understudy/http/Route"
import type * as Metrics from "@understudy/otel/Metrics"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Log from "../../Log.ts"
import { version } from "../version.ts"
import type * as Recent from "./recent.ts"

/**
 * The body of `GET /status`. Its names are those of the log. A rate is `null` where there is nothing to divide by,
 * and a time where there was no answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Status {
  readonly version: string
  readonly now: string
  readonly started_at: string
  /** No longer takes requests, and lets those under way end. */
  readonly draining: boolean
  readonly policy: PolicyStatus
  /** What all rates and latencies below look back on. */
  readonly over_s: number
  readonly routes: ReadonlyArray<RouteStatus>
  /** By name. */
  readonly models: ReadonlyArray<ModelStatus>
  readonly alerts: ReadonlyArray<AlertStatus>
  /** The last 40, the newest first, each as the log has it. */
  readonly attempts: ReadonlyArray<AttemptStatus>
  /** The last synthetic check of each tier, as the log has it. */
  readonly probes: ReadonlyArray<AttemptStatus>
}

/**
 * The file that is served.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyStatus {
  readonly loaded_at: string
  /** The last one that was to take its place and could not, with place and reason; `null` once one has. */
  readonly refused: { readonly at: string; readonly reason: string } | null
}

/**
 * As `Health.Stats` explains them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rates {
  readonly due: number
  readonly served: number
  readonly success_rate: number | null
  readonly fallbacks: number
  readonly fallback_rate: number | null
}

/**
 * A route, and its tiers in the order in which they are asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface RouteStatus extends Rates {
  readonly route: string
  /** In the order in which they are asked. */
  readonly tiers: ReadonlyArray<TierStatus>
}

interface Latencies {
  readonly p50_ms: number | null
  readonly p95_ms: number | null
  readonly p99_ms: number | null
}

/**
 * A tier, and how its breaker is.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierStatus extends Rates, Latencies {
  readonly tier: string
  readonly model: string
  readonly provider: string
  /** Its part of the runs that its route's tiers served. */
  readonly served_share: number | null
  readonly breaker: BreakerStatus
  /** Its last 40 attempts, the newest last. */
  readonly recent: ReadonlyArray<Pick<AttemptStatus, "outcome" | "latency_ms">>
}

/**
 * What a breaker does now.
 *
 * @since 0.1.0
 * @category models
 */
export interface BreakerStatus {
  readonly state: "closed" | "open" | "half-open" | "isolated"
  /** Of an open breaker, the time until the next call is let through as a probe. */
  readonly retry_in_ms: number | null
  /** The failures in a row that a closed breaker has counted. */
  readonly failures: number | null
  /** When and why it last changed. */
  readonly since: string | null
  readonly reason: CircuitBreaker.Transition["reason"] | null
}

/**
 * All tiers that ask this model.
 *
 * @since 0.1.0
 * @category models
 */
export interface ModelStatus extends Rates, Latencies {
  readonly model: string
  /** What its attempts used up since the start, as far as upstreams have said. */
  readonly input_tokens: number
  readonly output_tokens: number
}

/**
 * An alert of the file, and whether it fires.
 *
 * @since 0.1.0
 * @category models
 */
export interface AlertStatus {
  readonly route: string
  readonly tier: string
  readonly firing: boolean
  readonly due: number
  readonly served: number
  readonly success_rate: number | null
  readonly success_below: number
  readonly over_s: number
  readonly at_least: number
}

/**
 * An attempt, as the log has it.
 *
 * @since 0.1.0
 * @category models
 */
export type AttemptStatus = Log.Entry

/**
 * What is served now, and how it fares.
 *
 * @since 0.1.0
 * @category models
 */
export interface Served {
  readonly routes: ReadonlyArray<Route>
  readonly health: Health.Health
}

export interface Source extends Served {
  readonly draining: Effect.Effect<boolean>
  readonly policy: PolicyStatus
  readonly metrics: Metrics.Metrics
  readonly recent: Recent.Recent
  readonly probes: ReadonlyMap<string, Log.Entry>
  readonly startedAt: Date
}

export const statusOf = (source: Source): Effect.Effect<Status> =>
  Effect.gen(function* () {
    const { recent, routes, startedAt } = source
    const now = yield* Clock.currentTimeMillis
    const health = yield* source.health.snapshot
    const alerts = yield* source.health.alerts
    const measured = yield* source.metrics.read
    const models = [...new Set(routes.flatMap(({ tiers }) => tiers.map(({ model }) => model)))].sort()
    return {
      version,
      now: new Date(now).toISOString(),
      started_at: startedAt.toISOString(),
      draining: yield* source.draining,
      policy: source.policy,
      over_s: Duration.toSeconds(health.over),
      routes: yield* Effect.forEach(routes, (route) => routeStatus(route, health, recent)),
      models: models.map((model) => ({
        model,
        ...stats(health.models.find((known) => known.model === model)),
        input_tokens: tokens(measured, model, "input"),
        output_tokens: tokens(measured, model, "output")
      })),
      alerts: alerts.map(alertStatus),
      attempts: recent.attempts(),
      probes: [...source.probes.values()]
    }
  })

const tokens = (families: ReadonlyArray<Metrics.Family>, model: string, direction: string): number => {
  const family = families.find(({ name }) => name === "understudy_tokens")
  if (family === undefined || family.type === "histogram") return 0
  return family.points
    .filter(({ labels }) => labels["model"] === model && labels["direction"] === direction)
    .reduce((sum, { value }) => sum + value, 0)
}

const routeStatus = (
  route: Route,
  health: Health.Snapshot,
  recent: Recent.Recent
): Effect.Effect<RouteStatus> => {
  const { breakers, name, tiers } = route
  const known = health.tiers.filter(({ run }) => run === name)
  const served = known.reduce((sum, { served }) => sum + served, 0)
  const tierStatus = (tier: RouteTier, { breaker }: RouteBreaker): Effect.Effect<TierStatus> =>
    Effect.map(breakerStatus(breaker, recent.change(name, tier.name)), (breaker) => {
      const seen = stats(known.find((known) => known.tier === tier.name))
      return {
        tier: tier.name,
        model: tier.model,
        provider: tier.provider.name,
        breaker,
        ...seen,
        served_share: served === 0 ? null : seen.served / served,
        recent: recent.ofTier(name, tier.name).map(({ latency_ms, outcome }) => ({ outcome, latency_ms }))
      }
    })
  return Effect.map(
    Effect.forEach(tiers, (tier, index) => tierStatus(tier, breakers[index]!)),
    (tiers) => ({
      route: name,
      ...rates(health.runs.find(({ run }) => run === name)),
      tiers
    })
  )
}

const breakerStatus = (
  breaker: CircuitBreaker.CircuitBreaker,
  last: Recent.Change | undefined
): Effect.Effect<BreakerStatus> =>
  Effect.map(Effect.all([breaker.state, Deadline.now]), ([state, now]) => {
    const change = last?.epoch === state.epoch ? last : undefined
    return {
      state: words[state._tag],
      retry_in_ms: state._tag === "Open" ? Math.max(0, Math.round(state.until - now)) : null,
      failures: state._tag === "Closed" ? state.consecutive : null,
      since: change?.at.toISOString() ?? null,
      reason: change?.reason ?? null
    }
  })

const words = { Closed: "closed", Open: "open", HalfOpen: "half-open", Isolated: "isolated" } as const

const rates = (known: Omit<Health.Stats, "latency"> | undefined): Rates => ({
  due: known?.due ?? 0,
  served: known?.served ?? 0,
  success_rate: known?.successRate ?? null,
  fallbacks: known?.fallbacks ?? 0,
  fallback_rate: known?.fallbackRate ?? null
})

const stats = (known: Health.Stats | undefined): Rates & Latencies => ({
  ...rates(known),
  p50_ms: ms(known?.latency?.p50),
  p95_ms: ms(known?.latency?.p95),
  p99_ms: ms(known?.latency?.p99)
})

const ms = (duration: Duration.Duration | undefined): number | null =>
  duration === undefined ? null : Math.round(Duration.toMillis(duration) * 10) / 10

const alertStatus = ({ alert, due, firing, served, successRate }: Health.AlertStatus): AlertStatus => ({
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
