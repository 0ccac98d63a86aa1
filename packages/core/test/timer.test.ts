import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { after, isOver, leftUntil, sleepUntil } from "../src/internal/fiber/timer.ts"
import { drain, SchedulingClock, settled, VirtualClock } from "./laws/virtual.ts"

class Odd extends VirtualClock {
  readonly scheduler = "none"
}

class Counting extends SchedulingClock {
  asked = 0
  override scheduler() {
    this.asked++
    return super.scheduler()
  }
}

/** Its timers fire early, by so much each in turn. */
class Hasty extends VirtualClock {
  private instant = 0
  readonly slept: Array<number> = []
  private readonly early: Array<number>

  constructor(early: Array<number>) {
    super()
    this.early = early
  }

  override unsafeCurrentTimeNanos(): bigint {
    return BigInt(Math.round(this.instant * 1e6))
  }

  override sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.sync(() => {
      this.slept.push(Duration.toMillis(duration))
      this.instant += Duration.toMillis(duration) - (this.early.shift() ?? 0)
    })
  }
}

describe("a sleep", () => {
  it("whose timer fires early lasts until its instant", () => {
    const clock = new Hasty([1.4, 0.4])
    Effect.runSync(sleepUntil(clock, 1_000, 1_000))
    assert.deepStrictEqual(clock.slept, [1_000, 2])
    const punctual = new Hasty([])
    Effect.runSync(sleepUntil(punctual, 1_000, 1_000))
    assert.deepStrictEqual(punctual.slept, [1_000])
  })

  it("is over a nanosecond before its instant, and not sooner", () => {
    assert.deepStrictEqual([0.000_001, 0.000_000_9, 0, -1].map(isOver), [false, true, true, true])
    assert.deepStrictEqual(
      [1_000, 1_000.5, 999].map((instant) => leftUntil(new Hasty([]), instant)),
      [1_000, 1_001, 999]
    )
  })
})

describe("a timer", () => {
  describe.each([
    ["of a clock that only sleeps", () => new VirtualClock()],
    ["of a clock that sets timers", () => new SchedulingClock()],
    ["of a clock whose scheduler is something else", () => new Odd()]
  ])("%s", (_, make) => {
    it("runs its task once, when the time has come", async () => {
      const clock = make()
      const ran: Array<number> = []
      for (const millis of [2_000, 1_000]) {
        after(clock, millis, () => ran.push(clock.unsafeCurrentTimeMillis()))
      }
      await settled()
      assert.deepStrictEqual(ran, [])
      await drain(clock)
      assert.deepStrictEqual(ran, [1_000, 2_000])
    })

    it("that is cancelled runs nothing, and nothing waits for it", async () => {
      const clock = make()
      let ran = false
      const cancel = after(clock, 1_000, () => {
        ran = true
      })
      await settled()
      assert.strictEqual(clock.pending, 1)
      cancel()
      await settled()
      assert.strictEqual(clock.pending, 0)
      await drain(clock)
      assert.isFalse(ran)
    })

    it("of a time that is past is due now", async () => {
      const clock = make()
      let ran = -1
      after(clock, -1_000, () => {
        ran = clock.unsafeCurrentTimeMillis()
      })
      await drain(clock)
      assert.strictEqual(ran, 0)
    })
  })

  it("asks a clock once how it sets timers", () => {
    const [clock, other] = [new Counting(), new Counting()]
    for (const one of [clock, other, clock]) after(one, 1_000, () => {})
    assert.deepStrictEqual([clock.asked, other.asked], [1, 1])
  })

  it("needs no fiber where the clock sets timers", () => {
    const clock = new SchedulingClock()
    clock.sleep = () => Effect.die("slept")
    after(clock, 1_000, () => {})
    assert.strictEqual(clock.pending, 1)
  })
})
