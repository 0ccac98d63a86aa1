import type { Attempt, Event, Labels, RunEnded } from "@understudy/core/Attempt"
import type { State } from "@understudy/core/CircuitBreaker"
import * as Health from "@understudy/core/Health"
import * as Duration from "effect/Duration"
import type { Family } from "../Metrics.ts"
import { bounds, Counter, entry, Histogram, type Room } from "./series.ts"

/** More than any policy has series: a bound for callers that name their runs by what they ask. */
export const maxEntries = 10_000

const none = "none"

/** What is counted of one tier under one model. */
class Tier {
  readonly outcomes = new Map<string, Outcome>()
  readonly fallbacks = new Map<string, Counter>()
  readonly firstToken: Histogram
  readonly served: Counter
  readonly missed: Counter
  readonly input: Counter
  readonly output: Counter
  readonly labels: Labels

  constructor(labels: Labels) {
    this.labels = labels
    this.firstToken = new Histogram(labels)
    this.served = new Counter({ ...labels, served: "true" })
    this.missed = new Counter({ ...labels, served: "false" })
    this.input = new Counter({ ...labels, direction: "input" })
    this.output = new Counter({ ...labels, direction: "output" })
  }
}

class Outcome {
  readonly errors = new Map<string, Counter>()
  readonly duration: Histogram
  readonly labels: Labels

  constructor(labels: Labels) {
    this.labels = labels
    this.duration = new Histogram(labels)
  }
}

/** The requests that one tier, or none, served with one outcome. */
class Served {
  readonly byFallback = new Map<string, Counter>()
  readonly duration: Histogram
  readonly labels: Labels

  constructor(labels: Labels) {
    this.labels = labels
    this.duration = new Histogram(labels)
  }
}

/** What is counted under the name of a tier, by model or by outcome. */
class Named<V> {
  readonly entries = new Map<string, V>()
  readonly transitions = new Map<string, Counter>()
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

class Run {
  readonly served = new Map<string, Named<Served>>()
  readonly tiers = new Map<string, Named<Tier>>()
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** What has been heard of all runs. Once a series is there, nothing is made of an event to count it. */
export class Ledger {
  private readonly runs = new Map<string, Run>()
  private readonly room: Room = { left: maxEntries }
  private readonly now: () => number

  constructor(now: () => number) {
    this.now = now
  }

  record(event: Event): void {
    const run = this.run(event.run)
    const verdict = Health.verdict(event)
    if (verdict !== undefined) {
      const tier = this.tier(run, verdict.tier, verdict.labels)
      ;(verdict.served ? tier.served : tier.missed).value++
    }
    switch (event._tag) {
      case "AttemptEnded":
        this.attempt(run, event.attempt)
        break
      case "RunEnded":
        this.ended(run, event)
        break
      case "BreakerChanged": {
        const { from, reason, to } = event.transition
        const { name, transitions } = this.named(run.tiers, event.tier)
        const labels = { route: run.name, tier: name, from: words[from], to: words[to], reason }
        entry(transitions, `${from} ${to} ${reason}`, this.room, () => new Counter(labels)).value++
      }
    }
  }

  /** Begins the series that every run of a policy may come to at nothing, so that their first increase is seen. */
  declare(name: string, tiers: ReadonlyArray<{ readonly tier: string; readonly labels: Labels }>): void {
    const run = this.run(name)
    this.requests(run, none, "failure", false)
    for (const [index, { labels, tier }] of tiers.entries()) {
      this.requests(run, tier, "success", index > 0)
      this.attempts(this.tier(run, tier, labels), "success", none)
    }
  }

  private run(name: string): Run {
    return entry(this.runs, name, this.room, (name) => new Run(name))
  }

  private named<V>(map: Map<string, Named<V>>, name: string): Named<V> {
    return entry(map, name, this.room, (name) => new Named<V>(name))
  }

  private tier(run: Run, tier: string, labels: Labels): Tier {
    const { entries, name } = this.named(run.tiers, tier)
    return entry(
      entries,
      labels["model"] ?? none,
      this.room,
      (model) => new Tier({ route: run.name, tier: name, model })
    )
  }

  private outcome({ labels, outcomes }: Tier, outcome: string): Outcome {
    return entry(outcomes, outcome, this.room, (outcome) => new Outcome({ ...labels, outcome }))
  }

  private attempts(tier: Tier, outcome: string, error: string): Counter {
    const { errors, labels } = this.outcome(tier, outcome)
    return entry(errors, error, this.room, (error_type) => new Counter({ ...labels, error_type }))
  }

  private attempt(
    run: Run,
    { duration, errorType, firstToken, labels, outcome, span, tier, usage }: Attempt<unknown>
  ): void {
    const series = this.tier(run, tier, labels)
    this.attempts(series, outcome, errorType ?? none).value++
    this.outcome(series, outcome).duration.observe(Duration.toSeconds(duration), span, this.now)
    if (firstToken !== undefined) series.firstToken.observe(Duration.toSeconds(firstToken), span, this.now)
    if (usage === undefined) return
    series.input.value += usage["input_tokens"] ?? 0
    series.output.value += usage["output_tokens"] ?? 0
  }

  private served(run: Run, servedBy: string, outcome: string): Served {
    const { entries, name } = this.named(run.served, servedBy)
    return entry(
      entries,
      outcome,
      this.room,
      (outcome) => new Served({ route: run.name, served_by: name, outcome })
    )
  }

  private requests(run: Run, servedBy: string, outcome: string, fallback: boolean): Counter {
    const { byFallback, labels } = this.served(run, servedBy, outcome)
    return entry(byFallback, String(fallback), this.room, (fallback) => new Counter({ ...labels, fallback }))
  }

  private ended(
    run: Run,
    { duration, fallback, fallbackReason, labels, outcome, servedBy, span }: RunEnded
  ): void {
    const by = servedBy ?? none
    this.requests(run, by, outcome, fallback).value++
    this.served(run, by, outcome).duration.observe(Duration.toSeconds(duration), span, this.now)
    if (!fallback || servedBy === undefined) return
    const tier = this.tier(run, servedBy, labels ?? {})
    entry(
      tier.fallbacks,
      fallbackReason ?? none,
      this.room,
      (reason) => new Counter({ ...tier.labels, reason })
    ).value++
  }

  /** All there is, under names that begin with the prefix. */
  families(prefix: string): ReadonlyArray<Family> {
    const runs = [...this.runs.values()]
    const named = values(runs.map((run) => run.tiers))
    const tiers = values(named.map(({ entries }) => entries))
    const served = values(values(runs.map((run) => run.served)).map(({ entries }) => entries))
    const outcomes = tiers.flatMap((tier) => [...tier.outcomes.values()])
    const counter = (name: string, help: string, points: ReadonlyArray<Counter>): Family => ({
      type: "counter",
      name: `${prefix}_${name}`,
      help,
      points: points.map(({ labels, value }) => ({ labels, value }))
    })
    const seconds = (name: string, help: string, points: ReadonlyArray<Histogram>): Family => ({
      type: "histogram",
      name: `${prefix}_${name}_seconds`,
      help,
      bounds,
      points: points.map(({ counts, exemplars, labels, sum }) => ({
        labels,
        counts: [...counts],
        sum,
        exemplars: [...exemplars]
      }))
    })
    return [
      counter("requests", "Runs that have ended.", values(served.map(({ byFallback }) => byFallback))),
      seconds(
        "request_duration",
        "From the beginning of a run to its end.",
        served.map(({ duration }) => duration)
      ),
      counter("attempts", "Attempts that have ended.", values(outcomes.map(({ errors }) => errors))),
      seconds(
        "attempt_duration",
        "From the start of an attempt to its end.",
        outcomes.map(({ duration }) => duration)
      ),
      seconds(
        "time_to_first_token",
        "From the start of an attempt to the first content of its stream.",
        tiers.map(({ firstToken }) => firstToken)
      ),
      counter(
        "tier_runs",
        "Runs that a tier was due in, and whether it served them.",
        tiers.flatMap(({ missed, served }) => [served, missed])
      ),
      counter(
        "tokens",
        "Tokens that attempts used up, as far as upstreams have said.",
        tiers.flatMap(({ input, output }) => [input, output])
      ),
      counter(
        "fallbacks",
        "Runs served by another tier than their first.",
        values(tiers.map(({ fallbacks }) => fallbacks))
      ),
      counter(
        "breaker_transitions",
        "Changes of a circuit breaker's state.",
        values(named.map(({ transitions }) => transitions))
      )
    ]
  }
}

const values = <V>(maps: ReadonlyArray<ReadonlyMap<string, V>>): ReadonlyArray<V> =>
  maps.flatMap((map) => [...map.values()])

export const words: Readonly<Record<State["_tag"], string>> = {
  Closed: "closed",
  HalfOpen: "half-open",
  Open: "open",
  Isolated: "isolated"
}
