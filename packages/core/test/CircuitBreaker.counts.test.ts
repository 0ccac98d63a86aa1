import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { CircuitBreaker, Outcome } from "../src/index.ts"
import { failed, Machine } from "./breakerByHand.ts"

const { consecutive, rate, slow } = CircuitBreaker

const config = CircuitBreaker.config({ trip: consecutive(3), openFor: "10 seconds", jitter: 0 })

describe("what a breaker counts", () => {
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

  it("a window of calls keeps a bit of each, thirty to a number", () => {
    const numbers = [30, 31, 100].map((size) => {
      const { state } = new Machine({ trip: rate({ size }) }).calls(0, "s")
      return state._tag === "Closed" && state.windows[0]?.cells.length
    })
    assert.deepStrictEqual(numbers, [1, 2, 4])
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

  it("a success that is taken back is a failure: the row goes on as if it had not ended", () => {
    const machine = new Machine({ trip: consecutive(6) })
    const rows = [..."ffsrsfrssrr"].map((call) => {
      const { state } = machine.calls(0, call)
      return state._tag === "Closed" && state.consecutive
    })
    assert.deepStrictEqual(rows, [1, 2, 0, 3, 0, 1, 5, 0, 0, 1, 2])
    assert.deepStrictEqual(new Machine({ trip: consecutive(3) }).calls(0, "srsrsr").reasons, ["consecutive"])
    const tripped = new Machine({}).calls(0, "s")
    tripped.retract(0, {}, Outcome.failure({ trip: true, retryAfter: Duration.minutes(1) }))
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
    assert.deepStrictEqual(windows(bySize, [0, "srsss"]), [[3, 0]])
    assert.deepStrictEqual(windows(bySize, [0, "sfrsss"]), [[3, 0]])
    assert.deepStrictEqual(windows({ trip: rate({ size: 9 }) }, [0, "r"]), [[1, 1]])
    const byTime = { trip: rate({ threshold: 1, window: "10 seconds", minimumCalls: 9 }) }
    assert.deepStrictEqual(windows(byTime, [0, "ss"], [3_000, "f"], [9_000, "r"]), [[3, 2]])
    assert.deepStrictEqual(windows(byTime, [0, "ss"], [3_000, "f"], [11_000, "r"]), [[2, 2]])
    const last = windows(byTime, [0, "s"], [1_000, "s"], [2_000, "fr"], [10_000, "s"])
    assert.deepStrictEqual(last, [[3, 2]])
    // After the clock went back, the next call still counts where the last one was taken back.
    const back = windows(byTime, [0, "s"], [9_000, "r"], [5_000, "s"], [16_000, "s"])
    assert.deepStrictEqual(back, [[2, 0]])
    const slowly = { trip: slow({ after: 0, threshold: 1, size: 2 }) }
    assert.deepStrictEqual(windows(slowly, [0, "sr"]), [[1, 0]])
    assert.deepStrictEqual(windows(slowly, [0, "r"]), [[0, 0]])
  })

  it("a half-open breaker opens at a success that is taken back; the one that closed it is a failure since", () => {
    const two = { trip: consecutive(1), successesToClose: 2 }
    const probed = new Machine(two).calls(0, "f").calls(10_000, "sr")
    assert.deepStrictEqual(probed.reasons, ["consecutive", "elapsed", "probe"])
    const again = new Machine({ ...two, failuresToOpen: 2 }).calls(0, "f").calls(10_000, "sr")
    assert.deepInclude(again.state, { _tag: "HalfOpen", successes: [], failures: 1 })
    const trip = [consecutive(1), slow({ after: "1 second" })] as const
    const counted = new Machine({ trip, successesToClose: 2, failuresToOpen: 3 }).calls(0, "f")
    counted.report(counted.admit(10_000), 12_000, Outcome.success)
    assert.deepInclude(counted.calls(12_000, "r").state, { _tag: "HalfOpen", successes: [], failures: 1 })
    const closed = new Machine({ trip: consecutive(2) }).calls(0, "ff").calls(10_000, "sr")
    assert.deepInclude(closed.state, { _tag: "Closed", consecutive: 1 })
  })

  it("a probe takes back its own success alone, where it was slow or late none", () => {
    const trip = [consecutive(1), slow({ after: "1 second" })] as const
    const three = { trip, probes: 3, successesToClose: 3, failuresToOpen: 3, lease: "5 seconds" } as const
    for (const [took, now] of [
      [2_000, 12_000],
      [6_000, 16_000]
    ] as const) {
      const machine = new Machine(three).calls(0, "f")
      const probe = machine.admit(10_000)
      const other = machine.admit(10_000 + took - 500)
      machine.report(other, now, Outcome.success)
      machine.report(probe, now, Outcome.success)
      machine.retract(now, probe)
      assert.deepInclude(machine.state, { _tag: "HalfOpen", successes: [other.id], failures: 1 })
      machine.retract(now, other)
      machine.retract(now, other)
      assert.deepInclude(machine.state, { _tag: "HalfOpen", successes: [], failures: 2 })
    }
  })

  it("of several probes' successes, one that is taken back leaves the others", () => {
    const three = { trip: consecutive(1), probes: 3, successesToClose: 3, failuresToOpen: 2 } as const
    const machine = new Machine(three).calls(0, "f")
    const [first, second] = [machine.admit(10_000), machine.admit(10_000)]
    for (const probe of [first, second]) machine.report(probe, 10_000, Outcome.success)
    machine.retract(10_000, first)
    assert.deepInclude(machine.state, { _tag: "HalfOpen", successes: [second.id], failures: 1 })
  })

  it("what is taken back after the state that heard of it has ended is late", () => {
    const reset = new Machine({}).calls(0, "s")
    reset.step({ _tag: "Reset", now: 0 })
    reset.retract(0, { epoch: 0 })
    assert.deepInclude(reset.state, { _tag: "Closed", consecutive: 0, late: 1 })
    const opened = new Machine({ trip: consecutive(1) }).calls(0, "sf")
    opened.retract(5_000)
    assert.deepInclude(opened.state, { _tag: "Open", until: 10_000, late: 1 })
    const lost = new Machine({ trip: consecutive(1), successesToClose: 2, probes: 2, lease: "1 second" })
    lost.calls(0, "f").calls(10_000, "s").admit(10_000)
    lost.retract(11_000)
    assert.deepInclude(lost.state, { _tag: "Open", openedAt: 11_000, late: 1 })
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
