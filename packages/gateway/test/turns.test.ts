import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Turns from "../src/internal/network/turns.ts"

const run = <A>(effect: Effect.Effect<A>) => Effect.runFork(effect, { scheduler: Turns.make() })

describe("turns of the event loop", () => {
  it("everything that comes in within one is read before any of it is worked on", async () => {
    const order: Array<string> = []
    const comesIn = (what: string) =>
      Effect.async<void>((resume) => {
        setImmediate(() => {
          order.push(`${what} read`)
          resume(Effect.void)
        })
      })
    const work = (what: string) =>
      Effect.map(comesIn(what), () => {
        order.push(`${what} done`)
      })
    const all = Effect.all([work("first"), work("second")], { concurrency: "unbounded" })
    await Effect.runPromise(Fiber.join(run(all)))
    assert.deepStrictEqual(order, ["first read", "second read", "first done", "second done"])
  })

  it("what fibers give each other to do is done in the same one", async () => {
    let sameTurn = true
    const chain = (length: number): Effect.Effect<number> =>
      length === 0
        ? Effect.sync(() => {
            assert.isTrue(sameTurn)
            return 0
          })
        : Effect.map(Effect.flatMap(Effect.fork(chain(length - 1)), Fiber.join), (n) => n + 1)
    const fiber = run(
      Effect.zipRight(
        Effect.yieldNow(),
        Effect.suspend(() => {
          setImmediate(() => (sameTurn = false))
          return chain(10)
        })
      )
    )
    assert.strictEqual(await Effect.runPromise(Fiber.join(fiber)), 10)
  })

  it("while connections come one a turn, those who call by them have theirs together, and no longer than for eight", async () => {
    for (const [accepted, expected] of [
      [0, 1],
      [3, 4],
      [20, 9]
    ] as const) {
      const turns = Turns.make()
      let turn = 1
      let ran = 0
      const work = Effect.sync(() => (ran = turn))
      Effect.runFork(Effect.zipRight(Effect.yieldNow(), work), { scheduler: turns })
      for (; turn < 20; turn++) {
        if (turn <= accepted) turns.accepted()
        await new Promise((resolve) => setImmediate(resolve))
      }
      assert.strictEqual(ran, expected)
    }
  })

  it("a fiber that never comes to an end leaves the network its turns", async () => {
    const fiber = run(Effect.forever(Effect.yieldNow()))
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
    await Effect.runPromise(Fiber.interrupt(fiber))
  })
})
