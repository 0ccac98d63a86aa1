import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, chatBody } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { rawWall } from "../support/rawWall.ts"
import { answer, content, done, fails, finish, role, wall } from "../support/wall.ts"

const completion = '{"choices":[{"message":{"role":"assistant","content":"Hi"}}]}'
const response = (fields = "", body = completion) =>
  `HTTP/1.1 200 OK\r\n${fields}content-length: ${body.length}\r\n\r\n${body}`

describe("a connection to an upstream", () => {
  it.scopedLive("serves one call after the other", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(answer(), fails(503), fails(400), answer())
      const { url } = yield* gateway(chat([only.url], { tier: "retry: { times: 1, base: 1ms }" }))
      for (let round = 0; round < 20; round++) yield* ask(url)
      assert.deepStrictEqual([only.received.length, only.connections()], [21, 1])
    })
  )

  it.scopedLive("serves one stream after the other", () =>
    Effect.gen(function* () {
      const only = yield* rawWall
      const events = [role, content("Hi"), finish, done].map((piece) => piece("model")).join("")
      // With its end in the same packet: what comes later is waited for, beside the next call.
      only.script({ writes: [response("content-type: text/event-stream\r\n", events)] })
      const { url } = yield* gateway(chat([only.url]))
      for (let round = 0; round < 20; round++) {
        assert.strictEqual((yield* ask(url, { body: chatBody({ stream: true }) })).text, events)
      }
      assert.deepStrictEqual([only.requests(), only.connections()], [20, 1])
    })
  )

  it.scopedLive("belongs to one provider, even where two have the same address", () =>
    Effect.gen(function* () {
      const shared = yield* wall
      shared.script((sent, received) => {
        const first = received.headers.authorization === "Bearer sk-upstream-1"
        return (first ? fails(503) : answer())(sent, received)
      })
      const tier = "retry: { times: 0 }, breaker: { consecutive: 1000 }"
      const { url } = yield* gateway(chat([shared.url, shared.url], { tier }))
      for (let round = 0; round < 10; round++) yield* ask(url)
      assert.deepStrictEqual([shared.received.length, shared.connections()], [20, 2])
    })
  )

  it.scopedLive("that the upstream has closed in the meantime is not used", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { log, url } = yield* gateway(chat([only.url], { tier: "retry: { times: 0 }" }))
      for (let round = 0; round < 20; round++) {
        assert.strictEqual((yield* ask(url)).status, 200)
        only.closeIdle()
        yield* eventually(() => only.sockets() === 0)
      }
      assert.isTrue(log.every((line) => line["outcome"] === "success"))
      assert.strictEqual(only.received.length, 20)
    })
  )

  it.scopedLive("that is closed under a request fails that attempt: it is not sent twice unseen", () =>
    Effect.gen(function* () {
      const only = yield* rawWall
      only.script({ writes: [response()] }, { ends: "close" }, { writes: [response()] })
      const { log, url } = yield* gateway(chat([only.url], { tier: "retry: { times: 1, base: 1ms }" }))
      yield* ask(url)
      const { headers, status } = yield* ask(url)
      assert.deepStrictEqual([status, headers["x-understudy-attempts"]], [200, "2"])
      assert.deepStrictEqual([only.requests(), only.connections()], [3, 2])
      assert.deepStrictEqual(
        log.flatMap((line) => (line.message === "attempt" ? [line["error_type"]] : [])),
        [undefined, "connection", undefined]
      )
    })
  )

  it.scopedLive("that the upstream closes after its answer is not used again", () =>
    Effect.gen(function* () {
      const only = yield* rawWall
      only.script({ writes: [response("connection: close\r\n")] })
      const { url } = yield* gateway(chat([only.url], { tier: "retry: { times: 0 }" }))
      for (const calls of [1, 2, 3]) {
        assert.strictEqual((yield* ask(url)).status, 200)
        assert.strictEqual(only.connections(), calls)
        yield* eventually(() => only.open() === 0)
      }
    })
  )

  it.scopedLive("on which more came than the answer gives that to no other call", () =>
    Effect.gen(function* () {
      const only = yield* rawWall
      const smuggled = response("", completion.replace("Hi", "Smuggled"))
      only.script({ writes: [response() + smuggled] }, { writes: [response()] })
      const { url } = yield* gateway(chat([only.url], { tier: "retry: { times: 1, base: 1ms }" }))
      for (let round = 0; round < 5; round++) {
        const { status, text } = yield* ask(url)
        assert.deepStrictEqual([status, text], [200, completion])
      }
    })
  )

  it.scopedLive("with the body of an error unread is closed", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* rawWall, yield* wall]
      const endless = "x".repeat(2_000_000)
      first.script({ writes: [`HTTP/1.1 503 Busy\r\ncontent-length: 99999999\r\n\r\n${endless}`] })
      const { log, url } = yield* gateway(chat([first.url, second.url], { tier: "retry: { times: 0 }" }))
      for (const stream of [false, true]) {
        const { headers } = yield* ask(url, { body: chatBody({ stream }) })
        assert.strictEqual(headers["x-understudy-tier"], "tier2")
        yield* eventually(() => first.open() === 0)
      }
      assert.deepStrictEqual([log[0]?.["error_type"], log[0]?.["status"]], ["overloaded", 503])
    })
  )
})
