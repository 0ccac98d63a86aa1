import { createServer } from "node:http"
import { Duplex } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import type { Response } from "@understudy/http/OpenAiRouter"
import { Effect, Fiber } from "effect"
import { eventually } from "../../../test/support/eventually.ts"
import { send } from "../src/internal/network/answer.ts"

/** A connection whose other side has asked for something, and takes so many bytes of the answer every 5 ms. */
const trickling = (bytes: number) => {
  let taken = ""
  const connection = new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      const take = (from: number) => {
        taken += chunk.subarray(from, from + bytes).toString("latin1")
        if (from + bytes < chunk.length) setTimeout(take, 5, from + bytes)
        else setTimeout(done, 5)
      }
      take(0)
    }
  })
  connection.push("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
  return { connection, taken: () => taken }
}

const answered = (body: Response["body"], bytes: number, stallMillis: number) =>
  Effect.gen(function* () {
    const { connection, taken } = trickling(bytes)
    let fiber: Fiber.RuntimeFiber<void> | undefined
    createServer((_, outgoing) => {
      fiber = Effect.runFork(send(outgoing, { status: 200, headers: {}, body }, stallMillis))
    }).emit("connection", connection)
    yield* eventually(() => connection.destroyed || fiber?.unsafePoll() != null)
    if (fiber !== undefined) yield* Fiber.interrupt(fiber)
    return { cut: connection.destroyed, taken: taken() }
  })

const large = new Uint8Array(2_500_000).fill(97)

describe("an answer whose caller takes it little by little", () => {
  it.live("is cut off where a megabyte of it takes longer than it may", () =>
    Effect.gen(function* () {
      const { cut, taken } = yield* answered(large, 5_000, 30)
      assert.isTrue(cut)
      assert.isAbove(taken.length, 0)
      assert.isBelow(taken.length, large.length)
    })
  )

  it.live("is sent whole where it does not, however long it takes in all", () =>
    Effect.gen(function* () {
      const { cut, taken } = yield* answered(large, 20_000, 20_000)
      assert.isFalse(cut)
      assert.isAbove(taken.length, large.length)
    })
  )

  it.live("is cut off in a stream as well, where what has come of it lies there for too long", () =>
    Effect.gen(function* () {
      const { cut, taken } = yield* answered(Effect.succeed(large.subarray(0, 60_000)), 500, 30)
      assert.isTrue(cut)
      assert.isBelow(taken.length, 60_000)
    })
  )
})
