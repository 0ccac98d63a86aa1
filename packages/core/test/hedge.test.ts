import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, TestClock } from "effect"
import { CircuitBreaker, Fallback, Outcome, Tier } from "../src/index.ts"
import { type Act, callersFault, endings, nextTier, recorded, scripted, tier, timed } from "./scripted.ts"

const after = { after: "2 seconds" } as const

describe("Fallback.hedge", () => {
  it.effect("an answer before the time starts nothing else", () =>
    Effect.gen(function* () {
      const [a, b] = [scripted([{ ok: "a", after: "1 second" }]), scripted([{ ok: "b" }])]
      const { elapsed, exit } = yield* timed(tier("a", a).pipe(Fallback.hedge(tier("b", b), after)))
      assert.deepStrictEqual([exit, elapsed, b.calls], [Exit.succeed("a"), 1000, []])
    })
  )

  it.effect(
    "a silent tier gets company; the first answer wins, the loser is interrupted and counts for nothing",
    () =>
      Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(1) })
        const [a, b] = [scripted(["hang"]), scripted([{ ok: "b", after: "1 second" }])]
        const { effect, events } = recorded(
          tier("a", a, { breaker }).pipe(Fallback.hedge(tier("b", b), after))
        )
        const { elapsed, exit } = yield* timed(effect)
        assert.deepStrictEqual([exit, elapsed], [Exit.succeed("b"), 3000])
        assert.deepStrictEqual([a.calls, a.interrupted, b.calls], [[0], [3000], [2000]])
        assert.strictEqual((yield* breaker.state)._tag, "Closed")
        assert.deepStrictEqual(
          events.map((event) =>
            event._tag === "AttemptEnded" ? [event.attempt.tier, event.attempt.outcome] : event._tag
          ),
          [["b", "success"], "TierEnded", ["a", "interrupted"], "TierEnded", "RunEnded"]
        )
      })
  )

  it.effect("what is served tells of the attempt that was interrupted for it, too", () =>
    Effect.gen(function* () {
      const hedged = tier("a", scripted(["hang"])).pipe(
        Fallback.hedge(tier("b", scripted([{ ok: "b" }])), after)
      )
      const { exit } = yield* timed(Fallback.served(hedged))
      assert(Exit.isSuccess(exit))
      assert.deepStrictEqual(
        exit.value.attempts.map(({ outcome, tier }) => [tier, outcome]),
        [
          ["b", "success"],
          ["a", "interrupted"]
        ]
      )
    })
  )

  it.effect("a loser that does not let go holds up neither an answer nor the end of the run", () =>
    Effect.gen(function* () {
      const a = scripted(["hangUninterruptibly"])
      const answered = yield* timed(
        tier("a", a).pipe(Fallback.hedge(tier("b", scripted([{ ok: "b", after: "1 second" }])), after)),
        "1 hour",
        "something"
      )
      assert.deepStrictEqual([answered.exit, answered.elapsed], [Exit.succeed("b"), 3000])
      const refused = yield* timed(
        Effect.flip(tier("a", a).pipe(Fallback.hedge(tier("b", scripted([callersFault])), after))),
        "1 hour",
        "something"
      )
      assert.strictEqual(refused.elapsed, 2000)
      yield* a.letGo
    })
  )

  it.effect("the first tier may still win", () =>
    Effect.gen(function* () {
      const [a, b] = [scripted([{ ok: "a", after: "3 seconds" }]), scripted(["hang"])]
      const { elapsed, exit } = yield* timed(tier("a", a).pipe(Fallback.hedge(tier("b", b), after)))
      assert.deepStrictEqual([exit, elapsed, b.interrupted], [Exit.succeed("a"), 3000, [3000]])
    })
  )

  it.effect("a failure starts the next tier at once, and its failure waits for what is under way", () =>
    Effect.gen(function* () {
      const early = scripted([nextTier])
      const { elapsed } = yield* timed(
        tier("a", early).pipe(Fallback.hedge(tier("b", scripted([{ ok: "b" }])), after))
      )
      assert.strictEqual(elapsed, 0)
      const slow = scripted([{ ok: "a", after: "5 seconds" }])
      const late = yield* timed(tier("a", slow).pipe(Fallback.hedge(tier("b", scripted([nextTier])), after)))
      assert.deepStrictEqual([late.exit, late.elapsed], [Exit.succeed("a"), 5000])
    })
  )

  it.effect("when both fail the run fails with every attempt", () =>
    Effect.gen(function* () {
      const run = tier(
        "a",
        scripted([{ fail: Outcome.failure({ next: "nextTier" }), after: "4 seconds" }])
      ).pipe(Fallback.hedge(tier("b", scripted([nextTier])), after))
      const { elapsed, exit } = yield* timed(Effect.flip(run))
      assert.strictEqual(elapsed, 4000)
      assert(Exit.isSuccess(exit) && exit.value._tag === "AllTiersFailed")
      assert.sameMembers(
        exit.value.attempts.map((attempt) => attempt.tier),
        ["a", "b"]
      )
    })
  )

  it.effect("a failure that aborts ends both sides", () =>
    Effect.gen(function* () {
      const a = scripted(["hang"])
      const run = tier("a", a).pipe(Fallback.hedge(tier("b", scripted([callersFault])), after))
      const { elapsed, exit } = yield* timed(Effect.flip(run))
      assert(Exit.isSuccess(exit))
      assert.deepStrictEqual([exit.value._tag, elapsed, a.interrupted], ["Refused", 2000, [2000]])
    })
  )

  it.effect(
    "and it is what the run is told to have ended with, not the side that was interrupted for it",
    () =>
      Effect.gen(function* () {
        const endOf = (act: Act) =>
          Effect.gen(function* () {
            const run = tier("a", scripted(["hang"])).pipe(Fallback.hedge(tier("b", scripted([act])), after))
            const { effect, events } = recorded(run)
            yield* timed(Effect.exit(effect))
            const end = events.at(-1)
            assert(end?._tag === "RunEnded")
            return [end.outcome, end.errorType]
          })
        assert.deepStrictEqual(yield* endOf(callersFault), ["rejected", "invalid_request"])
        assert.deepStrictEqual(yield* endOf({ die: "bug" }), ["failure", "defect"])
      })
  )

  it.effect(
    "so does the failure of a fallback in the lower tier, though it is of the class of the run's own",
    () =>
      Effect.gen(function* () {
        const a = scripted([{ ok: "a", after: "9 seconds" }])
        const inner = Fallback.orElse(tier("x", scripted([nextTier])), tier("y", scripted([nextTier])))
        const b = Tier.make({ name: "b", effect: inner, classify: () => Outcome.ignored() })
        const { elapsed, exit } = yield* timed(Effect.flip(tier("a", a).pipe(Fallback.hedge(b, after))))
        const error = yield* exit
        assert(error._tag === "AllTiersFailed")
        assert.deepStrictEqual(
          [error.attempts.map(({ tier }) => tier), elapsed, a.interrupted],
          [["x", "y"], 2000, [2000]]
        )
        // And where the upper one has failed before.
        const failed = yield* timed(
          Effect.flip(tier("a", scripted([nextTier])).pipe(Fallback.hedge(b, after)))
        )
        assert.deepStrictEqual(Exit.map(failed.exit, String), Exit.map(exit, String))
      })
  )

  it.effect("an answer that comes as the deadline ends the other side is the run's", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<string>()
      const a = Tier.make({ name: "a", effect: Deferred.await(gate) })
      const b = Tier.make({
        name: "b",
        effect: Effect.onInterrupt(Effect.never, () => Deferred.succeed(gate, "a"))
      })
      const { effect, events } = recorded(a.pipe(Fallback.hedge(b, after), Fallback.within("5 seconds")))
      const { elapsed, exit } = yield* timed(effect)
      assert.deepStrictEqual([exit, elapsed], [Exit.succeed("a"), 5000])
      assert.deepStrictEqual(endings(events), ["timeout", "TierEnded", "success", "TierEnded", "success"])
    })
  )

  it.effect("at the deadline nothing is waited for that does not let go", () =>
    Effect.gen(function* () {
      const [a, b] = [scripted(["hangUninterruptibly"]), scripted(["hangUninterruptibly"])]
      const run = tier("a", a).pipe(Fallback.hedge(tier("b", b), after), Fallback.within("5 seconds"))
      const { elapsed, exit } = yield* timed(Effect.flip(run), "1 hour", "something")
      const error = yield* exit
      assert(error._tag === "AllTiersFailed")
      assert.deepStrictEqual([error.reason, elapsed], ["deadline", 5000])
      yield* a.letGo
      yield* b.letGo
    })
  )

  it.effect("a caller that leaves interrupts all of them", () =>
    Effect.gen(function* () {
      const [a, b, c] = [scripted(["hang"]), scripted(["hang"]), scripted(["hang"])]
      const fiber = yield* Effect.fork(
        tier("a", a).pipe(Fallback.hedge(tier("b", b), after), Fallback.hedge(tier("c", c), after))
      )
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([a.calls, b.calls, c.calls], [[0], [2000], [4000]])
      assert.deepStrictEqual([a.interrupted, b.interrupted, c.interrupted], [[5000], [5000], [5000]])
    })
  )
})
