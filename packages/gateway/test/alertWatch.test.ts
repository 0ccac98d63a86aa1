import { assert, describe, it } from "@effect/vitest"
import type * as Attempt from "@understudy/core/Attempt"
import * as Health from "@understudy/core/Health"
import { Duration, Effect, TestClock } from "effect"
import { watch } from "../src/internal/serving/alertWatch.ts"

const refused: Attempt.Event = {
  _tag: "TierRefused",
  run: "chat",
  refusal: { tier: "primary", labels: {}, retryAfter: Duration.seconds(1) }
}

describe("watching alerts", () => {
  it.effect("tells of each beginning and each end once, and of the end though nobody calls any more", () =>
    Effect.gen(function* () {
      const alerts = ["primary", "standby"].map((tier) =>
        Health.alert({ run: "chat", tier, over: "1 minute", atLeast: 2 })
      )
      const health = yield* Health.make({ alerts })
      const told: Array<unknown> = []
      yield* Effect.fork(
        watch(health.alerts, ({ alert, due, firing }) => told.push([alert.tier, firing, due]))
      )
      health.listener(refused)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(told, [])
      health.listener(refused)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(told, [["primary", true, 2]])
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(told, [
        ["primary", true, 2],
        ["primary", false, 0]
      ])
      for (let call = 0; call < 2; call++) health.listener(refused)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(told.length, 3)
    })
  )

  it.effect("tells of the end of one that is watched no more", () =>
    Effect.gen(function* () {
      const health = yield* Health.make({
        alerts: [Health.alert({ run: "chat", tier: "primary", atLeast: 1 })]
      })
      const told: Array<unknown> = []
      let watched = health.alerts
      yield* Effect.fork(
        watch(
          Effect.suspend(() => watched),
          ({ alert, firing }) => told.push([alert.tier, firing])
        )
      )
      health.listener(refused)
      yield* TestClock.adjust("1 second")
      watched = Effect.succeed([])
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(told, [
        ["primary", true],
        ["primary", false]
      ])
    })
  )
})
