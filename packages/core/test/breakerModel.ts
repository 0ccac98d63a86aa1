import { Duration } from "effect"
import type { CircuitBreaker, Outcome } from "../src/index.ts"
import type { Reported } from "../src/internal/breaker/state.ts"

type Call = { readonly at: number; failed: boolean; readonly took: number }
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
  probes: Array<Probe> = []
  readonly told: Array<string> = []
  /** Every verdict in a word: a failure, a success, or one taken back. */
  private verdicts = ""
  /** For each trigger every call, and when it last looked at them. */
  private memories: ReadonlyArray<{ readonly calls: Array<Call>; at: number }> = []
  private closedAt = 0
  private drawn = 0
  private readonly config: CircuitBreaker.Config

  constructor(config: CircuitBreaker.Config) {
    this.config = config
    this.forget()
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
      this.verdicts += failed ? "f" : "s"
      for (const memory of this.memories) {
        memory.calls.push({ at: now, failed, took: now - at })
        memory.at = now
      }
      const reason = this.reason(pushback, (trip) =>
        trip._tag === "Rate" ? failed : this.isSlow(now - at, trip)
      )
      if (reason !== undefined) this.open(reason, now, random, hint)
      return
    }
    const slow = this.config.trip.some((trip) => this.isSlow(now - at, trip))
    probe.fate = outcome._tag === "Ignored" ? "ignored" : failed || slow ? "bad" : "good"
    if (pushback) this.open("pushback", now, random, hint)
    else if (this.count("bad") >= this.config.failuresToOpen) {
      this.open(failed ? "probe" : "slow", now, random, hint)
    } else if (this.count("good") >= this.config.successesToClose) this.close("recovered", now)
  }

  retract(success: Reported, { retryAfter, trip }: Outcome.Failure, now: number, random: number): void {
    const { epoch, id } = success
    if (epoch === this.epoch) this.expire(now)
    if (epoch !== this.epoch || (this.tag !== "Closed" && this.tag !== "HalfOpen")) {
      this.late++
      return
    }
    if (this.tag === "HalfOpen") {
      const probe = this.probes[id - 1]
      if (probe?.fate !== "good") return
      probe.fate = "bad"
      if (trip) this.open("pushback", now, random, retryAfter)
      else if (this.count("bad") >= this.config.failuresToOpen) this.open("probe", now, random, retryAfter)
      return
    }
    this.verdicts += "r"
    for (const [index, memory] of this.memories.entries()) {
      if (this.config.trip[index]?._tag !== "Rate") continue
      memory.at = now
      const good = this.seen(index).findLast(({ failed }) => !failed)
      if (good === undefined) memory.calls.push({ at: now, failed: true, took: 0 })
      else good.failed = true
    }
    const reason = this.reason(trip, ({ _tag }) => _tag === "Rate")
    if (reason !== undefined) this.open(reason, now, random, retryAfter)
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

  /** The failures in a row; one that is taken back joins the two around it. */
  get row(): number {
    let [row, before] = [0, 0]
    for (const verdict of this.verdicts) {
      if (verdict === "s") [row, before] = [0, row]
      else if (verdict === "r") [row, before] = [before + row + 1, 0]
      else row++
    }
    return row
  }

  /** The calls that the trigger of this index looks back on. */
  seen(index: number): ReadonlyArray<Call> {
    const [trip, memory] = [this.config.trip[index], this.memories[index]]
    if (trip === undefined || memory === undefined || trip._tag === "Consecutive") return []
    if ("size" in trip) return memory.calls.slice(-trip.size)
    const width = Duration.toMillis(trip.window) / trip.buckets
    const bucketOf = (at: number) => Math.floor(at / width)
    return memory.calls.filter(({ at }) => bucketOf(at) > bucketOf(memory.at) - trip.buckets)
  }

  isBad({ failed, took }: Call, trip: CircuitBreaker.Trip): boolean {
    return trip._tag === "Slow" ? this.isSlow(took, trip) : failed
  }

  count(fate: Probe["fate"]): number {
    return this.probes.filter((probe) => probe.fate === fate).length
  }

  private isSlow(took: number, trip: CircuitBreaker.Trip): boolean {
    return trip._tag === "Slow" && took > Duration.toMillis(trip.after)
  }

  /** What opens it, if the call counts against the triggers that `hits` tells. */
  private reason(pushback: boolean, hits: (trip: CircuitBreaker.Trip) => boolean): string | undefined {
    if (pushback) return "pushback"
    return this.config.trip
      .find((trip, index) => {
        if (trip._tag === "Consecutive") return this.row >= trip.failures
        const seen = this.seen(index)
        // In whole twentieths, of which every threshold of the tests is made: no rounding.
        const bad = 20 * seen.filter((call) => this.isBad(call, trip)).length
        const enough = bad >= Math.round(20 * trip.threshold) * seen.length
        return hits(trip) && seen.length >= trip.minimumCalls && enough
      })
      ?._tag.toLowerCase()
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
    this.forget()
  }

  private forget(): void {
    this.verdicts = ""
    this.memories = this.config.trip.map(() => ({ calls: [], at: 0 }))
    this.probes = []
  }
}
