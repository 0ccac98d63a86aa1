import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Random, TestClock } from "effect"
import { Backoff, CircuitBreaker, Fallback, Outcome, RetryBudget, Tier } from "../src/index.ts"
import { type Act, classify, type Refused, recorded, retryable, scripted, tier, timed } from "./scripted.ts"

const second = Backoff.constant({ delay: "1 second", times: 3 })

/** When each of two tiers was called, the first of which does as the script says. */
const calls = (acts: ReadonlyArray<Act>, options: Partial<Tier.Options<Refused>>) =>
  Effect.gen(function* () {
    const [a, b] = [scripted(acts), scripted([{ ok: "b" }])]
    const run = tier("a", a, options).pipe(Fallback.orElse(tier("b", b)))
    const { exit } = yield* timed(run)
    return { exit, a: a.calls, b: b.calls }
  })

const asks = (after: Duration.DurationInput, next: Outcome.Next = "retry"): Act => ({
  fail: Outcome.failure({ next, retryAfter: Duration.decode(after) })
})

describe("what follows a failed attempt", () => {
  it.effect("a wait that ends with the tier's time is not begun, one that ends before is", () =>
    Effect.gen(function* () {
      const bounded = (timeout: Duration.DurationInput) => calls([retryable], { backoff: second, timeout })
      assert.deepInclude(yield* bounded("2 seconds"), { a: [0, 1_000], b: [1_000] })
      const { a, b } = yield* bounded("2001 millis")
      const start = a[0] ?? 0
      assert.deepStrictEqual(
        [...a, ...b].map((at) => at - start),
        [0, 1_000, 2_000, 2_000]
      )
    })
  )

  it.effect(
    "a wait that ends when the breaker lets a probe through is begun, one that ends before is not",
    () =>
      Effect.gen(function* () {
        const retried = (delay: Duration.DurationInput) =>
          Effect.gen(function* () {
            const trip = CircuitBreaker.consecutive(1)
            const breaker = yield* CircuitBreaker.make({ key: "a", trip, openFor: "1 second", jitter: 0 })
            const backoff = Backoff.constant({ delay, times: 1 })
            const { a, b } = yield* calls([retryable, { ok: "a" }], { backoff, breaker })
            return [a.length, b.length]
          })
        assert.deepStrictEqual(yield* retried("1 second"), [2, 0])
        assert.deepStrictEqual(yield* retried("999 millis"), [1, 1])
      })
  )

  it.effect("the longer of the backoff and a hint is waited for", () =>
    Effect.gen(function* () {
      const backoff = Backoff.constant({ delay: "1 second", times: 2 })
      const { a } = yield* calls([asks("500 millis"), asks("2 seconds"), { ok: "a" }], { backoff })
      assert.deepStrictEqual(a, [0, 1_000, 3_000])
    })
  )

  it.effect("a hint as long as the tier's patience is waited for; a longer one opens the breaker", () =>
    Effect.gen(function* () {
      const asked = (hint: Duration.DurationInput, next?: Outcome.Next) =>
        Effect.gen(function* () {
          const breaker = yield* CircuitBreaker.make({ key: "a" })
          const { a, b, exit } = yield* calls([asks(hint, next), { ok: "a" }], {
            backoff: second,
            maxRetryAfter: "5 seconds",
            breaker
          })
          return [a.length, b.length, Exit.isSuccess(exit), (yield* breaker.state)._tag]
        })
      assert.deepStrictEqual(yield* asked("5 seconds"), [2, 0, true, "Closed"])
      assert.deepStrictEqual(yield* asked("5001 millis"), [1, 1, true, "Open"])
      assert.deepStrictEqual(yield* asked("5001 millis", "nextTier"), [1, 1, true, "Open"])
      assert.deepStrictEqual(yield* asked("5001 millis", "abort"), [1, 0, false, "Open"])
    })
  )

  it.effect("an error that is judged a success is no answer, and nothing to try again", () =>
    Effect.gen(function* () {
      const { a, b, exit } = yield* calls([{ fail: Outcome.success }], { backoff: second })
      assert.deepStrictEqual([exit, a, b], [Exit.succeed("b"), [0], [0]])
    })
  )

  it.effect("what classify throws ends the run there, and is one failure to the breaker and no more", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(2) })
      const bug = new Error("bug")
      const throws = () => {
        throw bug
      }
      const [a, b] = [scripted([retryable]), scripted([{ ok: "b" }])]
      const first = tier("a", a, { backoff: second, breaker, classify: throws })
      const { effect, events } = recorded(first.pipe(Fallback.orElse(tier("b", b))))
      const { exit } = yield* timed(effect)
      assert.deepStrictEqual([exit, a.calls, b.calls], [Exit.die(bug), [0], []])
      assert.deepNestedInclude(events[0], { _tag: "AttemptEnded", "attempt.errorType": "defect" })
      assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutive: 1 })
    })
  )

  it.effect("a caller that leaves while a tier without a budget waits has left, and no more", () =>
    Effect.gen(function* () {
      const { effect } = scripted([retryable])
      const fiber = yield* Effect.fork(Tier.make({ name: "a", effect, classify, backoff: second }))
      yield* TestClock.adjust("500 millis")
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
    })
  )

  it.effect("a decorrelated wait grows from the wait before it, not from a hint that was longer", () =>
    Effect.gen(function* () {
      const backoff = Backoff.exponential({
        jitter: "decorrelated",
        base: "1 second",
        max: "1 minute",
        times: 3
      })
      const { a } = yield* Effect.withRandom(
        calls([retryable, asks("4 seconds"), retryable, { ok: "a" }], { backoff }),
        Random.fixed([0.5])
      )
      // Drawn: 2, 3.5 and 5.75 seconds; asked for: 4 in place of 3.5.
      assert.deepStrictEqual(a, [0, 2_000, 6_000, 11_750])
    })
  )

  it.effect("a wait that is not begun costs no token, and one token is one retry", () =>
    Effect.gen(function* () {
      const left = (options: Partial<Tier.Options<Refused>>) =>
        Effect.gen(function* () {
          const budget = yield* RetryBudget.make({ max: 5, minPerSecond: 0, perSuccess: 0 })
          yield* calls([retryable], { backoff: second, budget, ...options })
          return yield* budget.balance
        })
      assert.strictEqual(yield* left({}), 2)
      assert.strictEqual(yield* left({ timeout: "1500 millis" }), 4)
      const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(2) })
      assert.strictEqual(yield* left({ breaker }), 4)
    })
  )
})
