import { assert, describe, it } from "@effect/vitest"
import { Chunk, Duration, Effect, FastCheck, Random, Ref, Schedule, TestClock } from "effect"
import { Backoff } from "../src/index.ts"

const backoffs = FastCheck.record({
  times: FastCheck.nat(6),
  base: FastCheck.nat(5_000),
  factor: FastCheck.integer({ min: 1, max: 5 }),
  max: FastCheck.nat(20_000),
  jitter: FastCheck.constantFrom("none" as const, "full" as const, "equal" as const, "decorrelated" as const)
}).map(Backoff.exponential)

/** The waits of a backoff as the engine draws them. */
const waits = (backoff: Backoff.Backoff): Effect.Effect<Array<number>> =>
  Effect.gen(function* () {
    const drawn: Array<number> = []
    let previous = backoff.base
    for (let retry = 1; retry <= backoff.times; retry++) {
      previous = yield* Backoff.delay(backoff, retry, previous)
      drawn.push(Duration.toMillis(previous))
    }
    return drawn
  })

describe("Backoff", () => {
  it("law: every wait lies between 0 and its largest, which never exceeds max", () =>
    FastCheck.assert(
      FastCheck.property(backoffs, FastCheck.string(), (backoff, seed) => {
        const drawn = Effect.runSync(Effect.withRandom(waits(backoff), Random.make(seed)))
        for (const [index, wait] of drawn.entries()) {
          assert.isAtLeast(wait, 0)
          assert.isAtMost(wait, Duration.toMillis(Backoff.largest(backoff, index + 1)))
        }
        assert.isAtMost(Duration.toMillis(Backoff.largest(backoff, 6)), Duration.toMillis(backoff.max))
      }),
      { numRuns: 1000 }
    ))

  it("the largest wait is finite for any retry number", () => {
    for (const retry of [1, 1024, 1_000_000]) {
      assert.strictEqual(
        Duration.toMillis(Backoff.largest(Backoff.exponential(), retry)),
        retry === 1 ? 250 : 4000
      )
      assert.strictEqual(Duration.toMillis(Backoff.largest(Backoff.exponential({ base: 0 }), retry)), 0)
    }
  })

  it.effect.prop(
    "law: the schedule has exactly the same waits",
    [backoffs, FastCheck.string()],
    ([backoff, seed]) =>
      Effect.gen(function* () {
        const attempts = yield* Ref.make<Array<number>>([])
        const attempt = Effect.zipRight(
          Effect.flatMap(TestClock.currentTimeMillis, (now) => Ref.update(attempts, (all) => [...all, now])),
          Effect.fail("busy")
        )
        const retried = Effect.withRandom(
          Effect.ignore(Effect.retry(attempt, Backoff.schedule(backoff))),
          Random.make(seed)
        )
        yield* Effect.fork(retried)
        yield* TestClock.adjust("1 hour")
        const at = yield* Ref.get(attempts)
        const expected = yield* Effect.withRandom(waits(backoff), Random.make(seed))
        assert.strictEqual(at.length, expected.length + 1)
        for (const [index, wait] of expected.entries()) {
          // The clock of a Schedule counts whole milliseconds.
          assert.closeTo((at[index + 1] ?? 0) - (at[index] ?? 0), wait, 1)
        }
      })
  )

  it.effect("the schedule's output is the wait", () =>
    Effect.gen(function* () {
      const backoff = Backoff.constant({ delay: "1 second", times: 3 })
      const outputs = yield* Schedule.run(Backoff.schedule(backoff), 0, [1, 2, 3, 4, 5])
      assert.deepStrictEqual(Chunk.toArray(outputs).map(Duration.toMillis), [1000, 1000, 1000, 1000])
    })
  )

  it("options out of range are refused with their name", () => {
    assert.throws(() => Backoff.exponential({ times: -1 }), /times must be an integer of 0 or more, got -1/)
    assert.throws(() => Backoff.exponential({ factor: 0 }), /factor must be a finite number of 1 or more/)
    assert.throws(() => Backoff.exponential({ max: "Infinity" as never }), /./)
  })
})
