import { assert, describe, it } from "@effect/vitest"
import { type Clock, Duration, Effect, Exit, Fiber, Option, TestClock } from "effect"
import { Deadline } from "../src/index.ts"

describe("Deadline", () => {
  it("says which bound was exceeded, and how long it was", () => {
    const error = new Deadline.DeadlineExceeded({ bound: "firstToken", limit: Duration.millis(1_500) })
    assert.strictEqual(error._tag, "DeadlineExceeded")
    assert.strictEqual(error.message, "firstToken of 1s 500ms exceeded")
    const [limit, unread] = [Duration.seconds(30), Duration.seconds(10)]
    assert.strictEqual(
      new Deadline.DeadlineExceeded({ bound: "maxStream", limit, unread }).message,
      "maxStream of 30s exceeded, for 10s of which its caller took nothing"
    )
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

  const ended = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.exit(Deadline.timeoutOption(effect, "2 seconds"))

  it.effect("what needs no time, or is in time, ends as it does", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ended(Effect.succeed(1)), Exit.succeed(Option.some(1)))
      assert.deepStrictEqual(yield* ended(Effect.fail("no")), Exit.fail("no"))
      for (const late of [Effect.succeed(1), Effect.fail("no")]) {
        const fiber = yield* Effect.fork(ended(Effect.delay(late, "1999 millis")))
        yield* TestClock.adjust("1999 millis")
        assert.deepStrictEqual(yield* Fiber.join(fiber), Exit.map(yield* Effect.exit(late), Option.some))
      }
    })
  )

  it.effect("what needs no time has no timer", () =>
    Effect.gen(function* () {
      let timers = 0
      const counting: Clock.Clock = Object.assign(Object.create(yield* Effect.clock), {
        scheduler: undefined,
        sleep: () => Effect.sync(() => timers++)
      })
      yield* Effect.withClock(ended(Effect.succeed(1)), counting)
      assert.strictEqual(timers, 0)
      yield* Effect.withClock(ended(Effect.yieldNow()), counting)
      assert.strictEqual(timers, 1)
    })
  )

  it.effect("what is not is interrupted, and waited for only where it lets go at once", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const slow = (name: string, last: Effect.Effect<void>) =>
        Effect.ensuring(
          Effect.never,
          Effect.zipRight(
            last,
            Effect.sync(() => log.push(name))
          )
        )
      const fiber = yield* Effect.fork(
        Effect.all([ended(slow("at once", Effect.void)), ended(slow("late", Effect.sleep("1 second")))], {
          concurrency: 2
        })
      )
      yield* TestClock.adjust("2 seconds")
      const none = Exit.succeed(Option.none())
      assert.deepStrictEqual(yield* Fiber.join(fiber), [none, none])
      assert.deepStrictEqual(log, ["at once"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(log, ["at once", "late"])
    })
  )

  it.effect("whoever leaves it leaves what it does and its timer", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const fiber = yield* Effect.fork(
        ended(Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("left"))))
      )
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log, ["left"])
    })
  )

  it.effect("it sees the services around it", () =>
    Effect.gen(function* () {
      const seen = Deadline.timeoutOption(Effect.delay(Deadline.Current, "1 second"), "2 seconds")
      const fiber = yield* Effect.fork(Effect.provideService(seen, Deadline.Current, 5))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(fiber), Option.some(5))
    })
  )
})
