import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Exit, Fiber, Stream, TestClock } from "effect"
import { Backoff, CircuitBreaker, Fallback, FallbackStream, RetryBudget } from "../src/index.ts"
import { breaking, broken, stage } from "./resuming.ts"
import {
  type Act,
  connected,
  endings,
  nextTier,
  recorded,
  retryable,
  scripted,
  tier,
  timed
} from "./scripted.ts"

const backoff = Backoff.constant({ delay: "1 second", times: 5 })
const make = RetryBudget.make({ max: 2, perSuccess: 0.5, minPerSecond: 0 })

describe("RetryBudget in a run", () => {
  it.effect("an empty budget sends the run on at once; a success pays a share of a token back", () =>
    Effect.gen(function* () {
      const budget = yield* make
      const [a, b] = [scripted([retryable]), scripted([{ ok: "b" }])]
      const run = tier("a", a, { backoff, budget }).pipe(Fallback.orElse(tier("b", b, { budget })))
      const first = yield* timed(run)
      assert.deepStrictEqual([first.exit, first.elapsed, a.calls], [Exit.succeed("b"), 2000, [0, 1000, 2000]])
      assert.strictEqual(yield* budget.balance, 0.5)
      const second = yield* timed(run)
      assert.deepStrictEqual([second.elapsed, a.calls.length], [0, 4])
    })
  )

  it.effect("a token that led to no attempt is given back", () =>
    Effect.gen(function* () {
      const budget = yield* make
      const a = scripted([retryable])
      const fiber = yield* Effect.fork(tier("a", a, { backoff, budget }))
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(yield* budget.balance, 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* budget.balance, 2)
    })
  )

  it.effect("a hedge costs one only where it starts something", () =>
    Effect.gen(function* () {
      const budget = yield* RetryBudget.make({ max: 9, minPerSecond: 0, perSuccess: 0 })
      const refusing = yield* CircuitBreaker.make({ key: "b" })
      const slow = () => tier("a", scripted([{ ok: "a", after: "9 seconds" }]), { budget })
      const b = tier("b", scripted([{ ok: "b", after: "5 seconds" }]))
      const cost = (run: Effect.Effect<string, unknown>) =>
        Effect.gen(function* () {
          const before = yield* budget.balance
          yield* timed(run)
          return before - (yield* budget.balance)
        })
      const after = { after: "1 second" } as const
      assert.strictEqual(yield* cost(slow().pipe(Fallback.hedge(b, after))), 1)
      // The next tier has started before the time, for this one failed.
      const fails = tier("a", scripted([nextTier]), { budget })
      assert.strictEqual(yield* cost(fails.pipe(Fallback.hedge(b, after))), 0)
      yield* refusing.trip()
      const refused = tier("b", scripted([{ ok: "b" }]), { breaker: refusing })
      assert.strictEqual(yield* cost(slow().pipe(Fallback.hedge(refused, after))), 0)
      assert.strictEqual(yield* cost(slow().pipe(Fallback.hedge(b, after), Fallback.atMost(1))), 0)
    })
  )

  it.effect("the first answer of a hedge is the run's, however long its budget takes to be told of it", () =>
    Effect.gen(function* () {
      const budget = { ...(yield* make), deposit: Effect.sleep("2 seconds") }
      const ends = (a: Act, b: Act) =>
        Effect.gen(function* () {
          const run = tier("a", scripted([a]), { budget }).pipe(
            Fallback.hedge(tier("b", scripted([b]), { budget }), { after: "1 second" })
          )
          const { effect, events } = recorded(run)
          const { elapsed, exit } = yield* timed(effect)
          assert.deepStrictEqual(endings(events), [
            "interrupted",
            "TierEnded",
            "success",
            "TierEnded",
            "success"
          ])
          return [exit, elapsed]
        })
      const [early, late] = [{ after: "3 seconds" }, { after: "4 seconds" }] as const
      assert.deepStrictEqual(yield* ends({ ok: "a", ...early }, { ok: "b", ...early }), [
        Exit.succeed("a"),
        5000
      ])
      assert.deepStrictEqual(yield* ends({ ok: "a", ...late }, { ok: "b", after: "2 seconds" }), [
        Exit.succeed("b"),
        5000
      ])
    })
  )

  it.effect("a hedge without a token waits for what is under way", () =>
    Effect.gen(function* () {
      const budget = yield* RetryBudget.make({ max: 1, minPerSecond: 0 })
      yield* budget.withdraw
      const b = scripted([{ ok: "b" }])
      const a = scripted([{ ok: "a", after: "9 seconds" }])
      const run = tier("a", a, { budget }).pipe(Fallback.hedge(tier("b", b), { after: "1 second" }))
      const { elapsed, exit } = yield* timed(run)
      assert.deepStrictEqual([exit, elapsed, b.calls], [Exit.succeed("a"), 9000, []])
    })
  )
})

/** A budget that grants everything, but for what is replaced of it. */
const granting = (replaced: Partial<RetryBudget.RetryBudget>): RetryBudget.RetryBudget => ({
  config: { max: 1, perSuccess: 0, minPerSecond: 0 },
  withdraw: Effect.succeed(true),
  deposit: Effect.void,
  refund: Effect.void,
  balance: Effect.succeed(1),
  ...replaced
})

const dies = Effect.sync((): never => {
  throw "bug"
})

/** A store that holds back what it has changed. */
const slow = (
  by: (before: CircuitBreaker.State, after: CircuitBreaker.State) => Duration.DurationInput
): CircuitBreaker.Store => {
  let state: CircuitBreaker.State = CircuitBreaker.initial
  return {
    modify: (_, f) =>
      Effect.suspend(() => {
        const before = state
        const [value, after] = f(before)
        state = after
        return Effect.delay(Effect.succeed(value), by(before, after))
      })
  }
}

describe("a budget that dies", () => {
  it.effect("of a retry ends the run with its defect", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "a" })
      const options = { backoff, breaker, budget: granting({ withdraw: dies }) }
      const { effect, events } = recorded(tier("a", scripted([retryable]), options))
      assert.deepStrictEqual((yield* timed(effect)).exit, Exit.die("bug"))
      assert.deepStrictEqual(endings(events), ["failure", "TierEnded", "failure"])
      assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutive: 1 })
    })
  )

  it.effect("of a success does so too, which nobody has then served", () =>
    Effect.gen(function* () {
      const options = { budget: granting({ deposit: dies }) }
      const { effect, events } = recorded(tier("a", scripted([{ ok: "a" }]), options))
      assert.deepStrictEqual((yield* timed(effect)).exit, Exit.die("bug"))
      assert.deepStrictEqual(endings(events), ["success", "TierEnded", "failure"])
      assert.deepInclude(events.at(-1), { servedBy: undefined, errorType: "defect" })
    })
  )

  it.effect("of the beginning of a stream closes that", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const breaker = yield* CircuitBreaker.make({ key: "a" })
      const stream = connected(log, "a", Stream.concat(Stream.make("Hel"), Stream.never))
      const a = FallbackStream.tier({ name: "a", stream, breaker, budget: granting({ deposit: dies }) })
      const { effect, events } = recorded(Stream.runDrain(a))
      assert.deepStrictEqual((yield* timed(effect)).exit, Exit.die("bug"))
      assert.deepStrictEqual(log, ["open a", "close a"])
      assert.deepStrictEqual(endings(events), ["success", "TierEnded", "failure"])
    })
  )

  it.effect("of a hedge interrupts what is under way", () =>
    Effect.gen(function* () {
      const a = scripted(["hang"])
      const options = { budget: granting({ withdraw: dies }) }
      const b = tier("b", scripted([{ ok: "b" }]))
      const hedged = tier("a", a, options).pipe(Fallback.hedge(b, { after: "1 second" }))
      const { effect, events } = recorded(hedged)
      const { elapsed, exit } = yield* timed(effect)
      assert.deepStrictEqual([exit, elapsed, a.interrupted], [Exit.die("bug"), 1000, [1000]])
      assert.deepStrictEqual(endings(events), ["interrupted", "TierEnded", "failure"])
    })
  )

  it.effect("of a hedge that started nothing does so too", () =>
    Effect.gen(function* () {
      const refusing = yield* CircuitBreaker.make({ key: "b" })
      yield* refusing.trip()
      const b = tier("b", scripted([{ ok: "b" }]), { breaker: refusing })
      const a = tier("a", scripted(["hang"]), { budget: granting({ refund: dies }) })
      const { effect, events } = recorded(a.pipe(Fallback.hedge(b, { after: "1 second" })))
      assert.deepStrictEqual((yield* timed(effect)).exit, Exit.die("bug"))
      assert.deepStrictEqual(endings(events), ["TierRefused", "interrupted", "TierEnded", "failure"])
    })
  )

  it.effect("but takes nothing from an answer that came before it", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "b", store: slow(() => "2 seconds") })
      const b = tier("b", scripted([{ ok: "b" }]), { breaker })
      const a = tier("a", scripted([{ ok: "a", after: "3 seconds" }]), { budget: granting({ refund: dies }) })
      const { effect, events } = recorded(a.pipe(Fallback.hedge(b, { after: "2 seconds" })))
      assert.deepStrictEqual((yield* timed(effect)).exit, Exit.succeed("a"))
      assert.deepStrictEqual(endings(events), ["success", "TierEnded", "success"])
    })
  )

  it.effect("of a stream that goes on with another leaves the first one's failure", () =>
    Effect.gen(function* () {
      const { going, log, tier } = stage()
      const b = going("b", () => Stream.concat(Stream.make("lo"), Stream.never), {
        budget: granting({ deposit: dies })
      })
      const { effect, events } = recorded(
        Stream.runDrain(tier("a", breaking("Hel")).pipe(FallbackStream.orElse(b)))
      )
      assert.deepStrictEqual((yield* timed(effect)).exit, Exit.fail(broken))
      assert.deepStrictEqual(log, ["open a", "close a", "open b after Hel", "close b after Hel"])
      assert.deepStrictEqual(endings(events), ["failure", "TierEnded", "success", "TierEnded", "failure"])
    })
  )

  it.effect("of what led to no attempt leaves no probe behind", () =>
    Effect.gen(function* () {
      const store = slow((before, after) =>
        before._tag === "Open" && after._tag === "HalfOpen" ? "9 seconds" : 0
      )
      const trip = CircuitBreaker.consecutive(1)
      const breaker = yield* CircuitBreaker.make({ key: "a", store, trip, openFor: "500 millis" })
      const options = { backoff, breaker, budget: granting({ refund: dies }) }
      const run = tier("a", scripted([retryable]), options).pipe(Fallback.within("5 seconds"))
      const { effect, events } = recorded(run)
      assert.deepStrictEqual((yield* timed(effect)).exit, Exit.die("bug"))
      assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", admitted: 1, probes: [] })
      assert.deepStrictEqual(endings(events).slice(-2), ["TierEnded", "failure"])
    })
  )
})
