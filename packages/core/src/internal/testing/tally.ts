import type * as Attempt from "../../Attempt.ts"
import type * as CircuitBreaker from "../../CircuitBreaker.ts"
import type * as Simulation from "../../testing/Simulation.ts"
import { stateNames } from "../breaker/state.ts"
import { Times } from "./quantiles.ts"

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

/** Counts requests one by one, without keeping any of them. */
class Requests {
  private requests = 0
  private readonly times = new Times()
  private readonly endings: Mutable<Simulation.Tally["endings"]> = {
    served: 0,
    failed: 0,
    left: 0,
    rejected: 0,
    unanswered: 0
  }
  readonly servedBy: Record<string, number> = {}

  add({ at, endedAt, ending, servedBy }: Simulation.Request): void {
    this.requests++
    this.endings[ending]++
    if (ending === "served") this.times.add(endedAt - at)
    if (servedBy !== undefined) this.servedBy[servedBy] = (this.servedBy[servedBy] ?? 0) + 1
  }

  read(): Simulation.Tally {
    return { requests: this.requests, endings: this.endings, latency: this.times.quantiles() }
  }
}

interface TierTally {
  attempts: number
  refusals: number
  readonly errors: Record<string, number>
}

/** The data of a report. */
export class Tally {
  private readonly all = new Requests()
  private readonly slices: ReadonlyArray<Requests>
  private readonly every: number
  private readonly tiers = new Map<string, TierTally>()
  private runs = 0
  private attempts = 0
  private most = 0
  private readonly breakers: Array<Simulation.BreakerSpan> = []
  private readonly changed = new Map<
    string,
    { readonly state: CircuitBreaker.State["_tag"]; readonly at: number }
  >()
  private readonly alerts: Array<Simulation.Span> = []
  private readonly fired = new Map<string, number>()

  constructor(length: number, every: number) {
    this.every = every
    this.slices = Array.from({ length: Math.ceil(length / every) }, () => new Requests())
  }

  request(request: Simulation.Request): void {
    this.all.add(request)
    this.slices[Math.floor(request.at / this.every)]?.add(request)
    this.runs += request.runs
    this.attempts += request.attempts
    this.most = Math.max(this.most, request.attempts)
  }

  event(event: Attempt.Event, now: number): void {
    switch (event._tag) {
      case "AttemptEnded": {
        const { errorType, outcome, tier: name } = event.attempt
        const tier = this.tier(name)
        tier.attempts++
        if (errorType !== undefined && outcome !== "interrupted") {
          tier.errors[errorType] = (tier.errors[errorType] ?? 0) + 1
        }
        return
      }
      case "TierRefused":
        this.tier(event.refusal.tier).refusals++
        return
      case "BreakerChanged":
        this.breaker(event.tier, event.transition.to, now)
        return
      case "TierEnded":
      case "RunEnded":
        return
    }
  }

  alert(tier: string, firing: boolean, now: number): void {
    const since = this.fired.get(tier)
    if (firing && since === undefined) this.fired.set(tier, now)
    if (!firing && since !== undefined) {
      this.fired.delete(tier)
      this.alerts.push({ tier, from: since, until: now })
    }
  }

  report(
    tiers: ReadonlyArray<{ readonly tier: string; readonly cost: number }>,
    seed: number,
    length: number,
    now: number
  ): Simulation.Report {
    for (const { tier } of tiers) {
      this.breaker(tier, "Closed", now)
      this.alert(tier, false, now)
    }
    const all = this.all.read()
    const { failed, served, unanswered } = all.endings
    const judged = served + failed + unanswered
    return {
      seed,
      for: length,
      ...all,
      availability: judged === 0 ? undefined : served / judged,
      runs: this.runs,
      attempts: {
        all: this.attempts,
        perRequest: all.requests === 0 ? 0 : rounded(this.attempts / all.requests),
        most: this.most
      },
      cost: rounded(tiers.reduce((sum, { cost }) => sum + cost, 0)),
      tiers: tiers.map(({ cost, tier }) => ({
        tier,
        served: this.all.servedBy[tier] ?? 0,
        ...this.tier(tier),
        cost: rounded(cost)
      })),
      breakers: this.breakers,
      alerts: this.alerts,
      every: this.every,
      timeline: this.slices.map((slice, index) => ({
        at: index * this.every,
        ...slice.read(),
        servedBy: slice.servedBy
      }))
    }
  }

  private tier(name: string): TierTally {
    const known = this.tiers.get(name)
    if (known !== undefined) return known
    const tally = { attempts: 0, errors: {}, refusals: 0 }
    this.tiers.set(name, tally)
    return tally
  }

  private breaker(tier: string, state: CircuitBreaker.State["_tag"], now: number): void {
    const before = this.changed.get(tier)
    if (before !== undefined && before.state !== "Closed" && before.at < now) {
      this.breakers.push({ tier, state: stateNames[before.state], from: before.at, until: now })
    }
    this.changed.set(tier, { state, at: now })
  }
}

/** Rounds away floating-point errors of sums. */
const rounded = (value: number): number => Math.round(value * 1e6) / 1e6
