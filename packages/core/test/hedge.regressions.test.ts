import { assert, describe, it } from "@effect/vitest"
import { Deferred, type Duration, Effect, Exit, TestClock } from "effect"
import { CircuitBreaker, Fallback, Outcome, RetryBudget, Tier } from "../src/index.ts"
import { type Act, nextTier, recorded, scripted, tier, timed } from "./scripted.ts"

const after = { after: "2 seconds" } as const

const exhausted = Effect.tap(RetryBudget.make({ max: 1, minPerSecond: 0 }), (budget) => budget.withdraw)

const failsAfter = (wait: Duration.DurationInput): Act => ({
  fail: Outcome.failure({ next: "nextTier" }),
  after: wait
})

// Each bug of a peer as the test that it would have failed.
describe("what went wrong in others: hedges", () => {
  it.effect("Polly#1340: the timeout of one copy cancels the others", () =>
    Effect.gen(function* () {
      const b = scripted([{ ok: "b", after: "5 seconds" }])
      const run = tier("a", scripted(["hang"]), { attemptTimeout: "3 seconds" })
      const { elapsed, exit } = yield* timed(run.pipe(Fallback.hedge(tier("b", b), after)))
      assert.deepStrictEqual([exit, elapsed, b.calls, b.interrupted], [Exit.succeed("b"), 7000, [2000], []])
    })
  )

  it.effect("grpc-java#7222: where no copy may start any more the call hangs until its deadline", () =>
    Effect.gen(function* () {
      const budget = yield* exhausted
      const b = scripted([nextTier])
      const run = tier("a", scripted([failsAfter("4 seconds")]), { budget }).pipe(
        Fallback.hedge(tier("b", b), after),
        Fallback.within("1 minute")
      )
      const { elapsed, exit } = yield* timed(Effect.flip(run))
      assert.deepStrictEqual([elapsed, b.calls], [4000, [4000]])
      const error = yield* exit
      assert(error._tag === "AllTiersFailed")
      assert.deepStrictEqual([error.reason, error.attempts.length], ["failed", 2])
    })
  )

  it.effect("grpc-java#10145: a copy that fails does not start the next one before its delay", () =>
    Effect.gen(function* () {
      const b = scripted([{ ok: "b" }])
      const run = tier("a", scripted([failsAfter("1 second")])).pipe(Fallback.hedge(tier("b", b), after))
      const { elapsed } = yield* timed(run)
      assert.deepStrictEqual([b.calls, elapsed], [[1000], 1000])
    })
  )

  it.effect("grpc-java#9185, #10314: two answers in one instant, and neither or both are the call's", () =>
    Effect.gen(function* () {
      const closed: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const answering = (name: string) =>
        Tier.make({
          name,
          effect: Effect.addFinalizer(() => Effect.sync(() => closed.push(name))).pipe(
            Effect.zipRight(Deferred.await(gate)),
            Effect.as(name)
          )
        })
      const { effect, events } = recorded(answering("a").pipe(Fallback.hedge(answering("b"), after)))
      yield* Effect.fork(Effect.delay(Deferred.succeed(gate, undefined), "3 seconds"))
      const { elapsed, exit } = yield* timed(effect)
      const answer = yield* exit
      assert.strictEqual(elapsed, 3000)
      assert.sameMembers(closed, ["a", "b"])
      assert.deepStrictEqual(
        events.flatMap((event) =>
          event._tag === "AttemptEnded" && event.attempt.outcome === "success" ? event.attempt.tier : []
        ),
        [answer]
      )
    })
  )

  it.effect(
    "Effect.race: what runs uninterruptibly waits for its losers, for ever where they never end",
    () =>
      Effect.gen(function* () {
        const exhaustedBudget = yield* exhausted
        for (const [first, second, options] of [
          [{ ok: "answer", after: "3 seconds" }, "hang", {}],
          ["hang", { ok: "answer", after: "1 second" }, {}],
          // What stands in for the company that it does not get never ends either.
          [{ ok: "answer", after: "3 seconds" }, "hang", { budget: exhaustedBudget }],
          [{ ok: "answer", after: "1 second" }, "hang", {}]
        ] as const) {
          const run = tier("a", scripted([first]), options).pipe(
            Fallback.hedge(tier("b", scripted([second])), after)
          )
          const { elapsed, exit } = yield* timed(Effect.uninterruptible(run))
          assert.deepStrictEqual(exit, Exit.succeed("answer"))
          assert.isAtMost(elapsed, 3_000)
        }
      })
  )

  it.effect("and an interruption that waits for its end reaches neither side", () =>
    Effect.gen(function* () {
      const [a, b, c] = [scripted(["hang"]), scripted(["hang"]), scripted([{ ok: "c", after: "1 second" }])]
      const run = tier("a", a).pipe(Fallback.hedge(tier("b", b), after), Fallback.hedge(tier("c", c), after))
      const answer = yield* Deferred.make<string, unknown>()
      const fiber = yield* Effect.fork(Effect.uninterruptible(Effect.intoDeferred(run, answer)))
      yield* TestClock.adjust("1 second")
      fiber.unsafeInterruptAsFork(fiber.id())
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* answer, "c")
      assert.deepStrictEqual([a.interrupted, b.interrupted, c.calls], [[5_000], [5_000], [4_000]])
    })
  )

  it.effect("failsafe-go#141: a budget that is used up fails what is under way", () =>
    Effect.gen(function* () {
      const budget = yield* exhausted
      const a = scripted([{ ok: "a", after: "9 seconds" }])
      const run = tier("a", a, { budget }).pipe(Fallback.hedge(tier("b", scripted(["hang"])), after))
      const { elapsed, exit } = yield* timed(run)
      assert.deepStrictEqual([exit, elapsed, a.interrupted], [Exit.succeed("a"), 9000, []])
    })
  )

  it.effect("what is answered before the next tier has started has its token back", () =>
    Effect.gen(function* () {
      const budget = yield* RetryBudget.make({ max: 1, minPerSecond: 0 })
      let state: CircuitBreaker.State = CircuitBreaker.initial
      const slowly: CircuitBreaker.Store = {
        modify: (_, f) =>
          Effect.map(Effect.sleep("2 seconds"), () => {
            const [a, next] = f(state)
            state = next
            return a
          })
      }
      const breaker = yield* CircuitBreaker.make({ key: "b", store: slowly })
      const a = scripted([{ ok: "a", after: "3 seconds" }])
      const b = scripted([{ ok: "b" }])
      const run = tier("a", a, { budget }).pipe(Fallback.hedge(tier("b", b, { breaker }), after))
      assert.deepStrictEqual((yield* timed(run)).exit, Exit.succeed("a"))
      assert.deepStrictEqual([b.calls, yield* budget.balance], [[], 1])
    })
  )
})
