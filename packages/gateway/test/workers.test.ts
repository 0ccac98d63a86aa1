import { connect, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Either, Exit } from "effect"
import { eventually } from "../../../test/support/eventually.ts"
import * as Config from "../src/Config.ts"
import * as Channel from "../src/internal/workers/channel.ts"
import * as Door from "../src/internal/workers/door.ts"
import * as Restarts from "../src/internal/workers/restarts.ts"
import { share } from "../src/internal/workers/share.ts"

describe("a worker's share of a file", () => {
  it("comes with the others' to what the file says, and to one who checks", () => {
    const file = (limits: string) =>
      Either.getOrThrow(
        Config.parse(
          `
server: { ${limits} }
providers: { p: { kind: sandbox } }
routes: { r: { tiers: [ { name: t, provider: p, model: m } ] } }
probe: {}`,
          "test",
          {}
        )
      )
    for (const [inFlight, queue, workers] of [
      [10, 3, 4],
      [4, 0, 4],
      [1000, 1000, 3]
    ] as const) {
      const config = file(`maxInFlight: ${inFlight}, maxQueue: ${queue}`)
      const shares = Array.from({ length: workers }, (_, index) => share(config, index + 1, workers))
      const sum = (key: "maxInFlight" | "maxQueue") =>
        shares.reduce((sum, { server }) => sum + server[key], 0)
      assert.deepStrictEqual([sum("maxInFlight"), sum("maxQueue")], [inFlight, queue])
      assert.isTrue(shares.every(({ server }) => server.maxInFlight > 0))
      assert.strictEqual(shares.filter(({ probe }) => probe !== undefined).length, 1)
    }
  })
})

describe("another worker", () => {
  it("waits longer each time one ends soon, at once after one that has lived, and not for ever", () => {
    const soon = (before: number) => Restarts.next(before, 1)
    assert.deepStrictEqual(
      [0, 1, 2, 3].map((before) => soon(before)?.waitMillis),
      [200, 400, 800, 1600]
    )
    assert.isUndefined(soon(4))
    assert.deepStrictEqual(Restarts.next(4, 60_000), { inARow: 0, waitMillis: 100 })
  })
})

type Sums = { readonly sum: (parts: ReadonlyArray<number>) => number }

describe("two processes", () => {
  it.effect("ask each other at once, and each answer comes to its own question", () =>
    Effect.gen(function* () {
      const ends: Array<(message: unknown) => void> = []
      const port = (own: number): Channel.Port => ({
        send: (message) => queueMicrotask(() => ends[1 - own]?.(structuredClone(message))),
        onMessage: (hear) => {
          ends[own] = (message) => hear(message, undefined)
        }
      })
      const gate = yield* Deferred.make<void>()
      const sum = (parts: ReadonlyArray<number>) => parts.reduce((a, b) => a + b, 0)
      const one = Channel.make<Sums, Sums>(port(0), { sum: (parts) => Effect.succeed(sum(parts)) })
      const other = Channel.make<Sums, Sums>(port(1), {
        sum: (parts) => Effect.as(parts.length === 1 ? Deferred.await(gate) : Effect.void, sum(parts))
      })
      const late = yield* Effect.fork(one("sum", [7]))
      assert.strictEqual(yield* one("sum", [1, 2]), 3)
      assert.strictEqual(yield* other("sum", [4, 5]), 9)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* late, 7)
    })
  )
})

describe("the door of a gateway", () => {
  const calling = (url: string) =>
    Effect.acquireRelease(
      Effect.sync(() => connect(Number(new URL(url).port), "127.0.0.1").on("error", () => {})),
      (socket) => Effect.sync(() => socket.destroy())
    )

  it.scopedLive("has its workers take turns, passes one by that has not taken the last, and closes", () =>
    Effect.gen(function* () {
      const door = yield* Door.open("127.0.0.1", 0)
      const early = yield* calling(door.url)
      const taken: Array<string> = []
      const held: Array<() => void> = []
      const worker = (name: string, slow: boolean) => (socket: Socket) =>
        Effect.async<void>((resume) => {
          socket.destroy()
          taken.push(name)
          if (slow) held.push(() => resume(Exit.void))
          else resume(Exit.void)
        })
      const leave = door.admit(worker("a", false))
      // Who came before there was a worker has waited.
      yield* eventually(() => taken.length === 1 && early.closed)
      door.admit(worker("b", true))
      for (let n = 2; n <= 5; n++) {
        yield* calling(door.url)
        yield* eventually(() => taken.length === n)
      }
      assert.deepStrictEqual(taken.filter((name) => name === "b").length, 1)
      held[0]?.()
      leave()
      yield* calling(door.url)
      yield* eventually(() => taken.length === 6)
      assert.strictEqual(taken.at(-1), "b")
      const waiting = yield* calling(door.url)
      yield* door.close
      yield* eventually(() => waiting.closed)
      const refused = yield* calling(door.url)
      yield* eventually(() => refused.closed)
      assert.strictEqual(taken.length, 6)
    })
  )

  it.scopedLive("has the next one take what was given to one that ended before it took it", () =>
    Effect.gen(function* () {
      const door = yield* Door.open("127.0.0.1", 0)
      const given: Array<Socket> = []
      const leave = door.admit((socket) => {
        given.push(socket)
        return Effect.never
      })
      const caller = yield* calling(door.url)
      yield* eventually(() => given.length === 1)
      const taken: Array<Socket> = []
      door.admit((socket) => Effect.sync(() => void taken.push(socket)))
      assert.isEmpty(taken)
      leave()
      assert.deepStrictEqual(taken, given)
      // Whoever has taken it has one of its own.
      yield* eventually(() => caller.closed)
    })
  )
})
