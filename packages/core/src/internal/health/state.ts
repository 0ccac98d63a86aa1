import * as Duration from "effect/Duration"
import type { Attempt, Event, Labels, RunEnded } from "../../Attempt.ts"
import type { Alert, Verdict } from "../../Health.ts"
import * as Histogram from "./histogram.ts"
import * as Rolling from "./rolling.ts"

export interface Config {
  readonly over: Duration.Duration
  readonly alerts: ReadonlyArray<Alert>
}

/** All counts, updated in place. Nothing is kept of a series beyond its window. */
export interface State {
  /** The latest time of an event. */
  now: number
  readonly tiers: Map<string, Tier>
  readonly runs: Map<string, Array<Rolling.Slice<RunTally>>>
  readonly watches: ReadonlyArray<Watch>
  /** Events that were not counted because they would have exceeded {@link maxSeries}. */
  uncounted: number
}

export interface Tier {
  readonly run: string
  readonly tier: string
  labels: Labels
  readonly window: Array<Rolling.Slice<TierTally>>
}

interface Tally {
  due: number
  served: number
}

export interface TierTally extends Tally {
  fallbacks: number
  readonly latencies: Histogram.Histogram
}

export interface RunTally extends Tally {
  /** Runs that had an answer, or the start of one. */
  answered: number
  fallbacks: number
}

/** An alert with its own window. */
interface Watch {
  readonly alert: Alert
  window: Array<Rolling.Slice<Tally>>
  firing: boolean
}

/** More series than any policy has tiers; a bound in case callers name their runs dynamically. */
const maxSeries = 1_000

export const initial = ({ alerts }: Config): State => ({
  now: 0,
  tiers: new Map(),
  runs: new Map(),
  watches: alerts.map((alert) => ({ alert, window: [], firing: false })),
  uncounted: 0
})

export const record = (config: Config, state: State, event: Event, now: () => number): void => {
  if (event._tag === "BreakerChanged" || event._tag === "TierEnded") return
  const before = sliceOf(config, state)
  state.now = Math.max(state.now, now())
  const index = sliceOf(config, state)
  if (index !== before) sweep(state, index)
  if (event._tag === "RunEnded") recordRun(state, index, event)
  const said = verdict(event)
  if (said === undefined) return
  const { labels, latency, served, tier } = said
  const tally = tierTally(state, index, event.run, tier, labels)
  if (tally !== undefined) {
    count(tally, served)
    if (latency !== undefined) Histogram.add(tally.latencies, Duration.toMillis(latency))
  }
  for (const watch of state.watches) {
    if (watches(watch.alert, event.run, tier)) countWatch(watch, state.now, served)
  }
}

/**
 * A single event suffices: an attempt that is retried is not yet the tier's result, and what follows it is another
 * attempt, a refusal, or a caller that left.
 */
export const verdict = (event: Event): Verdict | undefined => {
  switch (event._tag) {
    case "AttemptEnded":
      return verdictOf(event.attempt)
    case "TierRefused": {
      const { labels, tier } = event.refusal
      return { tier, labels, served: false, latency: undefined }
    }
    default:
      return undefined
  }
}

const verdictOf = ({
  duration,
  firstToken,
  labels,
  next,
  outcome,
  tier
}: Attempt<unknown>): Verdict | undefined => {
  switch (outcome) {
    case "success":
      return { tier, labels, served: true, latency: firstToken ?? duration }
    case "failure":
    case "timeout":
      return next === "retry" ? undefined : { tier, labels, served: false, latency: undefined }
    case "ignored":
    case "interrupted":
      return undefined
  }
}

const recordRun = (state: State, index: number, event: RunEnded): void => {
  const { fallback, labels, outcome, run, servedBy } = event
  const tally = runTally(state, index, run)
  if (tally !== undefined) {
    if (outcome === "success" || outcome === "failure") count(tally, outcome === "success")
    if (servedBy !== undefined) tally.answered++
    if (fallback) tally.fallbacks++
  }
  if (!fallback || servedBy === undefined) return
  const by = tierTally(state, index, run, servedBy, labels ?? {})
  if (by !== undefined) by.fallbacks++
}

const tierTally = (
  state: State,
  index: number,
  run: string,
  tier: string,
  labels: Labels
): TierTally | undefined => {
  const known = series(state, state.tiers, keyOf(run, tier, labels), () => ({
    run,
    tier,
    labels,
    window: []
  }))
  if (known === undefined) return undefined
  known.labels = labels
  return Rolling.at(known.window, index, noTier)
}

export const keyOf = (run: string, tier: string, { model }: Labels): string =>
  `${run.length} ${tier.length} ${run}${tier}${model === undefined ? "" : ` ${model}`}`

const runTally = (state: State, index: number, run: string): RunTally | undefined => {
  const known = series(state, state.runs, run, () => [])
  return known && Rolling.at(known, index, noRun)
}

/** The series of a name; `undefined` if it would be one too many. */
const series = <V>(state: State, all: Map<string, V>, key: string, begin: () => V): V | undefined => {
  const known = all.get(key)
  if (known !== undefined) return known
  if (all.size >= maxSeries) {
    state.uncounted++
    return undefined
  }
  const begun = begin()
  all.set(key, begun)
  return begun
}

const none = (): Tally => ({ due: 0, served: 0 })
const noTier = (): TierTally => ({ due: 0, served: 0, fallbacks: 0, latencies: new Map() })
const noRun = (): RunTally => ({ due: 0, served: 0, answered: 0, fallbacks: 0 })

const count = (tally: Tally, served: boolean): void => {
  tally.due++
  if (served) tally.served++
}

const sliceOf = ({ over }: Config, { now }: State): number => Rolling.sliceAt(now, Duration.toMillis(over))

/** At the start of a slice, drops the series that have become empty. */
const sweep = ({ runs, tiers }: State, index: number): void => {
  for (const [key, { window }] of tiers) if (Rolling.live(window, index).length === 0) tiers.delete(key)
  for (const [run, window] of runs) if (Rolling.live(window, index).length === 0) runs.delete(run)
}

const watches = (alert: Alert, run: string, tier: string): boolean =>
  alert.tier === tier && (alert.run === undefined || alert.run === run)

const countWatch = (watch: Watch, now: number, served: boolean): void => {
  const { firing, window } = watchAt(watch, now)
  watch.window = window
  watch.firing = firing
  const index = Rolling.sliceAt(now, Duration.toMillis(watch.alert.over))
  count(Rolling.at(watch.window, index, none), served)
  watch.firing = judge(watch, watch.window)
}

/**
 * The alert at a time. Each slice dropped in between is evaluated at its own time, so that the result does not depend
 * on how often it is read.
 */
export const watchAt = (watch: Watch, now: number): Watch => {
  const index = Rolling.sliceAt(now, Duration.toMillis(watch.alert.over))
  let current = watch
  for (let oldest = current.window[0]; oldest !== undefined; oldest = current.window[0]) {
    if (oldest.index > index - Rolling.slices) break
    const window = current.window.slice(1)
    current = { alert: current.alert, window, firing: judge(current, window) }
  }
  return current
}

export const judge = (
  { alert, firing }: Pick<Watch, "alert" | "firing">,
  window: Rolling.Rolling<Tally>
): boolean => {
  const { due, served } = total(window)
  if (due === 0) return false
  if (due < alert.atLeast) return firing
  return served / due < (firing ? (alert.successBelow + 1) / 2 : alert.successBelow)
}

export const total = (window: Rolling.Rolling<Tally>): Tally => {
  let due = 0
  let served = 0
  for (const { value } of window) {
    due += value.due
    served += value.served
  }
  return { due, served }
}

export const share = (part: number, whole: number): number | undefined =>
  whole === 0 ? undefined : part / whole
