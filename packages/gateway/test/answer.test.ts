import { createServer } from "node:http"
import { Duplex } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import type { Response } from "@understudy/http/OpenAiRouter"
import { Effect, Fiber } from "effect"
import { eventually } from "../../../test/support/eventually.ts"
import { send } from "../src/internal/network/answer.ts"
import * as Turns from "../src/internal/network/turns.ts"

/**
 * A connection whose other side has asked for something, and takes so many bytes of the answer every 5 ms. It never
 * lies still, so that it needs no timeout of its own.
 */
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
  Object.assign(connection, { setTimeout: () => connection })
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

describe("answers of one turn", () => {
  const connection = (written: (bytes: string) => void) => {
    const connection = new Duplex({
      read() {},
      writev(chunks, done) {
        written(chunks.map(({ chunk }) => String(chunk)).join(""))
        done()
      }
    })
    connection.push("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
    return connection
  }

  it.live("a stream's head goes out with its first words, at once", () =>
    Effect.gen(function* () {
      const writes: Array<string> = []
      let atOnce: ReadonlyArray<string> = []
      const pieces = ["one", undefined].map((text) => text && new TextEncoder().encode(text))
      const body = Effect.sync(() => pieces.shift() || undefined)
      createServer((_, outgoing) => {
        Effect.runFork(send(outgoing, { status: 200, headers: {}, body }, 1_000))
        atOnce = [...writes]
      }).emit(
        "connection",
        connection((bytes) => writes.push(bytes))
      )
      yield* eventually(() => writes.join("").endsWith("0\r\n\r\n"))
      assert.lengthOf(atOnce, 1)
      assert.match(atOnce[0] ?? "", /^HTTP\/1\.1 200 .*\r\n\r\n3\r\none\r\n$/s)
    })
  )

  it.live("a stream's head does not wait for words that come later", () =>
    Effect.gen(function* () {
      const writes: Array<string> = []
      createServer((_, outgoing) => {
        Effect.runFork(send(outgoing, { status: 200, headers: {}, body: Effect.never }, 1_000))
      }).emit(
        "connection",
        connection((bytes) => writes.push(bytes))
      )
      yield* eventually(() => writes.length > 0)
      assert.match(writes[0] ?? "", /^HTTP\/1\.1 200 .*\r\n\r\n$/s)
    })
  )

  it.live("whole ones go out after all else that there is to do", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const scheduler = Turns.make()
      const response = { status: 200, headers: {}, body: new Uint8Array(1) }
      createServer((_, outgoing) => {
        const after = Effect.zipRight(Effect.yieldNow(), send(outgoing, response, 1_000))
        Effect.runFork(after, { scheduler })
        const work = Effect.sync(() => order.push("work"))
        Effect.runFork(Effect.zipRight(Effect.zipRight(Effect.yieldNow(), Effect.yieldNow()), work), {
          scheduler
        })
      }).emit(
        "connection",
        connection(() => order.push("answer"))
      )
      yield* eventually(() => order.length === 2)
      assert.deepStrictEqual(order, ["work", "answer"])
    })
  )
})
