import type { Attempt, Event, Labels, RunEnded, TierEnded } from "@understudy/core/Attempt"
import { stateNames } from "@understudy/core/CircuitBreaker"
import * as Health from "@understudy/core/Health"
import * as Duration from "effect/Duration"
import { Counter, entry, Histogram, type Room, seconds, tokens } from "./series.ts"

/** More series than any policy has; a bound in case callers name their runs dynamically. */
const maxEntries = 10_000

/** The value of a label that does not apply. */
export const none = "none"

/** The counts of one tier under one model. */
export class Tier {
  readonly labels: Labels
  /** The attributes of its spans. */
  attributes: Readonly<Record<string, unknown>> = {}
  /** The durations of attempts, by outcome and error. */
  readonly attempts = new Map<string, Map<string, Histogram>>()
  readonly firstToken = new Histogram(seconds)
  readonly pace = new Histogram(seconds)
  /** The usage of its attempts, by unit. */
  readonly used = new Map<string, { value: number }>()
  /** The durations of operations, including all attempts and waits, by final error. */
  readonly operations = new Map<string, Histogram>()
  /** The tokens per operation. */
  readonly input = new Histogram(tokens)
  readonly output = new Histogram(tokens)
  readonly fallbacks = new Map<string, { value: number }>()
  served = 0
  missed = 0

  constructor(labels: Labels) {
    this.labels = labels
  }
}

/** The durations of requests served by one tier, or none, with one outcome, by whether they were a fallback. */
type Requests = Map<string, Histogram>

/** The counts under the name of a tier, by model or by outcome. */
class Named<V> {
  readonly entries = new Map<string, V>()
  readonly transitions = new Map<string, Counter>()
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

class Run {
  readonly served = new Map<string, Named<Requests>>()
  readonly tiers = new Map<string, Named<Tier>>()
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** The counts of all runs. Once a series exists, counting an event allocates nothing. */
export class Ledger {
  readonly runs = new Map<string, Run>()
  private readonly room: Room = { left: maxEntries }
  private readonly now: () => number

  constructor(now: () => number) {
    this.now = now
  }

  /** The tiers of all runs, once per model. */
  get tiers(): ReadonlyArray<Tier> {
    return [...this.runs.values()].flatMap(({ tiers }) =>
      [...tiers.values()].flatMap(({ entries }) => [...entries.values()])
    )
  }

  record(event: Event): void {
    const run = this.run(event.run)
    const verdict = Health.verdict(event)
    if (verdict !== undefined)
      this.tier(run, verdict.tier, verdict.labels)[verdict.served ? "served" : "missed"]++
    switch (event._tag) {
      case "AttemptEnded":
        this.attempt(run, event.attempt)
        break
      case "TierEnded":
        this.operation(run, event)
        break
      case "RunEnded":
        this.ended(run, event)
        break
      case "BreakerChanged": {
        const { from, reason, to } = event.transition
        const { name, transitions } = this.named(run.tiers, event.tier)
        const labels = { route: run.name, tier: name, from: stateNames[from], to: stateNames[to], reason }
        entry(transitions, `${from} ${to} ${reason}`, this.room, () => new Counter(labels)).value++
      }
    }
  }

  /** Starts all possible series of a policy at zero, so that their first increase is visible. */
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

  private attempts(tier: Tier, outcome: string, error: string): Histogram {
    const errors = entry(tier.attempts, outcome, this.room, () => new Map<string, Histogram>())
    return entry(errors, error, this.room, () => new Histogram(seconds))
  }

  private attempt(run: Run, attempt: Attempt<unknown>): void {
    const { duration, errorType, firstToken, labels, outcome, pace, span, usage } = attempt
    const tier = this.tier(run, attempt.tier, labels)
    tier.attributes = attempt.attributes
    this.attempts(tier, outcome, errorType ?? none).observe(Duration.toSeconds(duration), span, this.now)
    if (firstToken !== undefined) tier.firstToken.observe(Duration.toSeconds(firstToken), span, this.now)
    if (pace !== undefined) tier.pace.add(pace.counts, pace.seconds)
    for (const unit in usage) {
      entry(tier.used, unit, this.room, () => ({ value: 0 })).value += usage[unit] ?? 0
    }
  }

  private operation(run: Run, { duration, last, span }: TierEnded): void {
    const { errorType, labels, usage } = last
    const tier = this.tier(run, last.tier, labels)
    const lasted = entry(tier.operations, errorType ?? none, this.room, () => new Histogram(seconds))
    lasted.observe(Duration.toSeconds(duration), span, this.now)
    tier.input.observe(usage?.["input_tokens"] ?? 0, span, this.now)
    tier.output.observe(usage?.["output_tokens"] ?? 0, span, this.now)
  }

  private requests(run: Run, servedBy: string, outcome: string, fallback: boolean): Histogram {
    const requests = entry(
      this.named(run.served, servedBy).entries,
      outcome,
      this.room,
      (): Requests => new Map()
    )
    return entry(requests, String(fallback), this.room, () => new Histogram(seconds))
  }

  private ended(run: Run, end: RunEnded): void {
    const { duration, fallback, fallbackReason, labels, outcome, servedBy, span } = end
    this.requests(run, servedBy ?? none, outcome, fallback).observe(
      Duration.toSeconds(duration),
      span,
      this.now
    )
    if (!fallback || servedBy === undefined) return
    const { fallbacks } = this.tier(run, servedBy, labels ?? {})
    entry(fallbacks, fallbackReason ?? none, this.room, () => ({ value: 0 })).value++
  }
}
