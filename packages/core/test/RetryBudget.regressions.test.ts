import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { Backoff, Fallback, RetryBudget, Tier } from "../src/index.ts"
import { classify, retryable, scripted, timed } from "./scripted.ts"

const backoff = Backoff.constant({ delay: "1 second", times: 9 })

const tier = (budget: RetryBudget.RetryBudget, ...script: Parameters<typeof scripted>[0]) => {
  const { calls, effect } = scripted(script)
  return { calls, run: Tier.make({ name: "a", effect, classify, backoff, budget }) }
}

// Each bug of a peer as the test that it would have failed.
describe("what went wrong in others: retry budgets", () => {
  it.effect("failsafe-go#139: the retries that are granted whatever the traffic are not", () =>
    Effect.gen(function* () {
      const budget = yield* RetryBudget.make({ max: 3, perSuccess: 0, minPerSecond: 1 })
      const { calls, run } = tier(budget, retryable)
      yield* timed(run)
      assert.lengthOf(calls, 10)
    })
  )

  it.effect("aws-sdk-rust#1234: the budget is there, and no retry asks it", () =>
    Effect.gen(function* () {
      const budget = yield* RetryBudget.make({ max: 3, minPerSecond: 0 })
      const { calls, run } = tier(budget, retryable)
      yield* timed(run)
      assert.deepStrictEqual(calls, [0, 1000, 2000, 3000])
    })
  )

  it.effect("aws-sdk-go-v2#3550: once it is empty no success fills it any more", () =>
    Effect.gen(function* () {
      const budget = yield* RetryBudget.make({ max: 1, perSuccess: 0.5, minPerSecond: 0 })
      yield* budget.withdraw
      const { calls, run } = tier(budget, { ok: "well" }, { ok: "well" }, retryable, { ok: "again" })
      yield* Effect.replicateEffect(run, 2)
      assert.deepStrictEqual((yield* timed(run)).exit, Exit.succeed("again"))
      assert.deepStrictEqual(calls, [0, 0, 0, 1000])
    })
  )

  it.effect("aws-sdk-go-v2#3413: where it is empty the waits are gone, and not the retries", () =>
    Effect.gen(function* () {
      const budget = yield* RetryBudget.make({ max: 1, minPerSecond: 0 })
      yield* budget.withdraw
      const { calls, run } = tier(budget, retryable)
      const standby = Tier.make({ name: "standby", effect: Effect.succeed("standby") })
      assert.strictEqual(yield* run.pipe(Fallback.orElse(standby)), "standby")
      assert.deepStrictEqual(calls, [0])
    })
  )
})
