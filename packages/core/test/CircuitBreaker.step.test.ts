import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { CircuitBreaker, Outcome } from "../src/index.ts"
import { failed, Machine } from "./breakerByHand.ts"

const { consecutive, slow } = CircuitBreaker

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
    machine.step({ _tag: "Isolate", now: 0 })
    assert.strictEqual(machine.step({ _tag: "Admit", now: 0 }).rejection?.retryAfter, 300_000)
  })

  it("a lease without end may be written down", () => {
    const options = { trip: consecutive(1), lease: Duration.infinity }
    const machine = new Machine(options).calls(0, "f")
    machine.admit(10_000)
    machine.state = JSON.parse(JSON.stringify(machine.state))
    assert.deepStrictEqual(machine.step({ _tag: "Admit", now: 1e12 }).rejection, {
      state: "HalfOpen",
      retryAfter: 0
    })
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
})
