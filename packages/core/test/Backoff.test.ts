import { assert, describe, it } from "@effect/vitest"
import {
  Chunk,
  Duration,
  Effect,
  FastCheck,
  Random,
  Schedule,
  ScheduleDecision,
  ScheduleIntervals
} from "effect"
import { Backoff } from "../src/index.ts"
import { law } from "./law.ts"

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

/** The waits of a schedule, without waiting for them. */
const waitsOf = <Out>(schedule: Schedule.Schedule<Out>): Effect.Effect<Array<number>> =>
  Effect.gen(function* () {
    const found: Array<number> = []
    for (let state = schedule.initial; ; ) {
      const [next, , decision] = yield* schedule.step(0, undefined, state)
      if (ScheduleDecision.isDone(decision)) return found
      found.push(ScheduleIntervals.start(decision.intervals))
      state = next
    }
  })

describe("Backoff", () => {
  law(
    "L22: every wait lies between 0 and its largest, which never exceeds max",
    [backoffs, FastCheck.string()],
    (backoff, seed) => {
      const drawn = Effect.runSync(Effect.withRandom(waits(backoff), Random.make(seed)))
      for (const [index, wait] of drawn.entries()) {
        assert.isAtLeast(wait, 0)
        assert.isAtMost(wait, Duration.toMillis(Backoff.largest(backoff, index + 1)))
      }
      assert.isAtMost(Duration.toMillis(Backoff.largest(backoff, 6)), Duration.toMillis(backoff.max))
    }
  )

  it("the largest wait is finite for any retry number", () => {
    for (const retry of [1, 1024, 1_000_000]) {
      assert.strictEqual(
        Duration.toMillis(Backoff.largest(Backoff.exponential(), retry)),
        retry === 1 ? 250 : 4000
      )
      assert.strictEqual(Duration.toMillis(Backoff.largest(Backoff.exponential({ base: 0 }), retry)), 0)
    }
  })

  law(
    "L22: the schedule waits exactly as long, as often",
    [backoffs, FastCheck.string()],
    (backoff, seed) => {
      const scheduled = Effect.runSync(
        Effect.withRandom(waitsOf(Backoff.schedule(backoff)), Random.make(seed))
      )
      assert.deepStrictEqual(scheduled, Effect.runSync(Effect.withRandom(waits(backoff), Random.make(seed))))
    }
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
