import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, TestClock } from "effect"
import { Deadline } from "../src/index.ts"

describe("Deadline", () => {
  it("says which bound was exceeded, and how long it was", () => {
    const error = new Deadline.DeadlineExceeded({ bound: "firstToken", limit: Duration.millis(1_500) })
    assert.strictEqual(error._tag, "DeadlineExceeded")
    assert.strictEqual(error.message, "firstToken of 1s 500ms exceeded")
  })

  it.effect("now is the clock's monotonic time in milliseconds, whose parts count", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1500 millis")
      assert.strictEqual(yield* Deadline.now, 1_500)
      yield* TestClock.adjust(Duration.micros(250n))
      assert.strictEqual(yield* Deadline.now, 1_500.25)
    })
  )

  it.effect("a bound starts now, and never moves a deadline that is nearer", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 second")
      const within = (deadline: number) =>
        Effect.provideService(Deadline.within("2 seconds"), Deadline.Current, deadline)
      assert.deepStrictEqual([yield* within(2_999), yield* within(3_001)], [2_999, 3_000])
    })
  )

  it.effect("nothing bounds a run by default, and no time is no bound", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Deadline.Current, Number.POSITIVE_INFINITY)
      assert.strictEqual(yield* Deadline.within("2 seconds"), 3_000)
      assert.strictEqual(yield* Deadline.within(Duration.infinity), Number.POSITIVE_INFINITY)
    })
  )
})
