/**
 * The recent health of tiers and models: success rate, latency and fallback rate over a rolling window, and alerts on
 * them.
 *
 * It listens to the events of runs. Its memory does not grow with traffic: a window has twenty slices of time, of which
 * the oldest is dropped as a whole, and latencies are counted in bins, so that a quantile is within 1 % of the true
 * latency, from a millisecond to a day. Recording an event takes constant time.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Event, Labels } from "./Attempt.ts"
import * as Deadline from "./Deadline.ts"
import { timeOf } from "./internal/fiber/timer.ts"
import type { Part, Watched } from "./internal/health/part.ts"
import * as part from "./internal/health/part.ts"
import * as fold from "./internal/health/snapshot.ts"
import * as state from "./internal/health/state.ts"

export type { Part, Watched } from "./internal/health/part.ts"
export type { Slice } from "./internal/health/rolling.ts"

/**
 * Fires when a tier serves too small a share of the runs it is due in.
 *
 * **Details**
 * - It fires when the success rate over the window `over` is below `successBelow`, with at least `atLeast` runs in the
 *   window.
 * - It clears when the rate is clearly above, halfway from `successBelow` to 1, again with at least `atLeast` runs; or
 *   when the window is empty because there are no calls.
 *
 * @since 0.1.0
 * @category models
 */
export interface Alert {
  /** The name of the runs it watches. Default: every run that has such a tier. */
  readonly run?: string | undefined
  readonly tier: string
  readonly successBelow: number
  readonly over: Duration.Duration
  readonly atLeast: number
}

/**
 * The current state of an alert.
 *
 * @since 0.1.0
 * @category models
 */
export interface AlertStatus {
  readonly alert: Alert
  readonly firing: boolean
  /** The runs in its window. */
  readonly due: number
  readonly served: number
  readonly successRate: number | undefined
}

/**
 * Whether a tier served a run that it was due in.
 *
 * @since 0.1.0
 * @category models
 */
export interface Verdict {
  readonly tier: string
  readonly labels: Labels
  readonly served: boolean
  /** If it did, the time from the start of the attempt to its commit point. */
  readonly latency: Duration.Duration | undefined
}

/**
 * The figures of a tier or a model over a window. A rate is `undefined` if there were no runs to compute it from.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /**
   * The runs it was due in: it was asked, or its breaker refused. A run that ended in this tier by the caller's own
   * mistake, or because the caller left, does not count.
   */
  readonly due: number
  /** The runs it answered; a stream that broke off does not count. */
  readonly served: number
  readonly successRate: number | undefined
  /** From the start of the attempt that served to its commit point: the whole answer, or a stream's first content. */
  readonly latency: Latency | undefined
  /** The runs it answered in place of their first tier. */
  readonly fallbacks: number
  /** Their share of all answered runs of the same name or, for a model, of all run names that ask it. */
  readonly fallbackRate: number | undefined
}

/**
 * Latency percentiles: 50, 95 and 99.
 *
 * @since 0.1.0
 * @category models
 */
export interface Latency {
  readonly p50: Duration.Duration
  readonly p95: Duration.Duration
  readonly p99: Duration.Duration
}

/**
 * One tier of the runs of one name.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierHealth extends Stats {
  readonly run: string
  readonly tier: string
  readonly labels: Labels
}

/**
 * All tiers whose label `model` is the same.
 *
 * @since 0.1.0
 * @category models
 */
export interface ModelHealth extends Stats {
  readonly model: string
}

/**
 * All runs of one name. Rejected and cancelled runs are not due.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunHealth extends Omit<Stats, "latency"> {
  readonly run: string
}

/**
 * The figures of a window, by name. Whatever had no event in it is not listed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Snapshot {
  readonly over: Duration.Duration
  readonly runs: ReadonlyArray<RunHealth>
  readonly tiers: ReadonlyArray<TierHealth>
  readonly models: ReadonlyArray<ModelHealth>
  /** Events ignored since the start because the window already had 1000 tiers or run names. */
  readonly uncounted: number
}

/**
 * Listens to runs, and reports their recent health.
 *
 * @since 0.1.0
 * @category models
 */
export interface Health {
  /** To be provided as `Attempt.Listener`, or called from one. */
  readonly listener: (event: Event) => void
  readonly snapshot: Effect.Effect<Snapshot>
  /** In the order in which they were given. */
  readonly alerts: Effect.Effect<ReadonlyArray<AlertStatus>>
  /** What `snapshot` is computed from, for {@link together}. */
  readonly part: Effect.Effect<Part>
  /** What `alerts` are computed from, for {@link judge}. */
  readonly watched: Effect.Effect<ReadonlyArray<Watched>>
}

/**
 * Fills in the defaults of an alert: `successBelow: 0.95`, `over: 5 minutes`, `atLeast: 20`. Throws a `RangeError`
 * that names the option when one is out of range.
 *
 * @example
 * import { Health } from "@understudy/core"
 *
 * console.log(Health.alert({ tier: "primary", over: "1 minute" }).successBelow) // => 0.95
 *
 * @since 0.1.0
 * @category constructors
 */
export const alert = (options: {
  readonly run?: string | undefined
  readonly tier: string
  readonly successBelow?: number | undefined
  readonly over?: Duration.DurationInput | undefined
  readonly atLeast?: number | undefined
}): Alert => {
  const { atLeast = 20, over = "5 minutes", run, successBelow = 0.95, tier } = options
  if (!(successBelow >= 0 && successBelow <= 1)) {
    throw new RangeError(`Health.alert: successBelow must be between 0 and 1, got ${successBelow}`)
  }
  if (!(Number.isInteger(atLeast) && atLeast >= 1)) {
    throw new RangeError(`Health.alert: atLeast must be an integer of 1 or more, got ${atLeast}`)
  }
  return { run, tier, successBelow, over: window("Health.alert", over), atLeast }
}

/**
 * Makes an empty health. Its window is `over`, by default 5 minutes; every alert has its own.
 *
 * @example
 * import { Effect } from "effect"
 * import { Attempt, Fallback, Health, Tier } from "@understudy/core"
 *
 * const ask = Tier.make({ name: "primary", effect: Effect.fail("down") }).pipe(
 *   Fallback.orElse(Tier.make({ name: "standby", effect: Effect.succeed("answer") }))
 * )
 * const program = Effect.gen(function* () {
 *   const health = yield* Health.make({ alerts: [Health.alert({ tier: "primary", atLeast: 1 })] })
 *   yield* Effect.provideService(ask, Attempt.Listener, health.listener)
 *   const { tiers } = yield* health.snapshot
 *   const [alert] = yield* health.alerts
 *   return [tiers.map(({ tier, successRate }) => `${tier} ${successRate}`).sort(), alert?.firing]
 * })
 *
 * console.log(Effect.runSync(program)) // => [ [ 'primary 0', 'standby 1' ], true ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options?: {
  readonly over?: Duration.DurationInput | undefined
  readonly alerts?: ReadonlyArray<Alert> | undefined
}): Effect.Effect<Health> => {
  const config: state.Config = {
    over: window("Health", options?.over ?? "5 minutes"),
    alerts: options?.alerts ?? []
  }
  return Effect.map(Effect.clock, (clock): Health => {
    const known = state.initial(config)
    const now = () => timeOf(clock)
    return {
      listener: (event) => state.record(config, known, event, now),
      snapshot: Effect.map(Deadline.now, (now) => fold.snapshot(config, known, now)),
      alerts: Effect.map(Deadline.now, (now) => fold.alerts(known, now)),
      part: Effect.map(Deadline.now, (now) => part.of(config, known, now)),
      watched: Effect.sync(() => part.watched(known))
    }
  })
}

/**
 * Merges what several instances have seen. Their windows must be of equal length; that of an empty list is 5 minutes.
 *
 * @example
 * import { Effect } from "effect"
 * import { Attempt, Health, Tier } from "@understudy/core"
 *
 * const ask = Tier.make({ name: "primary", effect: Effect.succeed("answer") })
 * const program = Effect.gen(function* () {
 *   const [one, other] = [yield* Health.make(), yield* Health.make()]
 *   yield* Effect.provideService(ask, Attempt.Listener, one.listener)
 *   yield* Effect.provideService(ask, Attempt.Listener, other.listener)
 *   const { tiers } = yield* Health.together([yield* one.part, yield* other.part])
 *   return tiers.map(({ served, tier }) => `${tier} served ${served}`)
 * })
 *
 * console.log(Effect.runSync(program)) // => [ 'primary served 2' ]
 *
 * @since 0.1.0
 * @category reading
 */
export const together = (parts: ReadonlyArray<Part>): Effect.Effect<Snapshot> =>
  Effect.map(Deadline.now, (now) => {
    const config: state.Config = { over: Duration.millis(parts[0]?.overMillis ?? 300_000), alerts: [] }
    return fold.snapshot(config, part.together(config, parts), now)
  })

/**
 * The state of alerts over what several instances have seen. Since an alert has hysteresis, it depends on its previous
 * state, `before`.
 *
 * @example
 * import { Effect } from "effect"
 * import { Attempt, Health, Tier } from "@understudy/core"
 *
 * const alerts = [Health.alert({ tier: "primary", atLeast: 2 })]
 * const ask = Effect.ignore(Tier.make({ name: "primary", effect: Effect.fail("down") }))
 * const program = Effect.gen(function* () {
 *   const [one, other] = [yield* Health.make({ alerts }), yield* Health.make({ alerts })]
 *   yield* Effect.provideService(ask, Attempt.Listener, one.listener)
 *   yield* Effect.provideService(ask, Attempt.Listener, other.listener)
 *   const [alone] = yield* one.alerts
 *   const [both] = yield* Health.judge(alerts, [...(yield* one.watched), ...(yield* other.watched)], [])
 *   return [alone?.firing, both?.firing]
 * })
 *
 * console.log(Effect.runSync(program)) // => [ false, true ]
 *
 * @since 0.1.0
 * @category decisions
 */
export const judge = (
  alerts: ReadonlyArray<Alert>,
  seen: ReadonlyArray<Watched>,
  before: ReadonlyArray<AlertStatus>
): Effect.Effect<ReadonlyArray<AlertStatus>> =>
  Effect.map(Deadline.now, (now) =>
    alerts.map((alert) => {
      const fired = before.some((status) => status.alert === alert && status.firing)
      return part.status(alert, seen, fired, now)
    })
  )

/**
 * What an event says about a tier's success rate, for those who count themselves; `undefined` if nothing.
 *
 * @example
 * import { Duration } from "effect"
 * import { Health } from "@understudy/core"
 *
 * const refusal = { tier: "primary", labels: {}, retryAfter: Duration.seconds(20) }
 *
 * console.log(Health.verdict({ _tag: "TierRefused", run: "chat", refusal })?.served) // => false
 *
 * @since 0.1.0
 * @category decisions
 */
export const verdict: (event: Event) => Verdict | undefined = state.verdict

const window = (name: string, input: Duration.DurationInput): Duration.Duration => {
  const over = Duration.decode(input)
  if (!(Duration.isFinite(over) && Duration.toMillis(over) > 0)) {
    throw new RangeError(`${name}: over must be finite and longer than nothing, got ${Duration.format(over)}`)
  }
  return over
}
