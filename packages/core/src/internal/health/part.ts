import * as Duration from "effect/Duration"
import type { Labels } from "../../Attempt.ts"
import type { Alert, AlertStatus } from "../../Health.ts"
import * as Histogram from "./histogram.ts"
import * as Rolling from "./rolling.ts"
import {
  type Config,
  initial,
  judge,
  keyOf,
  type RunTally,
  type State,
  share,
  type TierTally,
  total
} from "./state.ts"

/**
 * What one of several processes has seen over the window, as plain data to send to another.
 *
 * @since 0.1.0
 * @category models
 */
export interface Part {
  readonly overMillis: number
  readonly runs: ReadonlyArray<{
    readonly run: string
    readonly window: ReadonlyArray<
      Rolling.Slice<{
        readonly due: number
        readonly served: number
        readonly answered: number
        readonly fallbacks: number
      }>
    >
  }>
  readonly tiers: ReadonlyArray<{
    readonly run: string
    readonly tier: string
    readonly labels: Labels
    readonly window: ReadonlyArray<
      Rolling.Slice<{
        readonly due: number
        readonly served: number
        readonly fallbacks: number
        /** The count of each bin. */
        readonly latencies: ReadonlyArray<readonly [bin: number, count: number]>
      }>
    >
  }>
  readonly uncounted: number
}

/**
 * What one of several processes has seen of the runs that an alert watches, as plain data.
 *
 * @since 0.1.0
 * @category models
 */
export interface Watched {
  readonly run: string | undefined
  readonly tier: string
  readonly overMillis: number
  readonly window: ReadonlyArray<Rolling.Slice<{ readonly due: number; readonly served: number }>>
}

/** The current data, without what is older than the window. */
export const of = (config: Config, state: State, time: number): Part => {
  const overMillis = Duration.toMillis(config.over)
  const index = Rolling.sliceAt(Math.max(state.now, time), overMillis)
  return {
    overMillis,
    runs: [...state.runs].map(([run, window]) => ({
      run,
      window: asItIs(Rolling.live(window, index))
    })),
    tiers: [...state.tiers.values()].map(({ labels, run, tier, window }) => ({
      run,
      tier,
      labels,
      window: Rolling.live(window, index).map(({ index, value }) => ({
        index,
        value: { ...value, latencies: [...value.latencies] }
      }))
    })),
    uncounted: state.uncounted
  }
}

/** The sum of several parts. */
export const together = (config: Config, parts: ReadonlyArray<Part>): State => {
  const state = initial(config)
  for (const part of parts) {
    for (const { run, window } of part.runs) {
      state.runs.set(run, Rolling.merge(state.runs.get(run) ?? [], window, addRuns))
    }
    for (const { labels, run, tier, window } of part.tiers) {
      const key = keyOf(run, tier, labels)
      const known = state.tiers.get(key)?.window ?? []
      const tallies = window.map(({ index, value }) => ({
        index,
        value: { ...value, latencies: new Map(value.latencies) }
      }))
      state.tiers.set(key, { run, tier, labels, window: Rolling.merge(known, tallies, addTiers) })
    }
    state.uncounted += part.uncounted
  }
  return state
}

export const watched = ({ watches }: State): ReadonlyArray<Watched> =>
  watches.map(({ alert: { over, run, tier }, window }) => ({
    run,
    tier,
    overMillis: Duration.toMillis(over),
    window: asItIs(window)
  }))

/** The status of an alert over the sum of several processes, given its previous status. */
export const status = (
  alert: Alert,
  seen: ReadonlyArray<Watched>,
  firing: boolean,
  time: number
): AlertStatus => {
  const overMillis = Duration.toMillis(alert.over)
  const index = Rolling.sliceAt(time, overMillis)
  const window = seen
    .filter((one) => one.run === alert.run && one.tier === alert.tier && one.overMillis === overMillis)
    .flatMap(({ window }) => Rolling.live(window, index))
  const { due, served } = total(window)
  return {
    alert,
    firing: judge({ alert, firing }, window),
    due,
    served,
    successRate: share(served, due)
  }
}

/** A copy, since the kept slices are counted in place. */
const asItIs = <A extends object>(window: Rolling.Rolling<A>): Rolling.Rolling<A> =>
  window.map(({ index, value }) => ({ index, value: { ...value } }))

const addRuns = (a: RunTally, b: RunTally): RunTally => ({
  due: a.due + b.due,
  served: a.served + b.served,
  answered: a.answered + b.answered,
  fallbacks: a.fallbacks + b.fallbacks
})

const addTiers = (a: TierTally, b: TierTally): TierTally => ({
  due: a.due + b.due,
  served: a.served + b.served,
  fallbacks: a.fallbacks + b.fallbacks,
  latencies: Histogram.merge([a.latencies, b.latencies])
})
