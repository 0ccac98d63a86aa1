import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { after } from "../src/internal/fiber/timer.ts"
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
