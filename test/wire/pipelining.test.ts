import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { ask, chatBody } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { answer, content, finish, held, role, silence, stream, wall } from "../support/wall.ts"

const post = (fields: object = {}, body = JSON.stringify(chatBody(fields)), length = body.length) =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${length}\r\n\r\n${body}`

const models = "GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n"

interface Pipe {
  readonly write: (bytes: string) => void
  readonly leave: () => void
  readonly said: () => string
  readonly closed: () => boolean
}

/** A connection that does not wait for an answer before it asks again. */
const pipe = (url: string): Effect.Effect<Pipe, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): Pipe => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1")
      let said = ""
      socket.on("data", (chunk) => {
        said += chunk
      })
      socket.on("error", () => {})
      return {
        write: (bytes) => void socket.write(bytes),
        leave: () => void socket.destroy(),
        said: () => said,
        closed: () => socket.closed
      }
    }),
    ({ leave }) => Effect.sync(leave)
  )

describe("requests that do not wait for the answer before", () => {
  it.scopedLive("are all given up when their caller leaves, with their places", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(silence)
      const { log, url } = yield* gateway(chat([only.url], { server: "maxInFlight: 4, maxQueue: 0" }))
      const { leave, write } = yield* pipe(url)
      // The last one's body does not come to its end.
      write(post() + post({ stream: true }) + post() + post({}, "{", 1000))
      yield* eventually(() => only.received.length === 3)
      leave()
      yield* eventually(() => only.received.every(({ abandoned }) => abandoned) && only.sockets() === 0)
      yield* eventually(() => log.filter(({ message }) => message === "run").length === 3)
      only.script(answer())
      const all = yield* Effect.all(
        Array.from({ length: 4 }, () => ask(url)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        all.map(({ status }) => status),
        [200, 200, 200, 200]
      )
    })
  )

  it.scopedLive("are given up where one of them has its answer already, and waits to send it", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(silence, answer())
      const { log, url } = yield* gateway(chat([only.url], { server: "maxInFlight: 2, maxQueue: 0" }))
      const { leave, write } = yield* pipe(url)
      write(post())
      yield* eventually(() => only.received.length === 1)
      write(post())
      yield* eventually(() => log.some((line) => line["outcome"] === "success"))
      leave()
      yield* eventually(() => log.some((line) => line["outcome"] === "cancelled"))
      const all = yield* Effect.all([ask(url), ask(url)], { concurrency: "unbounded" })
      assert.deepStrictEqual(
        all.map(({ status }) => status),
        [200, 200]
      )
    })
  )

  it.scopedLive("are no more than 16: the next is told to come by another connection, in its turn", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { behaviour, end, send } = held()
      only.script(behaviour)
      const { url } = yield* gateway(chat([only.url]))
      const { closed, said, write } = yield* pipe(url)
      write(post({ stream: true }) + models.repeat(16) + post().repeat(4))
      yield* eventually(() => only.received.length === 1)
      send(role, content("Hello"), finish)
      end()
      yield* eventually(closed)
      assert.match(
        said(),
        /^HTTP\/1\.1 200 .*Hello.*\[DONE\].*"object":"list".*HTTP\/1\.1 503 .*"overloaded"/s
      )
      assert.deepStrictEqual(
        [...said().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
        [...Array.from({ length: 17 }, () => "200"), "503"]
      )
      assert.strictEqual(only.received.length, 1)
    })
  )

  const garbage = "garbage\r\n\r\n"

  it.scopedLive("end with the connection where garbage follows: no answer in the middle of another", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(stream([role, content("Hello")], "stall"), silence)
      const { url } = yield* gateway(chat([only.url]))
      const { closed, said, write } = yield* pipe(url)
      write(post({ stream: true }))
      yield* eventually(() => said().includes("Hello"))
      write(post() + garbage)
      yield* eventually(closed)
      assert.notMatch(said(), /malformed|HTTP.*HTTP/s)
      yield* eventually(() => only.received.every(({ abandoned }) => abandoned) && only.sockets() === 0)
    })
  )

  it.scopedLive("have no answer that is meant for the garbage behind them", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(silence)
      const { url } = yield* gateway(chat([only.url]))
      const badChunk =
        "POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
      for (const [requests, behind] of [
        [1, garbage],
        [2, garbage],
        [1, badChunk]
      ] as const) {
        only.received.length = 0
        const { closed, said, write } = yield* pipe(url)
        write(post().repeat(requests))
        yield* eventually(() => only.received.length === requests)
        write(behind)
        yield* eventually(closed)
        assert.strictEqual(said(), "")
        yield* eventually(() => only.sockets() === 0)
      }
    })
  )
})
