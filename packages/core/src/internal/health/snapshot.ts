import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import type {
  AlertStatus,
  Latency,
  ModelHealth,
  RunHealth,
  Snapshot,
  Stats,
  TierHealth
} from "../../Health.ts"
import * as Histogram from "./histogram.ts"
import * as Rolling from "./rolling.ts"
import {
  type Config,
  type RunTally,
  type State,
  share,
  type Tier,
  type TierTally,
  total,
  watchAt
} from "./state.ts"

export const snapshot = (config: Config, state: State, time: number): Snapshot => {
  const index = Rolling.sliceAt(Math.max(state.now, time), Duration.toMillis(config.over))
  const answered = new Map<string, number>()
  const runs: Array<RunHealth> = []
  for (const [run, window] of state.runs) {
    const live = Rolling.live(window, index)
    if (live.length === 0) continue
    answered.set(run, sumOf(live, "answered"))
    runs.push(runHealth(run, live))
  }
  const answeredOf = (tiers: ReadonlyArray<Tier>): number => {
    let sum = 0
    for (const run of new Set(tiers.map(({ run }) => run))) sum += answered.get(run) ?? 0
    return sum
  }

  const tiers = Arr.filterMap([...state.tiers.values()], (tier) => {
    const window = Rolling.live(tier.window, index)
    return window.length === 0 ? Option.none() : Option.some({ ...tier, window })
  })
  const byModel = new Map<string, Array<Tier>>()
  for (const tier of tiers) {
    const model = tier.labels["model"]
    if (model === undefined) continue
    byModel.set(model, [...(byModel.get(model) ?? []), tier])
  }
  return {
    over: config.over,
    runs: runs.toSorted(by(({ run }) => run)),
    tiers: tiers
      .map(
        (tier): TierHealth => ({
          run: tier.run,
          tier: tier.tier,
          labels: tier.labels,
          ...stats([tier], answeredOf([tier]))
        })
      )
      .toSorted(
        Order.combineAll([
          by(({ run }) => run),
          by(({ tier }) => tier),
          by(({ labels }) => labels["model"] ?? "")
        ])
      ),
    models: [...byModel]
      .map(([model, tiers]): ModelHealth => ({ model, ...stats(tiers, answeredOf(tiers)) }))
      .toSorted(by(({ model }) => model)),
    uncounted: state.uncounted
  }
}

export const alerts = (state: State, time: number): ReadonlyArray<AlertStatus> =>
  state.watches.map((watch) => {
    const { alert, firing, window } = watchAt(watch, Math.max(state.now, time))
    const { due, served } = total(window)
    return { alert, firing, due, served, successRate: share(served, due) }
  })

const by = <A>(name: (self: A) => string): Order.Order<A> => Order.mapInput(Order.string, name)

const runHealth = (run: string, window: Rolling.Rolling<RunTally>): RunHealth => {
  const { due, served } = total(window)
  const fallbacks = sumOf(window, "fallbacks")
  const fallbackRate = share(fallbacks, sumOf(window, "answered"))
  return { run, due, served, successRate: share(served, due), fallbacks, fallbackRate }
}

const stats = (tiers: ReadonlyArray<Tier>, answered: number): Stats => {
  const window = tiers.flatMap((tier) => tier.window)
  const { due, served } = total(window)
  const fallbacks = sumOf(window, "fallbacks")
  return {
    due,
    served,
    successRate: share(served, due),
    latency: latency(window),
    fallbacks,
    fallbackRate: share(fallbacks, answered)
  }
}

const latency = (window: Rolling.Rolling<TierTally>): Latency | undefined => {
  const found = Histogram.percentiles(
    window.map(({ value }) => value.latencies),
    [50, 95, 99]
  )
  if (found === undefined) return undefined
  const [p50, p95, p99] = found
  return { p50: Duration.millis(p50), p95: Duration.millis(p95), p99: Duration.millis(p99) }
}

const sumOf = <K extends string>(window: Rolling.Rolling<{ readonly [Key in K]: number }>, key: K): number =>
  window.reduce((sum, { value }) => sum + value[key], 0)
