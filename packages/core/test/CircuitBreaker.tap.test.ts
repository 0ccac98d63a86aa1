import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, TestClock } from "effect"
import { Attempt, CircuitBreaker, Fallback, Outcome, Tier } from "../src/index.ts"
import { down, options } from "./breakers.ts"

const { execute } = CircuitBreaker

describe("CircuitBreaker.tapReport", () => {
  it.effect("hears each report before its reporter goes on", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(options)
      const heard: Array<unknown> = []
      const tapped = CircuitBreaker.tapReport(breaker, (transition, outcome) =>
        Effect.delay(
          Effect.sync(() => heard.push([transition?.to, outcome._tag])),
          "1 second"
        )
      )
      const call = yield* Effect.fork(execute(Effect.succeed("answer"), tapped))
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual([heard, call.unsafePoll()], [[], null])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.await(call), Exit.succeed("answer"))
      const { permit } = yield* tapped.admit
      const report = yield* Effect.fork(tapped.report(permit, Outcome.failure()))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(report), { key: "k", to: "Open" })
      assert.deepStrictEqual(heard, [
        [undefined, "Success"],
        ["Open", "Failure"]
      ])
      assert.strictEqual((yield* breaker.state)._tag, "Open")
    })
  )

  it.effect("tells what it tells to the listener of the run that reports, or to the one around", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const hears = (name: string) => (event: Attempt.Event) => {
        heard.push(`${name}: ${event.run} ${event._tag}`)
      }
      const breaker = yield* CircuitBreaker.make(options)
      const tapped = CircuitBreaker.tapReport(breaker, () =>
        Effect.map(Attempt.Listener, (listener) =>
          listener?.({
            _tag: "TierRefused",
            run: "elsewhere",
            refusal: { tier: "q", labels: {}, retryAfter: Duration.zero }
          })
        )
      )
      const run = Fallback.served(Tier.make({ name: "p", effect: down, breaker: tapped }), {
        listener: hears("its own")
      })
      const around = Effect.provideService(Attempt.Listener, hears("around"))
      yield* around(Effect.exit(run))
      assert.deepStrictEqual(heard.splice(0), [
        "its own: elsewhere TierRefused",
        "its own: p BreakerChanged",
        "its own: p AttemptEnded",
        "its own: p TierEnded",
        "its own: p RunEnded"
      ])
      yield* breaker.reset
      yield* around(Effect.exit(execute(down, tapped)))
      assert.deepStrictEqual(heard, ["around: elsewhere TierRefused"])
    })
  )
})
