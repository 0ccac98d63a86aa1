import * as Duration from "effect/Duration"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { Attempt, Event, Labels, RunEnded } from "../../Attempt.ts"
import type { Alert, Verdict } from "../../Health.ts"
import * as Histogram from "./histogram.ts"
import * as Rolling from "./rolling.ts"

export interface Config {
  readonly over: Duration.Duration
  readonly alerts: ReadonlyArray<Alert>
}

/** All that is known at a time. Of a series nothing is kept beyond its window. */
export interface State {
  /** The latest time of an event. */
  readonly now: number
  readonly tiers: HashMap.HashMap<string, Tier>
  readonly runs: HashMap.HashMap<string, Rolling.Rolling<RunTally>>
  readonly watches: ReadonlyArray<Watch>
  /** Events that were not counted, because they would have been one series too many. */
  readonly uncounted: number
}

export interface Tier {
  readonly run: string
  readonly tier: string
  readonly labels: Labels
  readonly window: Rolling.Rolling<TierTally>
}

interface Tally {
  readonly due: number
  readonly served: number
}

export interface TierTally extends Tally {
  readonly fallbacks: number
  readonly latencies: Histogram.Histogram
}

export interface RunTally extends Tally {
  /** Runs that had an answer, or the beginning of one. */
  readonly answered: number
  readonly fallbacks: number
}

/** An alert with its own window. */
export interface Watch {
  readonly alert: Alert
  readonly window: Rolling.Rolling<Tally>
  readonly firing: boolean
}

/** More series than a policy has tiers: a bound for callers that name their runs by what they ask. */
const maxSeries = 1_000

export const initial = ({ alerts }: Config): State => ({
  now: 0,
  tiers: HashMap.empty(),
  runs: HashMap.empty(),
  watches: alerts.map((alert) => ({ alert, window: [], firing: false })),
  uncounted: 0
})

export const record = (config: Config, before: State, event: Event, time: number): State => {
  if (event._tag === "BreakerChanged" || event._tag === "TierEnded") return before
  const now = Math.max(before.now, time)
  const state = sweep(config, before, now)
  if (event._tag === "RunEnded") return recordRun(config, state, event)
  const said = verdict(event)
  if (said === undefined) return state
  const { labels, latency, served, tier } = said
  const counted = countTier(config, state, event.run, tier, labels, (tally) => ({
    due: tally.due + 1,
    served: tally.served + (served ? 1 : 0),
    fallbacks: tally.fallbacks,
    latencies:
      latency === undefined ? tally.latencies : Histogram.add(tally.latencies, Duration.toMillis(latency))
  }))
  return state.watches.length === 0
    ? counted
    : changed(counted, {
        watches: state.watches.map((watch) =>
          watches(watch.alert, event.run, tier) ? countWatch(watch, now, served) : watch
        )
      })
}

/** What a spread would give; to override what was spread is many times slower, and this is done at every event. */
const changed = ({ now, runs, tiers, uncounted, watches }: State, to: Partial<State>): State => ({
  now: to.now ?? now,
  tiers: to.tiers ?? tiers,
  runs: to.runs ?? runs,
  watches: to.watches ?? watches,
  uncounted: to.uncounted ?? uncounted
})

/**
 * One event is enough to judge: an attempt that is tried again is not yet the tier's last word, and what follows
 * it is another attempt or a refusal, or a caller that left.
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

const recordRun = (config: Config, state: State, event: RunEnded): State => {
  const { fallback, labels, outcome, run, servedBy } = event
  const counts = outcome === "success" || outcome === "failure"
  const counted = countRun(config, state, run, (tally) => ({
    due: tally.due + (counts ? 1 : 0),
    served: tally.served + (outcome === "success" ? 1 : 0),
    answered: tally.answered + (servedBy === undefined ? 0 : 1),
    fallbacks: tally.fallbacks + (fallback ? 1 : 0)
  }))
  return fallback && servedBy !== undefined
    ? countTier(config, counted, run, servedBy, labels ?? {}, (tally) => ({
        due: tally.due,
        served: tally.served,
        fallbacks: tally.fallbacks + 1,
        latencies: tally.latencies
      }))
    : counted
}

const countTier = (
  config: Config,
  state: State,
  run: string,
  tier: string,
  labels: Labels,
  count: (tally: TierTally) => TierTally
): State => {
  const key = keyOf(run, tier, labels)
  const known = Option.getOrUndefined(HashMap.get(state.tiers, key))
  if (known === undefined && HashMap.size(state.tiers) >= maxSeries) return uncounted(state)
  const window = Rolling.put(known?.window ?? [], sliceOf(config, state), noTier, count)
  return changed(state, { tiers: HashMap.set(state.tiers, key, { run, tier, labels, window }) })
}

export const keyOf = (run: string, tier: string, { model }: Labels): string =>
  `${run.length} ${tier.length} ${run}${tier}${model === undefined ? "" : ` ${model}`}`

const countRun = (config: Config, state: State, run: string, count: (tally: RunTally) => RunTally): State => {
  const known = Option.getOrUndefined(HashMap.get(state.runs, run))
  if (known === undefined && HashMap.size(state.runs) >= maxSeries) return uncounted(state)
  const window = Rolling.put(known ?? [], sliceOf(config, state), noRun, count)
  return changed(state, { runs: HashMap.set(state.runs, run, window) })
}

const uncounted = (state: State): State => changed(state, { uncounted: state.uncounted + 1 })

const noTier: TierTally = { due: 0, served: 0, fallbacks: 0, latencies: Histogram.empty }
const noRun: RunTally = { due: 0, served: 0, answered: 0, fallbacks: 0 }

const sliceOf = ({ over }: Config, { now }: State): number => Rolling.sliceAt(now, Duration.toMillis(over))

/** Moves on to a time, and at the beginning of a slice forgets the series of which nothing is left. */
const sweep = (config: Config, before: State, now: number): State => {
  const state = changed(before, { now })
  const index = sliceOf(config, state)
  if (index === sliceOf(config, before)) return state
  return changed(state, {
    tiers: HashMap.filter(state.tiers, ({ window }) => Rolling.live(window, index).length > 0),
    runs: HashMap.filter(state.runs, (window) => Rolling.live(window, index).length > 0)
  })
}

const watches = (alert: Alert, run: string, tier: string): boolean =>
  alert.tier === tier && (alert.run === undefined || alert.run === run)

const countWatch = (before: Watch, now: number, served: boolean): Watch => {
  const watch = watchAt(before, now)
  const index = Rolling.sliceAt(now, Duration.toMillis(watch.alert.over))
  const window = Rolling.put(watch.window, index, { due: 0, served: 0 }, (tally) => ({
    due: tally.due + 1,
    served: tally.served + (served ? 1 : 0)
  }))
  return { alert: watch.alert, window, firing: judge(watch, window) }
}

/**
 * The alert as it is at a time. Each slice that left in between is judged at its own time, so that nothing depends
 * on how often anybody looks.
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
