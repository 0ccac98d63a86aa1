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

  it("fills in what is documented", () => {
    const defaults = Backoff.exponential({
      times: 2,
      base: "250 millis",
      factor: 2,
      max: "4 seconds",
      jitter: "full"
    })
    assert.deepStrictEqual(Backoff.exponential(), defaults)
    assert.deepStrictEqual(Backoff.none, { ...defaults, times: 0 })
    const delay = Duration.seconds(1)
    const constant = { times: 2, base: delay, factor: 1, max: delay, jitter: "none" } as const
    assert.deepStrictEqual(Backoff.constant({ delay }), constant)
    assert.deepStrictEqual(Backoff.constant({ delay, times: 5, jitter: "full" }), {
      ...constant,
      times: 5,
      jitter: "full"
    })
  })

  it("each jitter spreads the third wait as is documented, and never beyond max", () => {
    const drawn = (jitter: Backoff.Jitter, max: number, previous = 100) => {
      const backoff = Backoff.exponential({ base: 100, factor: 2, max, jitter })
      const delay = Backoff.delay(backoff, 3, Duration.millis(previous))
      return [0, 0.5, 0.9].map((random) =>
        Duration.toMillis(Effect.runSync(Effect.withRandom(delay, Random.fixed([random]))))
      )
    }
    assert.deepStrictEqual(drawn("none", 1_000), [400, 400, 400])
    assert.deepStrictEqual(drawn("full", 1_000), [0, 200, 360])
    assert.deepStrictEqual(drawn("equal", 1_000), [200, 300, 380])
    assert.deepStrictEqual(drawn("full", 200), [0, 100, 180])
    assert.deepStrictEqual(drawn("equal", 200), [100, 150, 190])
    assert.deepStrictEqual(drawn("decorrelated", 1_000), [100, 200, 280])
    assert.deepStrictEqual(drawn("decorrelated", 1_000, 400), [100, 650, 1_000])
    assert.deepStrictEqual(drawn("decorrelated", 1_000, 0), [100, 100, 100])
  })

  it("the largest wait grows by the factor, by 3 where it is decorrelated", () => {
    const largest = (jitter: Backoff.Jitter) => {
      const backoff = Backoff.exponential({ base: 100, factor: 2, max: 1_000, jitter })
      return [1, 2, 3, 4, 5].map((retry) => Duration.toMillis(Backoff.largest(backoff, retry)))
    }
    assert.deepStrictEqual(largest("full"), [100, 200, 400, 800, 1_000])
    assert.deepStrictEqual(largest("decorrelated"), [300, 900, 1_000, 1_000, 1_000])
  })

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
    assert.throws(() => Backoff.exponential({ base: Duration.infinity }), "Backoff: base must be finite")
    assert.throws(() => Backoff.exponential({ max: Duration.infinity }), "Backoff: max must be finite")
  })
})
