/**
 * The metrics of runs, kept once for all readers: Prometheus' scrapes and exports over OTLP.
 *
 * It counts events of runs in place; everything else is computed when the metrics are read.
 *
 * @since 0.1.0
 */
import type { Event, Labels, SpanIds } from "@understudy/core/Attempt"
import type { CircuitBreaker, State } from "@understudy/core/CircuitBreaker"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Semconv } from "./GenAi.ts"
import { families } from "./internal/families.ts"
import { genAiFamilies } from "./internal/genAiFamilies.ts"
import { Ledger } from "./internal/ledger.ts"
import { point } from "./internal/series.ts"

/**
 * A metric family: everything measured under one name.
 *
 * @since 0.1.0
 * @category models
 */
export type Family = Numbers | Histograms

/**
 * A counter or a gauge: a value for each set of labels.
 *
 * @since 0.1.0
 * @category models
 */
export interface Numbers {
  readonly type: "counter" | "gauge"
  /** A counter's name lacks the `_total` that Prometheus appends. */
  readonly name: string
  readonly help: string
  readonly unit?: "tokens" | undefined
  readonly points: ReadonlyArray<{ readonly labels: PointLabels; readonly value: number }>
}

/**
 * The labels of a series.
 *
 * @since 0.1.0
 * @category models
 */
export interface PointLabels {
  readonly [name: string]: string | number
}

/**
 * Histograms: the distribution of values.
 *
 * @since 0.1.0
 * @category models
 */
export interface Histograms {
  readonly type: "histogram"
  readonly name: string
  readonly help: string
  readonly unit: "seconds" | "tokens"
  /** The upper bounds of all buckets but the last, which has none. */
  readonly bounds: ReadonlyArray<number>
  readonly points: ReadonlyArray<HistogramPoint>
}

/**
 * The distribution under one set of labels.
 *
 * @since 0.1.0
 * @category models
 */
export interface HistogramPoint {
  readonly labels: PointLabels
  /** The counts of the buckets, not cumulative. */
  readonly counts: ReadonlyArray<number>
  readonly sum: number
  /** For each bucket, the last value with a trace. */
  readonly exemplars: ReadonlyArray<Exemplar | undefined>
}

/**
 * A counted value, and its trace.
 *
 * @since 0.1.0
 * @category models
 */
export interface Exemplar {
  readonly span: SpanIds
  readonly value: number
  /** Milliseconds since 1970. */
  readonly at: number
}

/**
 * Counts runs, and reports the counts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Metrics {
  /** To be provided as `Attempt.Listener`, or called from one. */
  readonly listener: (event: Event) => void
  /**
   * The listener for synthetic checks. They are counted under separate names, `understudy_synthetic_…`, so that no
   * query mixes them with users' traffic; except for breaker transitions, which concern both.
   */
  readonly synthetic: (event: Event) => void
  /** Starts the series of a policy at zero, so that the first count shows as an increase. */
  readonly declare: (run: string, tiers: ReadonlyArray<DeclaredTier>) => void
  /**
   * Adds a family that is computed on every read, until the scope closes. Its last value is read once more by the final
   * export, which comes after everything else has ended.
   */
  readonly observe: (family: Effect.Effect<Family>) => Effect.Effect<void, never, Scope.Scope>
  /** The current values of all families. */
  readonly read: Effect.Effect<ReadonlyArray<Family>>
  /**
   * The client metrics of OpenTelemetry's conventions for generative AI, for tiers whose spans follow them, without
   * synthetic checks. As with spans, all attempts of a run at one tier are one operation; tokens are those of every
   * attempt.
   */
  readonly readGenAi: (semconv: Semconv) => Effect.Effect<ReadonlyArray<Family>>
}

/**
 * A tier that is declared before it is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeclaredTier {
  readonly tier: string
  readonly labels: Labels
}

/**
 * Makes empty metrics.
 *
 * **Details**
 * - Counters: `understudy_requests`, `understudy_attempts`, `understudy_tier_runs`, `understudy_tokens`,
 *   `understudy_fallbacks`, `understudy_breaker_transitions`. Histograms: `understudy_request_duration_seconds`,
 *   `understudy_attempt_duration_seconds`, `understudy_time_to_first_token_seconds`.
 * - Durations include failures and cancellations, distinguished by `outcome`.
 * - There are at most 10,000 entries, however callers name their runs; any more are counted under `_OTHER`.
 *
 * @example
 * import { Effect } from "effect"
 * import { Attempt, Fallback, Tier } from "@understudy/core"
 * import { Metrics } from "@understudy/otel"
 *
 * const ask = Fallback.named(Tier.make({ name: "primary", effect: Effect.succeed("answer") }), "chat")
 * const program = Effect.gen(function* () {
 *   const metrics = yield* Metrics.make
 *   yield* Effect.provideService(ask, Attempt.Listener, metrics.listener)
 *   const requests = (yield* metrics.read).find(({ name }) => name === "understudy_requests")
 *   return requests?.points.map(({ labels }) => `${labels["route"]} served by ${labels["served_by"]}`)
 * })
 *
 * console.log(Effect.runSync(program)) // => [ 'chat served by primary' ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Metrics> = Effect.map(Effect.clock, (clock): Metrics => {
  const now = () => clock.unsafeCurrentTimeMillis()
  const users = new Ledger(now)
  const synthetic = new Ledger(now)
  const observed = new Set<Effect.Effect<Family>>()
  let ended: ReadonlyArray<Family> = []
  return {
    listener: (event) => users.record(event),
    synthetic: (event) => (event._tag === "BreakerChanged" ? users : synthetic).record(event),
    declare: (run, tiers) => users.declare(run, tiers),
    observe: (family) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          // A new family may replace one that has ended.
          ended = []
          observed.add(family)
        }),
        () =>
          Effect.map(family, (last) => {
            observed.delete(family)
            ended = [...ended, last]
          })
      ),
    read: Effect.suspend(() => Effect.all([...observed])).pipe(
      Effect.map((more) => {
        const last = ended
        ended = []
        return oneEach([
          ...families(users, "understudy"),
          ...families(synthetic, "understudy_synthetic"),
          ...more,
          ...last
        ])
      })
    ),
    readGenAi: (semconv) => Effect.sync(() => genAiFamilies(users, semconv))
  }
})

/**
 * The state of each breaker: `understudy_breaker_state`, 0 closed, 1 half-open, 2 open, 3 isolated. An open one whose
 * time is over stays open until the next call.
 *
 * @example
 * import { Effect } from "effect"
 * import { CircuitBreaker } from "@understudy/core"
 * import { Metrics } from "@understudy/otel"
 *
 * const program = Effect.gen(function* () {
 *   const metrics = yield* Metrics.make
 *   const breaker = yield* CircuitBreaker.make({ key: "chat/primary" })
 *   yield* metrics.observe(Metrics.breakerStates([{ run: "chat", tier: "primary", breaker }]))
 *   yield* breaker.trip()
 *   return (yield* metrics.read).find(({ name }) => name === "understudy_breaker_state")?.points
 * })
 *
 * console.log(Effect.runSync(Effect.scoped(program))) // => [ { labels: { route: 'chat', tier: 'primary' }, value: 2 } ]
 *
 * @since 0.1.0
 * @category reading
 */
export const breakerStates = (
  breakers: ReadonlyArray<{
    readonly run: string
    readonly tier: string
    readonly breaker: Pick<CircuitBreaker, "state">
  }>
): Effect.Effect<Family> =>
  Effect.map(
    Effect.forEach(breakers, ({ breaker, run, tier }) =>
      Effect.map(breaker.state, ({ _tag }) => ({
        labels: { route: run, tier },
        value: states[_tag]
      }))
    ),
    (points): Family => ({
      type: "gauge",
      name: "understudy_breaker_state",
      help: "State of a circuit breaker: 0 closed, 1 half-open, 2 open, 3 isolated.",
      points
    })
  )

/**
 * Merges the metrics of several processes: counters and histograms are summed, gauges take the largest value, and
 * exemplars the last. Families and series keep the order of their first occurrence.
 *
 * @example
 * import { Metrics } from "@understudy/otel"
 *
 * const requests = (value: number): Metrics.Family => ({
 *   type: "counter",
 *   name: "understudy_requests",
 *   help: "Runs that have ended.",
 *   points: [{ labels: { route: "chat" }, value }]
 * })
 * const [merged] = Metrics.merge([[requests(2)], [requests(3)]])
 *
 * console.log(merged?.points) // => [ { labels: { route: 'chat' }, value: 5 } ]
 *
 * @since 0.1.0
 * @category reading
 */
export const merge = (several: ReadonlyArray<ReadonlyArray<Family>>): ReadonlyArray<Family> =>
  oneEach(several.flat()).map((family): Family => {
    if (family.type === "histogram") {
      return { ...family, points: byLabels(family.points).map((same) => point(same[0].labels, same)) }
    }
    const both = family.type === "counter" ? (a: number, b: number) => a + b : Math.max
    const points = byLabels(family.points).map((same) => ({
      labels: same[0].labels,
      value: same.map(({ value }) => value).reduce((a, b) => both(a, b))
    }))
    return { ...family, points }
  })

const byLabels = <P extends { readonly labels: PointLabels }>(
  points: ReadonlyArray<P>
): ReadonlyArray<Arr.NonEmptyReadonlyArray<P>> =>
  Object.values(Arr.groupBy(points, ({ labels }) => JSON.stringify(labels)))

const states: Readonly<Record<State["_tag"], number>> = { Closed: 0, HalfOpen: 1, Open: 2, Isolated: 3 }

/** Merges families of the same name. */
const oneEach = (families: ReadonlyArray<Family>): ReadonlyArray<Family> =>
  Object.values(Arr.groupBy(families, ({ name }) => name)).map((same): Family => {
    const [first] = same
    return first.type === "histogram"
      ? { ...first, points: same.flatMap((each) => (each.type === "histogram" ? each.points : [])) }
      : { ...first, points: same.flatMap((each) => (each.type === "histogram" ? [] : each.points)) }
  })
