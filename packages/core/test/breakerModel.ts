import { Duration } from "effect"
import type { CircuitBreaker, Outcome } from "../src/index.ts"

type Call = { readonly at: number; readonly failed: boolean; readonly took: number }
type Probe = { readonly at: number; fate: "out" | "good" | "bad" | "ignored" }
type Ticket = { readonly epoch: number; readonly probe: Probe | undefined; readonly at: number }

/**
 * The breaker once more, written from its rules alone and as naively as can be: it keeps every call and
 * every probe of its present state, and counts them anew whenever it is asked.
 */
export class BreakerModel {
  tag: CircuitBreaker.State["_tag"] = "Closed"
  epoch = 0
  late = 0
  until = 0
  openings = 0
  handles = 0
  calls: Array<Call> = []
  probes: Array<Probe> = []
  readonly told: Array<string> = []
  private closedAt = 0
  private drawn = 0
  private readonly config: CircuitBreaker.Config

  constructor(config: CircuitBreaker.Config) {
    this.config = config
  }

  admit(now: number): Ticket | "observed" | undefined {
    const { failuresToOpen, observeOnly, probes, successesToClose } = this.config
    if (this.tag === "Closed") return { epoch: this.epoch, probe: undefined, at: now }
    if (this.tag === "Isolated") return undefined
    this.expire(now)
    if (this.tag === "Open" && now >= this.until) this.turn("HalfOpen", "elapsed")
    const useful = this.probes.filter(({ fate }) => fate !== "ignored").length
    if (
      this.tag === "HalfOpen" &&
      this.count("out") < probes &&
      useful < successesToClose + failuresToOpen - 1
    ) {
      const probe: Probe = { at: now, fate: "out" }
      this.probes.push(probe)
      return { epoch: this.epoch, probe, at: now }
    }
    return observeOnly ? "observed" : undefined
  }

  report(ticket: Ticket | "observed", outcome: Outcome.Outcome, now: number, random: number): void {
    if (ticket === "observed") return
    if (ticket.epoch === this.epoch) this.expire(now)
    const { at, epoch, probe } = ticket
    if (epoch !== this.epoch || (probe !== undefined && probe.fate !== "out")) {
      this.late++
      return
    }
    const failed = outcome._tag === "Failure"
    const pushback = failed && outcome.trip
    const hint = failed ? outcome.retryAfter : undefined
    if (probe === undefined) {
      if (outcome._tag === "Ignored") return
      this.calls.push({ at: now, failed, took: now - at })
      const reason = pushback
        ? "pushback"
        : this.config.trip.find((trip) => this.trips(trip))?._tag.toLowerCase()
      if (reason !== undefined) this.open(reason, now, random, hint)
      return
    }
    const slow = this.config.trip.some((t) => t._tag === "Slow" && now - at > Duration.toMillis(t.after))
    probe.fate = outcome._tag === "Ignored" ? "ignored" : failed || slow ? "bad" : "good"
    if (pushback) this.open("pushback", now, random, hint)
    else if (this.count("bad") >= this.config.failuresToOpen) {
      this.open(failed ? "probe" : "slow", now, random, hint)
    } else if (this.count("good") >= this.config.successesToClose) this.close("recovered", now)
  }

  trip(hint: Duration.Duration | undefined, now: number, random: number): void {
    const { tag, until } = this
    if (tag === "Isolated") return
    this.open("tripped", now, random, hint)
    if (tag !== "Open") return
    // As if it had been open all along: neither an event nor an epoch of its own.
    this.until = Math.max(until, this.until)
    this.told.pop()
    this.epoch--
  }

  isolate(): void {
    if (this.handles++ === 0) this.turn("Isolated", "isolated")
  }

  release(now: number): void {
    if (this.handles > 0 && --this.handles === 0) this.close("released", now, 0)
  }

  reset(now: number): void {
    if (this.handles === 0) this.close("reset", now, 0)
  }

  /** The calls that a trigger looks back on, as of the last one. */
  seen(span: { readonly size: number } | { readonly window: Duration.Duration; readonly buckets: number }) {
    if ("size" in span) return this.calls.slice(-span.size)
    const width = Duration.toMillis(span.window) / span.buckets
    const bucketOf = (call: Call) => Math.floor(call.at / width)
    return this.calls.filter((call) => bucketOf(call) > bucketOf(this.calls.at(-1)!) - span.buckets)
  }

  count(fate: Probe["fate"]): number {
    return this.probes.filter((probe) => probe.fate === fate).length
  }

  private trips(trip: CircuitBreaker.Trip): boolean {
    if (trip._tag === "Consecutive") {
      return (
        this.calls.length >= trip.failures && this.calls.slice(-trip.failures).every((call) => call.failed)
      )
    }
    const bad = (call: Call) =>
      trip._tag === "Rate" ? call.failed : call.took > Duration.toMillis(trip.after)
    const seen = this.seen(trip)
    // In whole twentieths, of which every threshold of the tests is made: no rounding.
    const enough = 20 * seen.filter(bad).length >= Math.round(20 * trip.threshold) * seen.length
    return bad(seen.at(-1)!) && seen.length >= trip.minimumCalls && enough
  }

  private expire(now: number): void {
    for (const probe of this.probes) {
      const end = probe.at + Duration.toMillis(this.config.lease)
      if (this.tag !== "HalfOpen" || probe.fate !== "out" || end > now) continue
      probe.fate = "bad"
      if (this.count("bad") >= this.config.failuresToOpen) this.open("lease", end, this.drawn, undefined)
    }
  }

  private open(reason: string, at: number, random: number, hint: Duration.Duration | undefined): void {
    const { factor, jitter, maxOpenFor, openFor, resetAfter } = this.config
    const goesOn = this.tag !== "Closed" || at < this.closedAt + Duration.toMillis(resetAfter)
    this.openings = goesOn ? this.openings + 1 : 1
    let time = Duration.toMillis(openFor)
    for (let n = 1; n < this.openings; n++) time *= factor
    time = Math.min(time, Duration.toMillis(maxOpenFor))
    const asked = Math.min(Duration.toMillis(hint ?? 0), Duration.toMillis(maxOpenFor))
    this.until = at + Math.max(time * (1 + jitter * random), asked)
    this.drawn = random
    this.turn("Open", reason)
  }

  private close(reason: string, at: number, openings = this.openings): void {
    this.openings = openings
    this.closedAt = at
    this.turn("Closed", reason)
  }

  private turn(tag: CircuitBreaker.State["_tag"], reason: string): void {
    this.told.push(`${++this.epoch} ${this.tag}>${tag} ${reason}`)
    this.tag = tag
    this.calls = []
    this.probes = []
  }
}
