import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { call, chatBody, envelope, exchange, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway, type Running } from "../support/gateway.ts"
import {
  answer,
  content,
  finish,
  held,
  role,
  sends,
  silence,
  stream,
  type Wall,
  wall
} from "../support/wall.ts"

const streamed = { body: chatBody({ stream: true }) }

/** A gateway that the test stops itself. */
const stoppable = (walls: ReadonlyArray<Wall>, drain: string) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
    const yaml = chat(walls.map(({ url }) => url)).replace("drain: 1s", `drain: ${drain}`)
    const running = yield* Scope.extend(gateway(yaml), scope)
    return { ...running, stop: Effect.fork(Scope.close(scope, Exit.void)) }
  })

const refused = (url: string) => Effect.map(get(url, "/health/live"), ({ status }) => status === 0)

/** The runs under way were ended, and nothing of them is left. */
const cancelled = (log: Running["log"], only: Wall) =>
  Effect.gen(function* () {
    const outcomes = log.map((line) => line["outcome"])
    assert.sameMembers(
      outcomes,
      only.received.flatMap(() => ["interrupted", "cancelled"])
    )
    yield* eventually(() => only.sockets() === 0)
  })

describe("a gateway that is stopped", () => {
  it.scopedLive("lets a stream in flight finish, and takes nothing new", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { behaviour, end, send } = held()
      only.script(behaviour)
      const { log, stop, url } = yield* stoppable([only], "1h")
      const { answer, text } = yield* call(url, streamed)
      yield* eventually(() => only.received.length === 1)
      send(role, content("Hel"))
      yield* eventually(() => text().includes("Hel"))
      const stopping = yield* stop
      yield* Effect.repeat(refused(url), { until: (yes) => yes })
      assert.isNull(stopping.unsafePoll())
      send(content("lo"), finish)
      end()
      const { text: all, whole } = yield* answer
      assert.isTrue(whole)
      assert.include(all, '"lo"')
      assert.isTrue(all.endsWith("data: [DONE]\n\n"))
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(
        log.map((line) => line["outcome"]),
        ["success", "success"]
      )
      yield* eventually(() => only.sockets() === 0)
    })
  )

  it.scopedLive("does so with the streams of every file that it has served", () =>
    Effect.gen(function* () {
      const [before, after] = [yield* wall, yield* wall]
      const { log, reload, stop, url } = yield* stoppable([before], "1h")
      const streams = yield* Effect.forEach([before, after], (wall) =>
        Effect.gen(function* () {
          yield* reload(chat([wall.url]))
          const { behaviour, end, send } = held()
          wall.script(behaviour)
          const { answer, text } = yield* call(url, streamed)
          yield* eventually(() => wall.received.length === 1)
          send(role, content("Hel"))
          yield* eventually(() => text().includes("Hel"))
          return { answer, send, end }
        })
      )
      const stopping = yield* stop
      yield* Effect.repeat(refused(url), { until: (yes) => yes })
      for (const { answer, end, send } of streams) {
        send(content("lo"), finish)
        end()
        const { text, whole } = yield* answer
        assert.isTrue(whole)
        assert.isTrue(text.endsWith("data: [DONE]\n\n"))
      }
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(
        log.map((line) => line["outcome"]),
        ["success", "success", "success", "success"]
      )
    })
  )

  it.scopedLive("lets an answer in flight finish, with its retries and fallbacks", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      let fail = () => {}
      first.script((response) => {
        fail = () => response.writeHead(500).end()
      })
      second.script(answer(["Still here"]))
      const { stop, url } = yield* stoppable([first, second], "1h")
      const { answer: answered } = yield* call(url)
      yield* eventually(() => first.received.length === 1)
      const stopping = yield* stop
      yield* Effect.repeat(refused(url), { until: (yes) => yes })
      first.script((response) => void response.writeHead(500).end())
      fail()
      const { headers, text } = yield* answered
      assert.include(text, "Still here")
      assert.strictEqual(headers["x-understudy-tier"], "tier2")
      yield* Fiber.join(stopping)
    })
  )

  it.scopedLive("lets a slow caller read on an answer that is there in full", () =>
    Effect.gen(function* () {
      const only = yield* wall
      // More than the system takes for a caller that does not read.
      const large = JSON.stringify({ choices: [{ message: { content: "la ".repeat(8_000_000) } }] })
      only.script(sends(200, "application/json", large))
      const { stop, url } = yield* stoppable([only], "1h")
      const { answer: answered, head, pause, resume } = yield* call(url)
      yield* eventually(() => head() !== undefined)
      pause()
      const stopping = yield* stop
      yield* Effect.repeat(refused(url), { until: (yes) => yes })
      assert.isNull(stopping.unsafePoll())
      resume()
      const { body, whole } = yield* answered
      assert.deepStrictEqual([whole, body.length], [true, large.length])
      yield* Fiber.join(stopping)
    })
  )

  it.scopedLive("ends a stream that takes longer than drain with an error: it never looks whole", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(stream([role, content("Hel")], "stall"))
      const { log, stop, url } = yield* stoppable([only], "50ms")
      const { answer, text } = yield* call(url, streamed)
      yield* eventually(() => text().includes("Hel"))
      yield* Fiber.join(yield* stop)
      const ended = yield* answer
      assert.isTrue(ended.whole)
      assert.match(ended.text, /"Hel".*\n\ndata: \{"error":.*"code":"stream_interrupted".*\}\n\n$/s)
      assert.notInclude(ended.text, "[DONE]")
      yield* cancelled(log, only)
    })
  )

  it.scopedLive("answers who waits for longer than drain that it stops, and to ask again", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(silence)
      const { log, stop, url } = yield* stoppable([only], "50ms")
      const calls = [yield* call(url, streamed), yield* call(url)]
      yield* eventually(() => only.received.length === 2)
      yield* Fiber.join(yield* stop)
      for (const { answer } of calls) {
        const refused = yield* answer
        assert.deepStrictEqual([refused.status, envelope(refused).code], [503, "shutting_down"])
        assert.deepInclude(refused.headers, { "retry-after": "1", connection: "close" })
        assert.notProperty(refused.headers, "x-should-retry")
      }
      yield* cancelled(log, only)
    })
  )

  it.scopedLive("does not wait for a caller that reads neither answer nor farewell", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(stream([role, ...Array.from({ length: 60 }, () => content("la ".repeat(300_000)))]))
      const { log, stop, url } = yield* stoppable([only], "400ms")
      const { answer, head, pause, resume } = yield* call(url, streamed)
      yield* eventually(() => head() !== undefined)
      pause()
      yield* Fiber.join(yield* stop)
      yield* cancelled(log, only)
      resume()
      assert.isFalse((yield* answer).whole)
    })
  )

  it.scopedLive("does not wait for connections that lie idle", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { stop, url } = yield* stoppable([only], "1h")
      const idle = yield* Effect.fork(exchange(url, "GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"))
      const silent = yield* Effect.fork(exchange(url, ""))
      const half = yield* Effect.fork(exchange(url, "GET /health/live HT"))
      yield* Effect.repeat(get(url, "/health/live"), { times: 5 })
      yield* Fiber.join(yield* stop)
      assert.match(yield* Fiber.join(idle), /^HTTP\/1\.1 200 /)
      assert.strictEqual(yield* Fiber.join(silent), "")
      assert.strictEqual(yield* Fiber.join(half), "")
    })
  )

  it.scopedLive("says on a connection that is still open that it is not ready", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { behaviour, end, send } = held()
      only.script(behaviour)
      const { stop, url } = yield* stoppable([only], "1h")
      const body = JSON.stringify(chatBody({ stream: true }))
      const socket = connect(Number(new URL(url).port), "127.0.0.1")
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`
      )
      let text = ""
      socket.on("data", (chunk) => {
        text += chunk
      })
      yield* eventually(() => only.received.length === 1)
      send(role, content("Hel"))
      yield* eventually(() => text.includes("Hel"))
      const stopping = yield* stop
      yield* Effect.repeat(refused(url), { until: (yes) => yes })
      socket.write("GET /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n")
      send(content("lo"), finish)
      end()
      yield* Fiber.join(stopping)
      yield* eventually(() => socket.destroyed)
      assert.match(text, /"lo".*\[DONE\].*HTTP\/1\.1 503 .*"status":"draining"/s)
    })
  )
})
