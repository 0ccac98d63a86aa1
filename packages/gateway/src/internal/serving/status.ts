import * as CircuitBreaker from "@understudy/core/CircuitBreaker"
import * as Deadline from "@understudy/core/Deadline"
import * as Health from "@understudy/core/Health"
import type { Route } from "@understudy/http/Route"
import type * as Metrics from "@understudy/otel/Metrics"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Log from "../../Log.ts"
import { version } from "../version.ts"
import type { CheckStatus } from "./checks.ts"
import * as Checks from "./checks.ts"
import type { Account, Known, TierAccount } from "./known.ts"
import { type Latencies, type Rates, rates, stats } from "./rates.ts"
import { type Change, kept, type Recent } from "./recent.ts"

export type { CheckStatus } from "./checks.ts"
export type { Rates } from "./rates.ts"

/**
 * The body of `GET /status`. Its names are those of the log. A rate is `null` if there were no runs, and a time if
 * there was no answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Status {
  readonly version: string
  readonly now: string
  readonly started_at: string
  /** No longer accepts requests, and lets those in flight finish. */
  readonly draining: boolean
  readonly policy: PolicyStatus
  /** The window of all rates and latencies below. */
  readonly over_s: number
  readonly routes: ReadonlyArray<RouteStatus>
  /** By name. */
  readonly models: ReadonlyArray<ModelStatus>
  readonly alerts: ReadonlyArray<AlertStatus>
  /** The last 40, newest first, as logged. */
  readonly attempts: ReadonlyArray<AttemptStatus>
  /** One per tier that has been checked. */
  readonly probes: ReadonlyArray<CheckStatus>
}

/**
 * The current file.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyStatus {
  readonly loaded_at: string
  /** The last reload that was refused, with place and reason; `null` after a successful one. */
  readonly refused: { readonly at: string; readonly reason: string } | null
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

/**
 * A tier, and its breaker.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierStatus extends Rates, Latencies {
  readonly tier: string
  readonly model: string
  readonly provider: string
  /** Its share of the runs served by its route. */
  readonly served_share: number | null
  readonly breaker: BreakerStatus
  /** Its last 40 attempts, newest last. */
  readonly recent: ReadonlyArray<Pick<AttemptStatus, "outcome" | "latency_ms">>
}

/**
 * The current state of a breaker.
 *
 * @since 0.1.0
 * @category models
 */
export interface BreakerStatus {
  readonly state: "closed" | "open" | "half-open" | "isolated"
  /** For an open breaker, the time until the next call is admitted as a probe. */
  readonly retry_in_ms: number | null
  /** For a closed breaker, the consecutive failures so far. */
  readonly failures: number | null
  /** When and why it last changed. */
  readonly since: string | null
  readonly reason: CircuitBreaker.Transition["reason"] | null
}

/**
 * All tiers with this model.
 *
 * @since 0.1.0
 * @category models
 */
export interface ModelStatus extends Rates, Latencies {
  readonly model: string
  /** The usage of its attempts since the start, as far as upstreams reported it. */
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
 * The current configuration, and its health.
 *
 * @since 0.1.0
 * @category models
 */
export interface Served {
  readonly routes: ReadonlyArray<Route>
  readonly health: Health.Health
  /** The results of synthetic checks; undefined if there are none. */
  readonly checks: Health.Health | undefined
}

/** The data of one process. */
interface Source extends Served {
  readonly recent: Recent
  readonly probes: ReadonlyMap<string, Log.Entry>
}

/** This process's account, for a status over all processes. */
export const accountOf = ({ checks, health, probes, recent, routes }: Source): Effect.Effect<Account> =>
  Effect.gen(function* () {
    const tiers = yield* Effect.forEach(
      routes.flatMap((route) => route.breakers.map((breaker) => ({ route: route.name, ...breaker }))),
      ({ breaker, route, tier }) =>
        Effect.map(breakerStatus(breaker, recent.change(route, tier)), (breaker) => ({
          route,
          tier,
          breaker,
          recent: recent.ofTier(route, tier)
        }))
    )
    return {
      health: yield* health.part,
      checks: checks && (yield* checks.part),
      tiers,
      attempts: recent.attempts(),
      probes: [...probes.values()]
    }
  })

/** The status of these routes, from the combined data of all processes. */
export const statusOf = (
  routes: ReadonlyArray<Route>,
  draining: boolean,
  known: Known
): Effect.Effect<Status> =>
  Effect.gen(function* () {
    const { accounts, families } = known
    const health = yield* Health.together(accounts.map(({ health }) => health))
    const models = [...new Set(routes.flatMap(({ tiers }) => tiers.map(({ model }) => model)))].sort()
    const tiers = accounts.flatMap(({ tiers }) => tiers)
    const checks = accounts.flatMap(({ checks }) => (checks === undefined ? [] : [checks]))
    const probes = accounts.flatMap(({ probes }) => probes)
    return {
      version,
      now: new Date(yield* Clock.currentTimeMillis).toISOString(),
      started_at: known.startedAt,
      draining,
      policy: known.policy,
      over_s: Duration.toSeconds(health.over),
      routes: routes.map((route) => routeStatus(route, health, tiers)),
      models: models.map((model) => ({
        model,
        ...stats(health.models.find((known) => known.model === model)),
        input_tokens: tokens(families, model, "input"),
        output_tokens: tokens(families, model, "output")
      })),
      alerts: known.alerts,
      attempts: inOrder(accounts.map(({ attempts }) => attempts.toReversed())).reverse(),
      probes: checks.length === 0 ? [] : Checks.statusOf(routes, probes, yield* Health.together(checks))
    }
  })

/** Merges several lists, each with the newest last, and keeps the last ones. */
const inOrder = (lists: ReadonlyArray<ReadonlyArray<Log.Entry>>): Array<Log.Entry> =>
  lists
    .flat()
    .sort((a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp))
    .slice(-kept)

const tokens = (families: ReadonlyArray<Metrics.Family>, model: string, direction: string): number => {
  const family = families.find(({ name }) => name === "understudy_tokens")
  if (family === undefined || family.type === "histogram") return 0
  return family.points
    .filter(({ labels }) => labels["model"] === model && labels["direction"] === direction)
    .reduce((sum, { value }) => sum + value, 0)
}

const routeStatus = (
  { name, tiers }: Route,
  health: Health.Snapshot,
  accounts: ReadonlyArray<TierAccount>
): RouteStatus => {
  const known = health.tiers.filter(({ run }) => run === name)
  const served = known.reduce((sum, { served }) => sum + served, 0)
  return {
    route: name,
    ...rates(health.runs.find(({ run }) => run === name)),
    tiers: tiers.map((tier): TierStatus => {
      const seen = stats(known.find((known) => known.tier === tier.name))
      const own = accounts.filter((account) => account.route === name && account.tier === tier.name)
      return {
        tier: tier.name,
        model: tier.model,
        provider: tier.provider.name,
        breaker: worst(own.map(({ breaker }) => breaker)),
        ...seen,
        served_share: served === 0 ? null : seen.served / served,
        recent: inOrder(own.map(({ recent }) => recent)).map(({ latency_ms, outcome }) => ({
          outcome,
          latency_ms
        }))
      }
    })
  }
}

/** The most restrictive state; among equals, the one that admits the next call first or has the most failures. */
const worst = (breakers: ReadonlyArray<BreakerStatus>): BreakerStatus =>
  breakers.reduce((worst, breaker) => (worseThan(breaker, worst) ? breaker : worst), breakers[0] ?? unknown)

const worseThan = (a: BreakerStatus, b: BreakerStatus): boolean =>
  a.state === b.state
    ? (a.retry_in_ms ?? 0) < (b.retry_in_ms ?? 0) || (a.failures ?? 0) > (b.failures ?? 0)
    : states.indexOf(a.state) > states.indexOf(b.state)

const states: ReadonlyArray<BreakerStatus["state"]> = ["closed", "half-open", "open", "isolated"]

/** Right after a reload, before any process has reported the new tiers. */
const unknown: BreakerStatus = { state: "closed", retry_in_ms: null, failures: 0, since: null, reason: null }

const breakerStatus = (
  breaker: CircuitBreaker.CircuitBreaker,
  last: Change | undefined
): Effect.Effect<BreakerStatus> =>
  Effect.map(Effect.all([breaker.state, Deadline.now]), ([state, now]) => {
    const change = last?.epoch === state.epoch ? last : undefined
    return {
      state: CircuitBreaker.stateNames[state._tag],
      retry_in_ms: state._tag === "Open" ? Math.max(0, Math.round(state.until - now)) : null,
      failures: state._tag === "Closed" ? state.consecutive : null,
      since: change?.at.toISOString() ?? null,
      reason: change?.reason ?? null
    }
  })
