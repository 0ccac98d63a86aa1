import { assert, describe, it } from "@effect/vitest"
import { type Clock, Effect, FastCheck, TestClock } from "effect"
import { RetryBudget } from "../src/index.ts"
import { law } from "./law.ts"

const settings = FastCheck.record({
  max: FastCheck.integer({ min: 1, max: 12 }),
  perSuccess: FastCheck.integer({ min: 0, max: 15 }).map((tenths) => tenths / 10),
  minPerSecond: FastCheck.integer({ min: 0, max: 4 }).map((halves) => halves / 2)
}).map(RetryBudget.config)

/** What happens to a bucket, and how many milliseconds after what happened before. */
const histories = FastCheck.array(
  FastCheck.record({
    after: FastCheck.oneof(FastCheck.constant(0), FastCheck.nat(40), FastCheck.nat(4_000)),
    _tag: FastCheck.constantFrom(
      "Withdraw" as const,
      "Withdraw" as const,
      "Deposit" as const,
      "Refund" as const
    )
  }),
  { maxLength: 40 }
)

type History = typeof histories extends FastCheck.Arbitrary<infer A> ? A : never

/**
 * The bucket of the tests: it is filled drop by drop, one for every millisecond, in units so small that every
 * setting is a whole number of them.
 */
const naive = (config: RetryBudget.Config) => {
  const unit = 2_000
  const full = config.max * unit
  let level = full
  return {
    wait: (millis: number) => {
      for (let drop = 0; drop < millis; drop++) level = Math.min(full, level + config.minPerSecond * 2)
    },
    earn: (tokens: number) => {
      level = Math.min(full, level + Math.round(tokens * unit))
    },
    take: () => {
      if (level < unit) return false
      level -= unit
      return true
    }
  }
}

const replay = (config: RetryBudget.Config, history: History) => {
  let state = RetryBudget.initial(config)
  let now = 0
  return history.map(({ _tag, after }) => {
    now += after
    const [granted, next] = RetryBudget.step(config, state, { _tag, now })
    state = next
    return { _tag, now, granted, state }
  })
}

describe("RetryBudget", () => {
  law("law: grants what a bucket filled drop by drop grants", [settings, histories], (config, history) => {
    const model = naive(config)
    const expected = history.map(({ _tag, after }) => {
      model.wait(after)
      if (_tag === "Withdraw") return model.take()
      model.earn(_tag === "Deposit" ? config.perSuccess : 1)
      return false
    })
    assert.deepStrictEqual(
      replay(config, history).map(({ granted }) => granted),
      expected
    )
  })

  law(
    "L31: in any stretch of time, what is taken was there, earned, given back or paid by time",
    [settings, histories],
    (config, history) => {
      const steps = replay(config, history)
      for (const [from, start] of steps.entries()) {
        const balance = { charged: 0, earned: 0 }
        for (const { _tag, granted, now } of steps.slice(from + 1)) {
          if (granted) balance.charged++
          if (_tag === "Deposit") balance.earned += config.perSuccess
          if (_tag === "Refund") balance.earned += 1
          const paid = (config.minPerSecond * (now - start.now)) / 1_000
          assert.isAtMost(balance.charged, config.max + balance.earned + paid + 1e-9)
        }
      }
    }
  )

  law(
    "law: it holds between nothing and max, and time that runs backwards pays nothing",
    [settings, histories, FastCheck.nat(5_000)],
    (config, history, back) => {
      for (const { now, state } of replay(config, history)) {
        assert.isAtLeast(state.thousandths, 0)
        assert.isAtMost(state.thousandths, config.max * 1_000)
        const [granted, later] = RetryBudget.step(config, state, {
          _tag: "Withdraw",
          now: Math.min(now, state.paidUntil) - back
        })
        assert.deepStrictEqual(later, {
          ...state,
          thousandths: state.thousandths - (granted ? 1_000 : 0)
        })
      }
    }
  )

  it.effect("ten successes pay for one retry, exactly", () =>
    Effect.gen(function* () {
      const budget = yield* RetryBudget.make({ minPerSecond: 0 })
      for (let taken = 0; taken < 10; taken++) assert.isTrue(yield* budget.withdraw)
      for (let success = 0; success < 9; success++) yield* budget.deposit
      assert.isFalse(yield* budget.withdraw)
      yield* budget.deposit
      assert.strictEqual(yield* budget.balance, 1)
      assert.isTrue(yield* budget.withdraw)
    })
  )

  it.effect("time pays too, so that a caller of little traffic can retry", () =>
    Effect.gen(function* () {
      const budget = yield* RetryBudget.make({ max: 2 })
      assert.deepStrictEqual(
        [yield* budget.withdraw, yield* budget.withdraw, yield* budget.withdraw],
        [true, true, false]
      )
      yield* TestClock.adjust("999 millis")
      assert.isFalse(yield* budget.withdraw)
      yield* TestClock.adjust("1 millis")
      assert.isTrue(yield* budget.withdraw)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* budget.balance, 2)
    })
  )

  it.effect("a refund gives the token back, but fills no bucket beyond its brim", () =>
    Effect.gen(function* () {
      const budget = yield* RetryBudget.make({ max: 1 })
      yield* budget.refund
      assert.strictEqual(yield* budget.balance, 1)
      yield* budget.withdraw
      yield* budget.refund
      assert.isTrue(yield* budget.withdraw)
      assert.isFalse(yield* budget.withdraw)
    })
  )

  it.effect("reading the balance changes nothing", () =>
    Effect.gen(function* () {
      const budget = yield* RetryBudget.make({ max: 1, minPerSecond: 0.1 })
      yield* budget.withdraw
      for (let second = 1; second < 10; second++) {
        yield* TestClock.adjust("1 seconds")
        assert.closeTo(yield* budget.balance, second / 10, 1e-9)
      }
      yield* TestClock.adjust("1 seconds")
      assert.isTrue(yield* budget.withdraw)
    })
  )

  it.effect("a hundred fibers that ask at once get what there is, once", () =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const yielding: Clock.Clock = {
        ...clock,
        currentTimeNanos: Effect.zipRight(Effect.yieldNow(), clock.currentTimeNanos)
      }
      const budget = yield* RetryBudget.make()
      const granted = yield* Effect.all(
        Array.from({ length: 100 }, () => budget.withdraw),
        { concurrency: "unbounded" }
      ).pipe(Effect.withClock(yielding))
      assert.strictEqual(granted.filter(Boolean).length, 10)
    })
  )

  it("one key is one bucket, another key another", () => {
    const budgetOf = Effect.runSync(RetryBudget.keyed({ max: 1, minPerSecond: 0 }))
    assert.isTrue(Effect.runSync(budgetOf("a").withdraw))
    assert.isFalse(Effect.runSync(budgetOf("a").withdraw))
    assert.isTrue(Effect.runSync(budgetOf("b").withdraw))
  })

  it("options out of range are refused with their name", () => {
    const infinite = Number.POSITIVE_INFINITY
    assert.throws(
      () => RetryBudget.make({ max: 0 }),
      "RetryBudget: max must be a finite number of 1 or more, got 0"
    )
    assert.throws(() => RetryBudget.make({ max: infinite }), /max must be a finite number/)
    assert.throws(
      () => RetryBudget.keyed({ perSuccess: -0.1 }),
      /perSuccess must be a finite number of 0 or more/
    )
    assert.throws(() => RetryBudget.config({ perSuccess: infinite }), /perSuccess must be a finite number/)
    assert.throws(
      () => RetryBudget.config({ minPerSecond: Number.NaN }),
      /minPerSecond must be a finite number/
    )
  })
})
