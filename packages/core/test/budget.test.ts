import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, TestClock } from "effect"
import { Backoff, CircuitBreaker, Fallback, RetryBudget } from "../src/index.ts"
import { nextTier, retryable, scripted, tier, timed } from "./scripted.ts"

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
