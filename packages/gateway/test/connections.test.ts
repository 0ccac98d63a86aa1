import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { rawWall } from "../../../test/support/rawWall.ts"
import * as Connections from "../src/internal/network/connections.ts"
import * as Turns from "../src/internal/network/turns.ts"

describe("connections", () => {
  it.scopedLive("one that is not there in time is given up", () =>
    Effect.gen(function* () {
      const silent = yield* rawWall
      const connections = yield* Effect.acquireRelease(
        Effect.sync(() => Connections.make(50)),
        (connections) => Effect.sync(connections.destroy)
      )
      // The handshake belongs to it, and never begins.
      const connection = connections.take(new URL(silent.url).origin.replace("http:", "https:"))
      const error = yield* Effect.flip(
        Effect.async<unknown, Error & { readonly code?: string }>((resume) =>
          connection.dispatch(
            { path: "/", method: "GET" },
            {
              onRequestStart: () => {},
              onResponseError: (_, error) => resume(Effect.fail(error))
            }
          )
        )
      )
      assert.strictEqual(error.code, "UND_ERR_CONNECT_TIMEOUT")
    })
  )

  it.scopedLive("one that is there in time is kept, however long its answer takes", () =>
    Effect.gen(function* () {
      const silent = yield* rawWall
      const connections = yield* Effect.acquireRelease(
        Effect.sync(() => Connections.make(50)),
        (connections) => Effect.sync(connections.destroy)
      )
      const connection = connections.take(new URL(silent.url).origin)
      const failure = Effect.async<never, Error>((resume) =>
        connection.dispatch(
          { path: "/", method: "GET" },
          {
            onRequestStart: () => {},
            onResponseError: (_, error) => resume(Effect.fail(error))
          }
        )
      )
      assert.isTrue(Option.isNone(yield* Effect.timeoutOption(failure, "200 millis")))
    })
  )

  const turns = Turns.make()
  const inTurn = <A>(work: () => A) =>
    Effect.async<A>((resume) => turns.scheduleTask(() => resume(Effect.succeed(work())), 0))
  const tick = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

  /** A connection that has had an answer to `first`, a way to ask over it, and its upstream. */
  const used = Effect.gen(function* () {
    const upstream = yield* Effect.acquireRelease(
      Effect.async<{ readonly port: number; readonly sockets: Array<Socket>; readonly server: Server }>(
        (resume) => {
          const sockets: Array<Socket> = []
          const server = createServer((socket) => {
            sockets.push(socket)
            socket.on("data", (data) => {
              const path = /^GET (\S+)/.exec(data.toString())?.[1] ?? ""
              socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${path}`)
            })
          }).listen(0, "127.0.0.1", () =>
            resume(Effect.succeed({ port: (server.address() as AddressInfo).port, sockets, server }))
          )
        }
      ),
      ({ server, sockets }) =>
        Effect.sync(() => {
          for (const socket of sockets) socket.destroy()
          server.close()
        })
    )
    const connections = yield* Effect.acquireRelease(
      Effect.sync(() => Connections.make(1_000)),
      (connections) => Effect.sync(connections.destroy)
    )
    const ask = (path: string) => {
      const connection = connections.take(`http://127.0.0.1:${upstream.port}`)
      let started = false
      let text = ""
      const answer = new Promise<string>((resolve, reject) =>
        connection.dispatch(
          { path, method: "GET" },
          {
            onRequestStart: () => {
              started = true
            },
            onResponseData: (_, chunk) => {
              text += chunk.toString()
            },
            onResponseEnd: () => resolve(text),
            onResponseError: (_, error) => reject(error)
          }
        )
      )
      return { connection, isSent: started, answer: Effect.promise(() => answer) }
    }
    const first = ask("/first")
    assert.strictEqual(yield* first.answer, "/first")
    return { ask, connection: first.connection, upstream }
  })

  it.scopedLive("one that was free in the turn before is written to in this one", () =>
    Effect.gen(function* () {
      const { ask, connection, upstream } = yield* used
      yield* inTurn(() => connection.giveBack())
      yield* tick
      const { answer, isSent } = yield* inTurn(() => ask("/second"))
      assert.isTrue(isSent)
      assert.strictEqual(yield* answer, "/second")
      assert.lengthOf(upstream.sockets, 1)
    })
  )

  it.scopedLive("the turns of two servers in one tick have no reading between them", () =>
    Effect.gen(function* () {
      const { ask, connection } = yield* used
      const other = Turns.make()
      const asked = yield* Effect.async<ReturnType<typeof ask>>((resume) => {
        turns.scheduleTask(() => connection.giveBack(), 0)
        other.scheduleTask(() => resume(Effect.succeed(ask("/other"))), 0)
      })
      assert.isFalse(asked.isSent)
      assert.strictEqual(yield* asked.answer, "/other")
    })
  )

  it.scopedLive("one that nobody has read since it is free is read before it is written to", () =>
    Effect.gen(function* () {
      const { ask, connection } = yield* used
      const same = yield* inTurn(() => {
        connection.giveBack()
        return ask("/same")
      })
      assert.isFalse(same.isSent, "in the turn that it became free in")
      assert.strictEqual(yield* same.answer, "/same")
      yield* inTurn(() => same.connection.giveBack())
      yield* tick
      const outside = ask("/outside")
      assert.isFalse(outside.isSent, "outside of a turn")
      assert.strictEqual(yield* outside.answer, "/outside")
      outside.connection.giveBack()
      const next = yield* inTurn(() => ask("/next"))
      assert.isFalse(next.isSent, "free outside of a turn")
      assert.strictEqual(yield* next.answer, "/next")
    })
  )

  it.scopedLive(
    "an answer to nothing, or an end, that has come meanwhile is no answer to the next request",
    () =>
      Effect.gen(function* () {
        for (const meanwhile of [
          (socket: Socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"),
          (socket: Socket) => void socket.end()
        ]) {
          const { ask, connection, upstream } = yield* used
          yield* inTurn(() => connection.giveBack())
          const [socket] = upstream.sockets
          assert(socket !== undefined)
          meanwhile(socket)
          yield* Effect.sleep("50 millis")
          const { answer } = yield* inTurn(() => ask("/second"))
          assert.strictEqual(yield* answer, "/second")
          assert.lengthOf(upstream.sockets, 2)
        }
      })
  )
})
