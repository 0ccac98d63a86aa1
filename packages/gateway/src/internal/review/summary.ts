import { spansOf, together } from "./breakerSpans.ts"
import { Counts, Latencies } from "./counts.ts"
import type { BreakerLine } from "./logLine.ts"
import type { RouteTally, Tally, TierTally } from "./tally.ts"
import type { Slice } from "./timeline.ts"

/** What `report --json` prints. Times are milliseconds, instants ISO 8601; a rate of nothing is `null`. */
export interface Review {
  readonly from: string | null
  readonly to: string | null
  readonly lines: {
    readonly ours: number
    /** Ours too, of checks that no user made: they count for nothing else. */
    readonly synthetic: number
    readonly foreign: number
    readonly broken: number
  }
  readonly routes: ReadonlyArray<RouteReview>
  readonly tiers: ReadonlyArray<TierReview>
  readonly models: ReadonlyArray<ModelReview>
  readonly errors: ReadonlyArray<{ readonly error_type: string; readonly count: number }>
  readonly breakers: ReadonlyArray<BreakerReview>
  readonly alerts: ReadonlyArray<AlertReview>
  /** Changes of breakers and alerts that were too many to keep. */
  readonly left_out: number
  readonly slice_ms: number
  readonly slices: ReadonlyArray<SliceReview>
}

interface Times {
  readonly p50_ms: number | null
  readonly p95_ms: number | null
  readonly p99_ms: number | null
}

interface Due {
  readonly due: number
  readonly served: number
  readonly success_rate: number | null
}

interface RouteReview extends Times {
  readonly route: string
  readonly runs: number
  readonly success: number
  readonly failure: number
  readonly rejected: number
  readonly cancelled: number
  readonly success_rate: number | null
  readonly fallbacks: number
  readonly fallback_rate: number | null
  readonly served_by: Readonly<Record<string, number>>
}

interface TierReview extends Times, Due {
  readonly route: string
  readonly tier: string
  readonly model: string
  readonly attempts: number
  readonly refused: number
  readonly errors: Readonly<Record<string, number>>
  readonly input_tokens: number
  readonly output_tokens: number
}

interface ModelReview extends Times, Due {
  readonly model: string
  readonly input_tokens: number
  readonly output_tokens: number
}

interface BreakerReview {
  readonly route: string
  readonly tier: string
  readonly opened: number
  readonly open_ms: number
  /** When it was not closed, as far as the log says. */
  readonly spans: ReadonlyArray<{ readonly from: string; readonly to: string }>
}

interface AlertReview {
  readonly at: string
  readonly route: string
  readonly tier: string
  readonly firing: boolean
}

export interface SliceReview {
  readonly at: string
  readonly routed: Readonly<Record<string, number>>
  readonly errors: Readonly<Record<string, number>>
  readonly tokens: Readonly<Record<string, number>>
  readonly models: Readonly<Record<string, Due & { readonly p95_ms: number | null }>>
  readonly routes: Readonly<
    Record<string, { readonly answered: number; readonly fallback_rate: number | null }>
  >
}

export const review = (tally: Tally): Review => {
  const { alerts, breakers, ends, lines, timeline } = tally
  const { length, slices } = timeline.read()
  const tiers = [...tally.tiers.values()].sort(
    by(
      ({ route }) => route,
      ({ tier }) => tier,
      ({ model }) => model
    )
  )
  const errors = new Counts()
  for (const tier of tiers) errors.merge(tier.errors)
  const end = slices.length === 0 ? null : timeline.span.to
  return {
    from: end === null ? null : iso(timeline.span.from),
    to: end === null ? null : iso(end),
    lines,
    routes: [...tally.routes].sort(by(([name]) => name)).map(routeReview),
    tiers: tiers.map(tierReview),
    models: models(tiers),
    errors: errors.entries().map(([error_type, count]) => ({ error_type, count })),
    breakers: end === null ? [] : breakerReviews(breakers, ends, end),
    alerts: [...alerts]
      .sort(by(({ at }) => at))
      .map(({ at, firing, route, tier }) => ({ at: iso(at), route, tier, firing })),
    left_out: tally.left,
    slice_ms: length,
    slices: slices.map(({ at, slice }) => sliceReview(at, slice))
  }
}

const iso = (at: number): string => new Date(at).toISOString()

/** Orders by the first of these that tells two apart. */
const by =
  <A>(...keys: ReadonlyArray<(a: A) => string | number>) =>
  (a: A, b: A): number => {
    for (const key of keys) {
      const [x, y] = [key(a), key(b)]
      if (x !== y) return x < y ? -1 : 1
    }
    return 0
  }

const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole)

const times = (latencies: Latencies): Times => ({
  p50_ms: latencies.percentile(50),
  p95_ms: latencies.percentile(95),
  p99_ms: latencies.percentile(99)
})

const routeReview = ([route, tally]: readonly [string, RouteTally]): RouteReview => {
  const { fallbacks, latencies, outcomes, servedBy } = tally
  const [success, failure] = [outcomes.of("success"), outcomes.of("failure")]
  return {
    route,
    runs: outcomes.total(),
    success,
    failure,
    rejected: outcomes.of("rejected"),
    cancelled: outcomes.of("cancelled"),
    success_rate: share(success, success + failure),
    fallbacks,
    fallback_rate: share(fallbacks, servedBy.total()),
    ...times(latencies),
    served_by: Object.fromEntries(servedBy.entries())
  }
}

const tierReview = (tally: TierTally): TierReview => {
  const { attempts, due, errors, input, latencies, model, refused, route, served, tier } = tally
  return {
    route,
    tier,
    model,
    attempts,
    refused,
    due,
    served,
    success_rate: share(served, due),
    ...times(latencies),
    errors: Object.fromEntries(errors.entries()),
    input_tokens: input,
    output_tokens: tally.output
  }
}

const models = (tiers: ReadonlyArray<TierTally>): ReadonlyArray<ModelReview> =>
  [...new Set(tiers.map(({ model }) => model))].sort().map((model) => {
    const own = tiers.filter((tier) => tier.model === model)
    const sum = (of: (tier: TierTally) => number) => own.reduce((sum, tier) => sum + of(tier), 0)
    const latencies = new Latencies()
    for (const tier of own) latencies.merge(tier.latencies)
    const [due, served] = [sum(({ due }) => due), sum(({ served }) => served)]
    return {
      model,
      due,
      served,
      success_rate: share(served, due),
      ...times(latencies),
      input_tokens: sum(({ input }) => input),
      output_tokens: sum(({ output }) => output)
    }
  })

const breakerReviews = (
  lines: ReadonlyArray<BreakerLine>,
  ends: Tally["ends"],
  end: number
): ReadonlyArray<BreakerReview> =>
  [...new Map(lines.map((line) => [JSON.stringify([line.route, line.tier]), line])).values()]
    .sort(
      by(
        ({ route }) => route,
        ({ tier }) => tier
      )
    )
    .map(({ route, tier }) => {
      const own = lines.filter((line) => line.route === route && line.tier === tier)
      const workers = [...new Set(own.map(({ worker }) => worker))]
      const spans = together(
        workers.flatMap((worker) =>
          spansOf(
            own.filter((line) => line.worker === worker),
            ends.filter((end) => end.worker === undefined || end.worker === worker),
            end
          )
        )
      )
      return {
        route,
        tier,
        opened: own.filter(({ to }) => to === "open").length,
        open_ms: spans.reduce((sum, { from, to }) => sum + to - from, 0),
        spans: spans.map(({ from, to }) => ({ from: iso(from), to: iso(to) }))
      }
    })

const sliceReview = (at: number, slice: Slice): SliceReview => ({
  at: iso(at),
  routed: sorted(slice.routed),
  errors: sorted(slice.errors),
  tokens: sorted(slice.tokens),
  models: Object.fromEntries(
    names(slice.due).map((model) => {
      const [due, served] = [slice.due.of(model), slice.served.of(model)]
      const p95_ms = slice.latencies.get(model)?.percentile(95) ?? null
      return [model, { due, served, success_rate: share(served, due), p95_ms }]
    })
  ),
  routes: Object.fromEntries(
    names(slice.answered).map((route) => {
      const answered = slice.answered.of(route)
      return [route, { answered, fallback_rate: share(slice.fallbacks.of(route), answered) }]
    })
  )
})

const names = (counts: Counts): ReadonlyArray<string> =>
  counts
    .entries()
    .map(([name]) => name)
    .sort()

const sorted = (counts: Counts): Readonly<Record<string, number>> =>
  Object.fromEntries(names(counts).map((name) => [name, counts.of(name)]))
