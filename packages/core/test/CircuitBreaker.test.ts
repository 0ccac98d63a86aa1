import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FastCheck, TestClock } from "effect"
import { CircuitBreaker, Outcome } from "../src/index.ts"

const config = CircuitBreaker.config({
  trip: CircuitBreaker.consecutive(3),
  openFor: "10 seconds",
  jitter: 0
})

/** Feeds a machine one event after the other and shows each state. */
const trace = (settings: CircuitBreaker.Config, ...events: ReadonlyArray<CircuitBreaker.Event>) => {
  const states: Array<CircuitBreaker.State> = []
  let state = CircuitBreaker.initial
  for (const event of events) {
    state = CircuitBreaker.step(settings, state, event)[1]
    states.push(state)
  }
  return states
}

const admit = (now: number): CircuitBreaker.Event => ({ _tag: "Admit", now })
const report = (now: number, epoch: number, outcome: Outcome.Outcome): CircuitBreaker.Event => ({
  _tag: "Report",
  now,
  permit: { epoch, probe: false },
  outcome,
  random: 0
})
const failed = Outcome.failure()

describe("CircuitBreaker.step", () => {
  it("opens at the third failure in a row; a success ends the row, an ignored outcome does not", () => {
    const states = trace(
      config,
      report(0, 0, failed),
      report(0, 0, failed),
      report(0, 0, Outcome.success),
      report(0, 0, failed),
      report(0, 0, Outcome.ignored()),
      report(0, 0, failed),
      report(5, 0, failed)
    )
    assert.deepStrictEqual(
      states.map((state) => (state._tag === "Closed" ? state.failures : state)),
      [1, 2, 0, 1, 1, 2, { _tag: "Open", epoch: 1, until: 10_005, openings: 1 }]
    )
  })

  it("refuses until its time and admits one probe at it", () => {
    const open: CircuitBreaker.State = { _tag: "Open", epoch: 1, until: 100, openings: 1 }
    assert.strictEqual(CircuitBreaker.step(config, open, admit(99.5))[0].retryAfter, 0.5)
    const [first, halfOpen] = CircuitBreaker.step(config, open, admit(100))
    assert.deepStrictEqual(first.permit, { epoch: 2, probe: true })
    assert.strictEqual(CircuitBreaker.step(config, halfOpen, admit(100))[0].permit, undefined)
  })

  it("a probe's success closes it, its failure opens it longer, its interruption gives the place back", () => {
    const grow = CircuitBreaker.config({
      openFor: "10 seconds",
      factor: 2,
      maxOpenFor: "30 seconds",
      jitter: 0
    })
    const probing: CircuitBreaker.State = { _tag: "HalfOpen", epoch: 2, probing: 1, openings: 1 }
    const after = (outcome: Outcome.Outcome, state: CircuitBreaker.State = probing) =>
      CircuitBreaker.step(grow, state, report(0, 2, outcome))[1]
    assert.deepStrictEqual(after(Outcome.success), { _tag: "Closed", epoch: 3, failures: 0 })
    assert.deepStrictEqual(after(failed), { _tag: "Open", epoch: 3, until: 20_000, openings: 2 })
    assert.deepStrictEqual(after(failed, { ...probing, openings: 5 }), {
      _tag: "Open",
      epoch: 3,
      until: 30_000,
      openings: 6
    })
    assert.deepStrictEqual(after(Outcome.ignored()), { ...probing, probing: 0 })
  })

  it("results of an older epoch change nothing", () => {
    const states: ReadonlyArray<CircuitBreaker.State> = [
      { _tag: "Closed", epoch: 4, failures: 2 },
      { _tag: "Open", epoch: 4, until: 9, openings: 1 },
      { _tag: "HalfOpen", epoch: 4, probing: 1, openings: 1 }
    ]
    for (const state of states) {
      for (const outcome of [Outcome.success, failed, Outcome.failure({ trip: true }), Outcome.ignored()]) {
        assert.strictEqual(CircuitBreaker.step(config, state, report(0, 3, outcome))[1], state)
      }
    }
  })

  it("a tripping failure opens at once, for as long as was asked but no longer than the most", () => {
    const asked = (retryAfter: Duration.DurationInput) =>
      CircuitBreaker.step(
        config,
        CircuitBreaker.initial,
        report(0, 0, Outcome.failure({ trip: true, retryAfter: Duration.decode(retryAfter) }))
      )[1]
    assert.deepInclude(asked("1 second"), { _tag: "Open", until: 10_000 })
    assert.deepInclude(asked("1 minute"), { _tag: "Open", until: 60_000 })
    assert.deepInclude(asked("1 day"), { _tag: "Open", until: 300_000 })
  })

  it("law: the epoch grows by one with every transition and never otherwise; probes never exceed their number", () => {
    const outcome = FastCheck.constantFrom<Outcome.Outcome>(
      Outcome.success,
      failed,
      Outcome.ignored(),
      Outcome.failure({ trip: true })
    )
    const operation = FastCheck.oneof(
      FastCheck.record({ kind: FastCheck.constant("admit" as const), wait: FastCheck.nat(15_000) }),
      FastCheck.record({
        kind: FastCheck.constant("report" as const),
        wait: FastCheck.nat(100),
        which: FastCheck.nat(20),
        outcome
      })
    )
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(operation, { maxLength: 60 }),
        FastCheck.integer({ min: 1, max: 3 }),
        (operations, probes) => {
          const settings = { ...config, probes }
          const permits: Array<CircuitBreaker.Permit> = []
          let state = CircuitBreaker.initial
          let now = 0
          for (const op of operations) {
            now += op.wait
            const permit =
              op.kind === "report" ? permits.splice(op.which % (permits.length || 1), 1)[0] : undefined
            if (op.kind === "report" && permit === undefined) continue
            const event: CircuitBreaker.Event =
              op.kind === "admit" || permit === undefined
                ? { _tag: "Admit", now }
                : { _tag: "Report", now, permit, outcome: op.outcome, random: 0.5 }
            const [decision, next] = CircuitBreaker.step(settings, state, event)
            if (decision.permit !== undefined) permits.push(decision.permit)
            assert.strictEqual(next.epoch - state.epoch, next._tag === state._tag ? 0 : 1)
            if (next._tag === "HalfOpen") {
              assert.isAtMost(next.probing, probes)
              assert.strictEqual(next.probing, permits.filter(({ epoch }) => epoch === next.epoch).length)
            }
            if (state._tag === "Open" && now < state.until) assert.strictEqual(next, state)
            state = next
          }
        }
      ),
      { numRuns: 1000 }
    )
  })
})

describe("CircuitBreaker", () => {
  it.effect("of many calls at once exactly as many probe as may", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "k", trip: CircuitBreaker.consecutive(1), probes: 3 })
      yield* Effect.ignore(CircuitBreaker.execute(Effect.fail("down"), breaker))
      yield* TestClock.adjust("1 minute")
      const slow = CircuitBreaker.execute(Effect.sleep("1 second"), breaker)
      const fiber = yield* Effect.fork(
        Effect.all(Effect.replicate(Effect.either(slow), 100), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 minute")
      const results = yield* fiber
      assert.strictEqual(results.filter((result) => result._tag === "Right").length, 3)
    })
  )

  it("options out of range are refused with their name", () => {
    assert.throws(() => CircuitBreaker.consecutive(0), /failures must be an integer of 1 or more, got 0/)
    assert.throws(() => CircuitBreaker.config({ jitter: 2 }), /jitter must be between 0 and 1/)
    assert.throws(() => CircuitBreaker.config({ probes: 0.5 }), /probes must be an integer/)
    assert.throws(() => CircuitBreaker.config({ factor: Number.NaN }), /factor must be a finite number/)
  })
})
