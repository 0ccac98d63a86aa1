import { Counts, Latencies } from "./counts.ts"
import {
  type AlertLine,
  type AttemptLine,
  type BreakerLine,
  type Line,
  type RefusedLine,
  type RunLine,
  read
} from "./logLine.ts"
import { Timeline } from "./timeline.ts"

/** What the lines of a log come to. It grows with the time they span and the names in them, not with their number. */
export class Tally {
  readonly lines = { ours: 0, synthetic: 0, foreign: 0, broken: 0 }
  readonly timeline = new Timeline()
  readonly routes = new Map<string, RouteTally>()
  readonly tiers = new Map<string, TierTally>()
  readonly breakers: Array<BreakerLine> = []
  readonly alerts: Array<AlertLine> = []
  /** When processes were last heard of that have ended: a worker, or all that there was. */
  readonly ends: Array<{ readonly at: number; readonly worker: number | undefined }> = []
  /** Changes of breakers and alerts beyond what is kept. */
  left = 0
  private latest = Number.POSITIVE_INFINITY
  /** By their request: what each of its tiers did last. */
  private readonly underway = new Map<string, Map<string, Last>>()

  add(text: string): void {
    const line = read(text)
    if (typeof line === "string") {
      this.lines[line]++
      return
    }
    this.lines.ours++
    this.count(line)
  }

  /** A line that was too long to be one. */
  skip(): void {
    this.lines.broken++
  }

  /** The runs whose end is not in the log count for their tiers all the same. */
  end(): void {
    for (const tiers of this.underway.values()) this.judge(tiers, undefined)
    this.underway.clear()
  }

  private count(line: Line): void {
    if (line.kind === "attempt") this.attempt(line)
    else if (line.kind === "refused") this.refusal(line)
    else if (line.kind === "run") this.run(line)
    else if (line.kind === "breaker") this.keep(this.breakers, line)
    else if (line.kind === "alert") this.keep(this.alerts, line)
    else if (line.kind === "synthetic") this.lines.synthetic++
    else if (line.kind === "start") this.ended(Math.min(this.latest, line.at), undefined)
    else if (line.kind === "end") this.ended(line.at, line.worker)
    if ("at" in line) this.latest = line.at
  }

  private ended(at: number, worker: number | undefined): void {
    if (this.ends.length < most) this.ends.push({ at, worker })
  }

  private keep<A extends BreakerLine | AlertLine>(list: Array<A>, line: A): void {
    if (list.length < most) list.push(line)
    else this.left++
    this.timeline.at(line.at)
  }

  private refusal(line: RefusedLine): void {
    const { at, model } = line
    const tier = this.tier(line)
    tier.refused++
    this.note(line, { at, model, tier, outcome: "refused" })
  }

  private attempt(line: AttemptLine): void {
    const { at, errorType, input, latency, model, outcome, output } = line
    const tier = this.tier(line)
    const slice = this.timeline.at(at)
    tier.attempts++
    tier.input += input
    tier.output += output
    if (input + output > 0) slice.tokens.add(model, input + output)
    if (outcome === "success") {
      tier.latencies.add(latency)
      slice.latency(model, latency)
    }
    if (outcome === "failure" || outcome === "timeout") {
      tier.errors.add(errorType)
      slice.errors.add(errorType)
    }
    this.note(line, { at, model, tier, outcome })
  }

  private run(line: RunLine): void {
    const { at, fallback, latency, outcome, request, route, servedBy } = line
    const known = this.route(route)
    const slice = this.timeline.at(at)
    known.outcomes.add(outcome)
    known.latencies.add(latency)
    slice.routed.add(servedBy === "none" ? `${route}: ${outcome}` : `${route} / ${servedBy}`)
    if (servedBy !== "none") {
      known.servedBy.add(servedBy)
      slice.answered.add(route)
      if (fallback) {
        known.fallbacks++
        slice.fallbacks.add(route)
      }
    }
    const tiers = this.underway.get(request)
    this.underway.delete(request)
    if (tiers === undefined) return
    // Runs whose attempts are not all in the log are skipped.
    let seen = 0
    for (const { attempts } of tiers.values()) seen += attempts
    if (seen >= line.attempts) this.judge(tiers, outcome)
  }

  private note(
    { request, tier }: { readonly request: string; readonly tier: string },
    last: Omit<Last, "attempts">
  ): void {
    const tiers = this.underway.get(request) ?? new Map<string, Last>()
    const attempts = (tiers.get(tier)?.attempts ?? 0) + (last.outcome === "refused" ? 0 : 1)
    // The last one asked is the last in order.
    tiers.delete(tier)
    tiers.set(tier, { ...last, attempts })
    this.underway.set(request, tiers)
    if (this.underway.size <= mostUnderway) return
    const [oldest] = this.underway
    this.underway.delete(oldest![0])
    this.judge(oldest![1], undefined)
  }

  /** As `Health` judges: what a tier did last in a run is what it did. */
  private judge(tiers: ReadonlyMap<string, Last>, outcome: string | undefined): void {
    let left = tiers.size
    for (const { at, model, outcome: last, tier } of tiers.values()) {
      left--
      const missed = last === "failure" || last === "timeout" || last === "refused"
      // A caller that left while it waited to be tried again is no miss.
      if (
        !(last === "success" || missed) ||
        (left === 0 && outcome === "cancelled" && last !== "refused" && missed)
      ) {
        continue
      }
      const slice = this.timeline.at(at)
      tier.due++
      slice.due.add(model)
      if (missed) continue
      tier.served++
      slice.served.add(model)
    }
  }

  private route(name: string): RouteTally {
    const known = this.routes.get(name) ?? new RouteTally()
    if (this.routes.size < most) this.routes.set(name, known)
    return known
  }

  private tier({
    model,
    route,
    tier
  }: {
    readonly route: string
    readonly tier: string
    readonly model: string
  }): TierTally {
    const key = JSON.stringify([route, tier, model])
    const known = this.tiers.get(key) ?? new TierTally(route, tier, model)
    if (this.tiers.size < most) this.tiers.set(key, known)
    return known
  }
}

/** The limit of routes, tiers, breaker transitions and processes. */
const most = 5_000
const mostUnderway = 50_000

interface Last {
  readonly at: number
  readonly model: string
  readonly tier: TierTally
  readonly outcome: string
  /** The attempts of this tier in this run, as far as logged. */
  readonly attempts: number
}

export class RouteTally {
  readonly outcomes = new Counts()
  readonly latencies = new Latencies()
  readonly servedBy = new Counts()
  fallbacks = 0
}

export class TierTally {
  readonly route: string
  readonly tier: string
  readonly model: string
  readonly errors = new Counts()
  readonly latencies = new Latencies()
  attempts = 0
  refused = 0
  due = 0
  served = 0
  input = 0
  output = 0

  constructor(route: string, tier: string, model: string) {
    this.route = route
    this.tier = tier
    this.model = model
  }
}
