import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { CircuitBreaker, Outcome } from "../src/index.ts"

const { consecutive, rate, slow } = CircuitBreaker

const config = CircuitBreaker.config({ trip: consecutive(3), openFor: "10 seconds", jitter: 0 })

/** A machine by hand. */
class Machine {
  state: CircuitBreaker.State = CircuitBreaker.initial
  readonly reasons: Array<CircuitBreaker.Reason> = []
  readonly config: CircuitBreaker.Config

  constructor(options: CircuitBreaker.Options) {
    this.config = CircuitBreaker.config({ jitter: 0, openFor: "10 seconds", ...options })
  }

  step(event: CircuitBreaker.Event): CircuitBreaker.Decision {
    const [decision, state] = CircuitBreaker.step(this.config, this.state, event)
    this.state = state
    this.reasons.push(...decision.changes.map(({ reason }) => reason))
    return decision
  }

  admit(now: number): CircuitBreaker.Permit {
    const { permit } = this.step({ _tag: "Admit", now })
    assert(permit !== undefined)
    return permit
  }

  report(permit: CircuitBreaker.Permit, now: number, outcome: Outcome.Outcome, random = 0): void {
    this.step({ _tag: "Report", now, permit, outcome, random })
  }

  retract(now: number, epoch = this.state.epoch, outcome = failed): void {
    this.step({ _tag: "Retract", now, epoch, outcome, random: 0 })
  }

  /** One call after the other, all at one instant; `r` takes back the success of one. */
  calls(now: number, outcomes: string): this {
    for (const letter of outcomes) {
      const outcome = { f: failed, s: Outcome.success, i: Outcome.ignored() }[letter]
      if (outcome === undefined) this.retract(now)
      else this.report(this.admit(now), now, outcome)
    }
    return this
  }
}

const failed = Outcome.failure()

describe("CircuitBreaker.step", () => {
  it("begins closed, with nothing counted", () => {
    assert.deepStrictEqual(CircuitBreaker.initial, {
      _tag: "Closed",
      epoch: 0,
      late: 0,
      consecutive: 0,
      rowBefore: 0,
      windows: [],
      consecutiveOpenings: 0,
      closedAt: 0
    })
  })

  it("opens at the third failure in a row; a success ends the row, an ignored outcome does not", () => {
    const machine = new Machine({ trip: consecutive(3) })
    const rows = [..."ffsfif"].map((call) => {
      const { state } = machine.calls(0, call)
      return state._tag === "Closed" && state.consecutive
    })
    assert.deepStrictEqual(rows, [1, 2, 0, 1, 1, 2])
    assert.deepInclude(machine.calls(5, "f").state, { _tag: "Open", epoch: 1, until: 10_005 })
    assert.deepStrictEqual(machine.reasons, ["consecutive"])
  })

  it("opens at a share of failures, only with enough calls, and only at a failure", () => {
    const machine = new Machine({ trip: rate({ threshold: 0.5, size: 4, minimumCalls: 4 }) })
    // Two of four, and then three of four, after a success; the failure is what opens it.
    assert.strictEqual(machine.calls(0, "ffss").state._tag, "Closed")
    assert.strictEqual(machine.calls(0, "f").state._tag, "Open")
    assert.strictEqual(new Machine({ trip: rate({ size: 4 }) }).calls(0, "fff").state._tag, "Closed")
    assert.strictEqual(new Machine({ trip: rate({ size: 4 }) }).calls(0, "ffff").state._tag, "Open")
    assert.strictEqual(
      new Machine({ trip: rate({ threshold: 0, size: 9 }) }).calls(0, "s".repeat(50)).state._tag,
      "Closed"
    )
  })

  it("a share of exactly the threshold is enough, for thresholds that binary fractions only come near", () => {
    for (const [hits, calls] of [
      [1, 10],
      [3, 10],
      [7, 10],
      [1, 3],
      [7, 100],
      [29, 100]
    ] as const) {
      const machine = new Machine({ trip: rate({ threshold: hits / calls, size: calls }) })
      machine.calls(0, "s".repeat(calls - hits)).calls(0, "f".repeat(hits))
      assert.strictEqual(machine.state._tag, "Open", `${hits} of ${calls}`)
    }
  })

  it("looks back on a time: what has left it no longer counts", () => {
    const trip = rate({ window: "10 seconds", minimumCalls: 3 })
    const at = (now: number) => new Machine({ trip }).calls(0, "ff").calls(now, "f").state._tag
    assert.deepStrictEqual([at(0), at(9_999), at(10_000)], ["Open", "Open", "Closed"])
  })

  it("a clock that went back loses nothing that was counted", () => {
    const machine = new Machine({ trip: rate({ window: "10 seconds", minimumCalls: 9 }) })
    const { state } = machine.calls(20_000, "ff").calls(5_000, "f").calls(20_000, "s")
    assert(state._tag === "Closed")
    assert.deepInclude(state.windows[0], { calls: 4, hits: 3 })
  })

  it("goes on with a window that was kept for the same settings, and begins anew with one for others", () => {
    const last = (size: number) => rate({ size, minimumCalls: size })
    const lately = (window: Duration.DurationInput, buckets: number) =>
      rate({ window, buckets, minimumCalls: 9 })
    const counted = (before: CircuitBreaker.Rate, after: CircuitBreaker.Rate) => {
      const machine = new Machine({ trip: after })
      machine.state = new Machine({ trip: before }).calls(20_000, "fsf").state
      const { state } = machine.calls(20_000, "f")
      assert(state._tag === "Closed")
      return [state.windows[0]?.calls, state.windows[0]?.hits]
    }
    assert.deepStrictEqual(counted(last(20), last(20)), [4, 3])
    assert.deepStrictEqual(counted(lately("10 seconds", 5), lately("10 seconds", 5)), [4, 3])
    for (const [before, after] of [
      [last(20), last(10)],
      [last(20), last(200)],
      [last(20), lately("10 seconds", 5)],
      [lately("10 seconds", 5), lately("1 minute", 5)],
      [lately("10 seconds", 5), lately("10 seconds", 10)],
      [lately("10 seconds", 5), last(20)]
    ] as const) {
      assert.deepStrictEqual(counted(before, after), [1, 1])
    }
  })

  it("opens at slow calls, failures among them; exactly as long as allowed is not slow", () => {
    const trip = slow({ after: "1 second", threshold: 1, size: 2 })
    const after = (...calls: ReadonlyArray<readonly [took: number, Outcome.Outcome]>) => {
      const machine = new Machine({ trip })
      for (const [took, outcome] of calls) machine.report(machine.admit(0), took, outcome)
      return [machine.state._tag, ...machine.reasons]
    }
    assert.deepStrictEqual(after([1_001, Outcome.success], [1_001, failed]), ["Open", "slow"])
    assert.deepStrictEqual(after([1_000, Outcome.success], [1_001, failed]), ["Closed"])
    assert.deepStrictEqual(after([1_001, Outcome.success], [0, failed]), ["Closed"])
    assert.deepStrictEqual(after([1_001, Outcome.success], [1_001, Outcome.ignored()]), ["Closed"])
  })

  it("several triggers: the first of them that says so is the reason", () => {
    const trip = [consecutive(3), rate({ threshold: 0.5, size: 4, minimumCalls: 2 })] as const
    assert.deepStrictEqual(new Machine({ trip }).calls(0, "sf").reasons, ["rate"])
    assert.deepStrictEqual(
      new Machine({ trip: [consecutive(2), rate({ size: 2 })] }).calls(0, "ff").reasons,
      ["consecutive"]
    )
  })

  it("a tripping failure opens at once, for as long as was asked but no longer than the most", () => {
    const asked = (retryAfter: Duration.DurationInput) => {
      const machine = new Machine({})
      machine.report(
        machine.admit(0),
        0,
        Outcome.failure({ trip: true, retryAfter: Duration.decode(retryAfter) })
      )
      assert.deepStrictEqual(machine.reasons, ["pushback"])
      return CircuitBreaker.notBefore(machine.state)
    }
    assert.deepStrictEqual([asked("1 second"), asked("1 minute"), asked("1 day")], [10_000, 60_000, 300_000])
  })

  it("a success that is taken back is a failure: the row goes on as if it had not ended", () => {
    const machine = new Machine({ trip: consecutive(6) })
    const rows = [..."ffsrsfrssrr"].map((call) => {
      const { state } = machine.calls(0, call)
      return state._tag === "Closed" && state.consecutive
    })
    assert.deepStrictEqual(rows, [1, 2, 0, 3, 0, 1, 5, 0, 0, 1, 2])
    assert.deepStrictEqual(new Machine({ trip: consecutive(3) }).calls(0, "srsrsr").reasons, ["consecutive"])
    const tripped = new Machine({}).calls(0, "s")
    tripped.retract(0, 0, Outcome.failure({ trip: true, retryAfter: Duration.minutes(1) }))
    assert.deepStrictEqual([tripped.reasons, CircuitBreaker.notBefore(tripped.state)], [["pushback"], 60_000])
  })

  it("what looks back on calls counts it as the failure it is, and not as one call more", () => {
    const windows = (options: CircuitBreaker.Options, ...calls: ReadonlyArray<readonly [number, string]>) => {
      const machine = new Machine(options)
      for (const [now, outcomes] of calls) machine.calls(now, outcomes)
      const { state } = machine
      return state._tag === "Closed" ? state.windows.map(({ calls, hits }) => [calls, hits]) : machine.reasons
    }
    const bySize = { trip: rate({ threshold: 1, size: 3 }) }
    assert.deepStrictEqual(windows(bySize, [0, "sfsr"]), [[3, 2]])
    assert.deepStrictEqual(windows(bySize, [0, "sfsrr"]), ["rate"])
    assert.deepStrictEqual(windows(bySize, [0, "srsrsr"]), ["rate"])
    assert.deepStrictEqual(windows({ trip: rate({ size: 9 }) }, [0, "r"]), [[1, 1]])
    const byTime = { trip: rate({ threshold: 1, window: "10 seconds", minimumCalls: 9 }) }
    assert.deepStrictEqual(windows(byTime, [0, "ss"], [3_000, "f"], [9_000, "r"]), [[3, 2]])
    assert.deepStrictEqual(windows(byTime, [0, "ss"], [3_000, "f"], [11_000, "r"]), [[2, 2]])
    const slowly = { trip: slow({ after: 0, threshold: 1, size: 2 }) }
    assert.deepStrictEqual(windows(slowly, [0, "sr"]), [[1, 0]])
    assert.deepStrictEqual(windows(slowly, [0, "r"]), [[0, 0]])
  })

  it("a half-open breaker opens at a success that is taken back; the one that closed it is a failure since", () => {
    const two = { trip: consecutive(1), successesToClose: 2 }
    const probed = new Machine(two).calls(0, "f").calls(10_000, "sr")
    assert.deepStrictEqual(probed.reasons, ["consecutive", "elapsed", "probe"])
    const again = new Machine({ ...two, failuresToOpen: 2 }).calls(0, "f").calls(10_000, "sr")
    assert.deepInclude(again.state, { _tag: "HalfOpen", successes: 0, failures: 1 })
    const trip = [consecutive(1), slow({ after: "1 second" })] as const
    const counted = new Machine({ trip, successesToClose: 2, failuresToOpen: 3 }).calls(0, "f")
    counted.report(counted.admit(10_000), 12_000, Outcome.success)
    assert.deepInclude(counted.calls(12_000, "r").state, { _tag: "HalfOpen", successes: 0, failures: 1 })
    const closed = new Machine({ trip: consecutive(2) }).calls(0, "ff").calls(10_000, "sr")
    assert.deepInclude(closed.state, { _tag: "Closed", consecutive: 1 })
  })

  it("what is taken back after the state that heard of it has ended is late", () => {
    const reset = new Machine({}).calls(0, "s")
    reset.step({ _tag: "Reset", now: 0 })
    reset.retract(0, 0)
    assert.deepInclude(reset.state, { _tag: "Closed", consecutive: 0, late: 1 })
    const opened = new Machine({ trip: consecutive(1) }).calls(0, "sf")
    opened.retract(5_000)
    assert.deepInclude(opened.state, { _tag: "Open", until: 10_000, late: 1 })
    const lost = new Machine({ trip: consecutive(1), successesToClose: 2, probes: 2, lease: "1 second" })
    lost.calls(0, "f").calls(10_000, "s").admit(10_000)
    lost.retract(11_000)
    assert.deepInclude(lost.state, { _tag: "Open", openedAt: 11_000, late: 1 })
  })

  it("refuses until its time and admits one probe at it", () => {
    const machine = new Machine({ trip: consecutive(1) }).calls(0, "f")
    assert.deepStrictEqual(machine.step({ _tag: "Admit", now: 9_999.5 }).rejection, {
      state: "Open",
      retryAfter: 0.5
    })
    assert.deepInclude(machine.admit(10_000), { epoch: 2, id: 1 })
    assert.deepStrictEqual(machine.step({ _tag: "Admit", now: 10_000 }).rejection, {
      state: "HalfOpen",
      retryAfter: 0
    })
  })

  it("admits at its time by the clock, where the sum of milliseconds that it is lies a trace later", () => {
    const [failedAt, waited, now] = [1789.160464, 2307, 4096.160464]
    assert.isAbove(failedAt + waited, now)
    const machine = new Machine({ trip: consecutive(1), openFor: waited }).calls(failedAt, "f")
    machine.admit(now)
    assert.strictEqual(machine.state._tag, "HalfOpen")
  })

  it("a probe's success closes it, its failure opens it longer, an ignored one gives the place back", () => {
    const machine = new Machine({ trip: consecutive(1), factor: 2, maxOpenFor: "30 seconds" }).calls(0, "f")
    assert.deepInclude(machine.calls(10_000, "f").state, { until: 30_000, consecutiveOpenings: 2 })
    assert.deepInclude(machine.calls(30_000, "f").state, { until: 60_000, consecutiveOpenings: 3 })
    assert.deepInclude(machine.calls(60_000, "i").state, { _tag: "HalfOpen", probes: [] })
    assert.deepInclude(machine.calls(60_000, "s").state, { _tag: "Closed", consecutive: 0 })
    assert.deepInclude(machine.calls(60_000, "f").state, { until: 70_000, consecutiveOpenings: 1 })
  })

  it("with resetAfter, opening again soon after a close goes on with the growth", () => {
    const next = (wait: number) => {
      const machine = new Machine({ trip: consecutive(1), factor: 2, resetAfter: "1 minute" })
      machine
        .calls(0, "f")
        .calls(10_000, "s")
        .calls(10_000 + wait, "f")
      return CircuitBreaker.notBefore(machine.state) - 10_000 - wait
    }
    assert.deepStrictEqual([next(59_999), next(60_000)], [20_000, 10_000])
  })

  it("an open time without end is the longest there may be", () => {
    const machine = new Machine({ trip: consecutive(1), openFor: Duration.infinity }).calls(0, "f")
    assert.strictEqual(CircuitBreaker.notBefore(machine.state), 300_000)
  })

  it("jitter adds to the capped time, never takes away", () => {
    const machine = new Machine({ trip: consecutive(1), jitter: 0.5, maxOpenFor: "4 seconds" })
    machine.report(machine.admit(0), 0, failed, 0.5)
    assert.strictEqual(CircuitBreaker.notBefore(machine.state), 5_000)
  })

  it("several probes: so many successes close it, so many failures open it, and no more run than can matter", () => {
    const options = { trip: consecutive(1), probes: 9, successesToClose: 3, failuresToOpen: 2 }
    const probing = () => new Machine(options).calls(0, "f")
    assert.strictEqual(probing().calls(10_000, "ss").state._tag, "HalfOpen")
    assert.strictEqual(probing().calls(10_000, "sfss").state._tag, "Closed")
    assert.deepStrictEqual(probing().calls(10_000, "sfsf").reasons.slice(1), ["elapsed", "probe"])
    const all = probing()
    for (let probe = 1; probe <= 4; probe++) assert.strictEqual(all.admit(10_000).id, probe)
    assert.isUndefined(all.step({ _tag: "Admit", now: 10_000 }).permit)
  })

  it("a slow probe counts as failed where slow calls count, a tripping one opens at once", () => {
    const options = { trip: [consecutive(1), slow({ after: "1 second" })], failuresToOpen: 2 } as const
    const probed = (took: number, outcome: Outcome.Outcome) => {
      const machine = new Machine(options).calls(0, "f")
      machine.report(machine.admit(10_000), 10_000 + took, outcome)
      return machine
    }
    assert.deepInclude(probed(1_001, Outcome.success).state, { _tag: "HalfOpen", failures: 1 })
    assert.strictEqual(probed(1_000, Outcome.success).state._tag, "Closed")
    assert.strictEqual(probed(0, Outcome.failure({ trip: true })).reasons.at(-1), "pushback")
    const twice = probed(1_001, Outcome.success)
    twice.report(twice.admit(20_000), 30_000, Outcome.success)
    assert.strictEqual(twice.reasons.at(-1), "slow")
  })

  it("a lease that has run out is a probe that failed then, and what it says later is late", () => {
    const machine = new Machine({ trip: consecutive(1), lease: "2 seconds", jitter: 1 }).calls(0, "f")
    const lost = machine.admit(10_000)
    // Another caller notices after 9 seconds: the breaker has been open for 7 of them.
    assert.deepStrictEqual(machine.step({ _tag: "Admit", now: 19_000 }).rejection, {
      state: "Open",
      retryAfter: 3_000
    })
    machine.report(lost, 19_000, Outcome.success)
    assert.deepInclude(machine.state, { _tag: "Open", openedAt: 12_000, late: 1 })
    const exactly = new Machine({ trip: consecutive(1), lease: "2 seconds" }).calls(0, "f")
    exactly.report(exactly.admit(10_000), 12_000, Outcome.success)
    assert.deepInclude(exactly.state, { _tag: "Open", until: 22_000 })
  })

  it("a report of a permit that nobody was given is late, whatever the state", () => {
    const open = new Machine({ trip: consecutive(1) }).calls(0, "f")
    const halfOpen = new Machine({ trip: consecutive(1) }).calls(0, "f")
    halfOpen.admit(10_000)
    const isolated = new Machine({})
    isolated.step({ _tag: "Isolate", now: 0 })
    for (const machine of [open, halfOpen, isolated]) {
      const before = machine.state
      const permit = { epoch: before.epoch, id: 7, at: 0 }
      const decision = machine.step({ _tag: "Report", now: 10_000, permit, outcome: failed, random: 0 })
      assert.deepStrictEqual(decision, { permit: undefined, rejection: undefined, changes: [] })
      assert.deepStrictEqual(machine.state, { ...before, late: 1 })
    }
  })

  it("tripped, it opens from any state, and what was under way is late", () => {
    const trip = (machine: Machine, now: number, retryAfter?: Duration.Duration) => {
      machine.step({ _tag: "Trip", now, retryAfter, random: 0 })
      return machine.state
    }
    const closed = new Machine({})
    const underway = closed.admit(0)
    assert.deepInclude(trip(closed, 5), { _tag: "Open", epoch: 1, until: 10_005, consecutiveOpenings: 1 })
    closed.report(underway, 6, Outcome.success)
    assert.deepInclude(closed.state, { _tag: "Open", late: 1 })

    const probed = new Machine({ trip: consecutive(1), factor: 2 }).calls(0, "f")
    const probe = probed.admit(10_000)
    assert.deepInclude(trip(probed, 11_000), { _tag: "Open", until: 31_000, consecutiveOpenings: 2 })
    probed.report(probe, 12_000, Outcome.success)
    assert.deepStrictEqual(probed.reasons, ["consecutive", "elapsed", "tripped"])
    assert.strictEqual(CircuitBreaker.notBefore(trip(new Machine({}), 0, Duration.minutes(1))), 60_000)
  })

  it("tripped while it is open, it begins its time anew, and never ends before it would have", () => {
    const machine = new Machine({ trip: consecutive(1), factor: 2 }).calls(0, "f")
    const opened = machine.state
    assert(opened._tag === "Open")
    machine.step({ _tag: "Trip", now: 4_000, retryAfter: undefined, random: 0 })
    assert.deepStrictEqual(machine.state, { ...opened, until: 24_000, consecutiveOpenings: 2 })
    assert.deepStrictEqual(machine.reasons, ["consecutive"])

    const long = new Machine({ openFor: "1 second" })
    long.report(long.admit(0), 0, Outcome.failure({ trip: true, retryAfter: Duration.minutes(1) }))
    long.step({ _tag: "Trip", now: 4_000, retryAfter: undefined, random: 0 })
    assert.strictEqual(CircuitBreaker.notBefore(long.state), 60_000)
  })

  it("isolated by two, it is closed again when both have let go; neither a reset nor a trip matters", () => {
    const machine = new Machine({})
    const tags = (
      ["Isolate", "Isolate", "Reset", "Release", "Trip", "Admit", "Release", "Release"] as const
    ).map((_tag) => {
      machine.step({ _tag, now: 0, retryAfter: undefined, random: 0 })
      return machine.state._tag
    })
    assert.deepStrictEqual(tags, [...Array<string>(6).fill("Isolated"), "Closed", "Closed"])
    assert.deepStrictEqual(machine.reasons, ["isolated", "released"])
  })

  it("a reset closes it, forgets the count, and what was under way is late", () => {
    const machine = new Machine({ trip: consecutive(2) }).calls(0, "f")
    const underway = machine.admit(0)
    machine.step({ _tag: "Reset", now: 0 })
    machine.report(underway, 0, failed)
    assert.deepInclude(machine.state, { _tag: "Closed", consecutive: 0, late: 1, epoch: 1 })
    machine.calls(0, "ff").step({ _tag: "Reset", now: 0 })
    assert.deepInclude(machine.state, { _tag: "Closed", epoch: 3 })
  })

  it("counting nothing but a row, a success on a closed breaker makes no new state", () => {
    for (const outcome of [Outcome.success, Outcome.ignored()]) {
      const [{ permit }, admitted] = CircuitBreaker.step(config, CircuitBreaker.initial, {
        _tag: "Admit",
        now: 1
      })
      const report = { _tag: "Report", now: 2, permit: permit!, outcome, random: 0 } as const
      assert.strictEqual(admitted, CircuitBreaker.initial)
      assert.strictEqual(CircuitBreaker.step(config, admitted, report)[1], admitted)
    }
  })
})
