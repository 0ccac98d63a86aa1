import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, FastCheck, Random } from "effect"
import { VirtualClock } from "../../src/internal/testing/virtualClock.ts"
import { VirtualTime } from "../../src/testing/index.ts"
import { law } from "../law.ts"

describe("a virtual clock", () => {
  const timer = FastCheck.record({ at: FastCheck.nat(50), cancelled: FastCheck.boolean() })

  law(
    "what is due comes by its time, then as it was set, and what is cancelled never",
    [FastCheck.array(timer, { maxLength: 60 })],
    (timers) => {
      const clock = new VirtualClock()
      const seen: Array<number> = []
      const cancel = timers.map(({ at }, index) =>
        clock.unsafeSchedule(() => seen.push(index), Duration.millis(at))
      )
      timers.forEach(({ cancelled }, index) => {
        if (cancelled) assert.isTrue(cancel[index]!())
      })
      assert.strictEqual(clock.pending, timers.filter(({ cancelled }) => !cancelled).length)
      while (clock.step());
      const expected = timers
        .map(({ at, cancelled }, index) => ({ at, cancelled, index }))
        .filter(({ cancelled }) => !cancelled)
        .sort((one, other) => one.at - other.at)
      assert.deepStrictEqual(
        seen,
        expected.map(({ index }) => index)
      )
      assert.strictEqual(clock.unsafeCurrentTimeMillis(), expected.at(-1)?.at ?? 0)
      assert.isFalse(cancel.some((each) => each()))
    }
  )

  it("keeps its order when it clears away what was cancelled", () => {
    const clock = new VirtualClock()
    const seen: Array<number> = []
    const cancel = Array.from({ length: 5_000 }, (_, index) => {
      const at = (index * 7_919) % 5_000
      return clock.unsafeSchedule(() => seen.push(at), Duration.millis(at))
    })
    for (const [index, each] of cancel.entries()) if (index % 5 !== 0) each()
    while (clock.step());
    assert.strictEqual(seen.length, 1_000)
    assert.deepStrictEqual(
      seen,
      [...seen].sort((one, other) => one - other)
    )
  })

  it("says so when somebody sleeps for nothing for ever", () => {
    const clock = new VirtualClock()
    const again = () => clock.unsafeSchedule(again, Duration.zero)
    again()
    assert.throws(() => {
      while (clock.step());
    }, "time stands still")
  })
})

describe("virtual time", () => {
  it("passes at once, to the end of an effect", () => {
    const { elapsed, exit } = VirtualTime.run(Effect.as(Effect.sleep("1 day"), "awake"))
    assert.deepStrictEqual([elapsed, exit], [86_400_000, Exit.succeed("awake")])
  })

  it("is over for what will never end, and interrupts it", () => {
    let interrupted = false
    const endless = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
    const { elapsed, exit } = VirtualTime.run(Effect.zipRight(Effect.sleep("5 seconds"), endless))
    assert.deepStrictEqual([elapsed, exit, interrupted], [5_000, undefined, true])
  })

  it("has a chance of its own, the same for a seed", () => {
    const drawn = (seed: number) => VirtualTime.run(Random.next, { seed }).exit
    assert.deepStrictEqual(drawn(3), drawn(3))
    assert.notDeepEqual(drawn(3), drawn(4))
  })

  it("gives fibers their turns in order", () => {
    const order: Array<string> = []
    const worker = (name: string) =>
      Effect.repeatN(
        Effect.zipRight(
          Effect.yieldNow(),
          Effect.sync(() => order.push(name))
        ),
        2
      )
    VirtualTime.run(Effect.all([worker("a"), worker("b")], { concurrency: "unbounded" }))
    assert.deepStrictEqual(order, ["a", "b", "a", "b", "a", "b"])
  })
})
