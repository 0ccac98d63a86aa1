/**
 * One accounting of what runs come to, for whoever reads it: a scrape of Prometheus or an export over OTLP.
 *
 * It hears the events of runs and counts them in place; everything else is done when somebody looks.
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
 * All that is measured under one name.
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
  /** A counter's without the `_total` that Prometheus puts behind it. */
  readonly name: string
  readonly help: string
  readonly unit?: "tokens" | undefined
  readonly points: ReadonlyArray<{ readonly labels: PointLabels; readonly value: number }>
}

/**
 * What tells one series of a metric from another.
 *
 * @since 0.1.0
 * @category models
 */
export interface PointLabels {
  readonly [name: string]: string | number
}

/**
 * How often values were seen, by their size.
 *
 * @since 0.1.0
 * @category models
 */
export interface Histograms {
  readonly type: "histogram"
  readonly name: string
  readonly help: string
  readonly unit: "seconds" | "tokens"
  /** The upper bounds of the buckets but the last, which has none. */
  readonly bounds: ReadonlyArray<number>
  readonly points: ReadonlyArray<HistogramPoint>
}

/**
 * How what was measured under these labels is spread.
 *
 * @since 0.1.0
 * @category models
 */
export interface HistogramPoint {
  readonly labels: PointLabels
  /** How many there are in each bucket, and not in those below it. */
  readonly counts: ReadonlyArray<number>
  readonly sum: number
  /** For each bucket the last one that was traced. */
  readonly exemplars: ReadonlyArray<Exemplar | undefined>
}

/**
 * One of what was counted, and the trace that tells of it.
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
 * Hears of runs, and says what they come to.
 *
 * @since 0.1.0
 * @category models
 */
export interface Metrics {
  /** To be provided as `Attempt.Listener`, or called from one. */
  readonly listener: (event: Event) => void
  /**
   * The same for synthetic checks. What it hears is counted under names of its own, `understudy_synthetic_…`, so that no
   * query mixes it with users' traffic; but for the changes of breakers, which are the same for both.
   */
  readonly synthetic: (event: Event) => void
  /** Begins the series of a policy at nothing, so that what is counted first is seen as an increase. */
  readonly declare: (run: string, tiers: ReadonlyArray<DeclaredTier>) => void
  /**
   * Adds what is read whenever somebody looks, until the scope closes. What it was then is read once more: by the last
   * export, which comes after everything else has ended.
   */
  readonly observe: (family: Effect.Effect<Family>) => Effect.Effect<void, never, Scope.Scope>
  /** All that is known now. */
  readonly read: Effect.Effect<ReadonlyArray<Family>>
  /**
   * The client metrics of OpenTelemetry's conventions for generative AI, of the tiers whose spans are named by them,
   * without synthetic checks. What a run makes of one tier is an operation, all its attempts together, as it is one span;
   * tokens that are counted as used are those of every attempt.
   */
  readonly readGenAi: (semconv: Semconv) => Effect.Effect<ReadonlyArray<Family>>
}

/**
 * A tier that is there before it is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeclaredTier {
  readonly tier: string
  readonly labels: Labels
}

/**
 * Makes an accounting of nothing yet.
 *
 * **Details**
 * - Counters: `understudy_requests`, `understudy_attempts`, `understudy_tier_runs`, `understudy_tokens`, `understudy_fallbacks`,
 *   `understudy_breaker_transitions`. Histograms: `understudy_request_duration_seconds`,
 *   `understudy_attempt_duration_seconds`, `understudy_time_to_first_token_seconds`.
 * - Whatever ended is in the durations: failures and cancellations too, told apart by `outcome`.
 * - However callers name their runs, there are at most 10,000 entries; what comes after is counted under `_OTHER`.
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
          // Whatever begins may take the place of what has ended.
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
 * The state that each breaker is in: `understudy_breaker_state`, 0 closed, 1 half-open, 2 open, 3 isolated. An open
 * one whose time is over stays open until somebody asks.
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
 * What several processes have measured, as if one had: counters and histograms are added up, of a gauge the largest
 * value counts, and of exemplars the last. Families and series come in the order in which they are first met.
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

/** What several have measured under one name as one family. */
const oneEach = (families: ReadonlyArray<Family>): ReadonlyArray<Family> =>
  Object.values(Arr.groupBy(families, ({ name }) => name)).map((same): Family => {
    const [first] = same
    return first.type === "histogram"
      ? { ...first, points: same.flatMap((each) => (each.type === "histogram" ? each.points : [])) }
      : { ...first, points: same.flatMap((each) => (each.type === "histogram" ? [] : each.points)) }
  })
