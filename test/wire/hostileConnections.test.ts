import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, call, chatBody, exchange } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { type Behaviour, content, finish, role, silence, wall } from "../support/wall.ts"

const post = (fields: string, body = "") =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n${fields}\r\n${body}`

/** Whoever asks properly afterwards is answered as if nothing had been. */
const livesOn = (url: string) =>
  Effect.map(ask(url), ({ status, whole }) => assert.deepStrictEqual([status, whole], [200, true]))

describe("a hostile connection", () => {
  const requests: Readonly<Record<string, readonly [string, RegExp]>> = {
    "two lengths": [post("content-length: 2\r\ncontent-length: 3\r\n", "{}"), /^HTTP\/1\.1 400 /],
    "a length and chunks": [
      post("content-length: 2\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
      /^HTTP\/1\.1 400 /
    ],
    "chunks that are none": [post("transfer-encoding: chunked\r\n", "zz\r\n"), /^HTTP\/1\.1 400 |^$/],
    "a header folded over lines": [post("x-a: 1\r\n b: 2\r\ncontent-length: 0\r\n"), /^HTTP\/1\.1 400 /],
    "a header of 64 kB": [post(`authorization: Bearer ${"x".repeat(65_536)}\r\n`), /^HTTP\/1\.1 431 /],
    "no HTTP": ["EHLO mail.example\r\n\r\n", /^HTTP\/1\.1 400 /],
    TLS: ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", /^HTTP\/1\.1 400 /],
    "HTTP/2": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", /^HTTP\/1\.1 400 |^$/],
    "a proxy's CONNECT": [
      "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n",
      /^$|^HTTP\/1\.1 4/
    ],
    "a proxy's absolute path": [
      "GET http://evil.example/ HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
      /^HTTP\/1\.1 404 /
    ],
    "no host": ["GET /v1/models HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    "a path of dots": [
      "GET /v1/models/../../health/../etc/passwd HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
      /^HTTP\/1\.1 404 /
    ]
  }
  for (const [name, [request, expected]] of Object.entries(requests)) {
    it.scopedLive(`of ${name} is refused, and nobody else is hurt`, () =>
      Effect.gen(function* () {
        const only = yield* wall
        const { url } = yield* gateway(chat([only.url]))
        assert.match(yield* exchange(url, Buffer.from(request, "latin1")), expected)
        assert.strictEqual(only.received.length, 0)
        yield* livesOn(url)
      })
    )
  }

  it.scopedLive("of two requests in one segment: two answers, in order", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url]))
      const body = JSON.stringify(chatBody())
      const one = post(`content-length: ${body.length}\r\n`, body)
      const two = "GET /v1/models HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
      const text = yield* exchange(url, one + two)
      assert.strictEqual(text.split("HTTP/1.1 200 OK").length, 3)
      assert.isBelow(text.indexOf("chat.completion"), text.indexOf('"object":"list"'))
    })
  )

  it.scopedLive("that is one of a hundred, all given up: nothing stays open", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(silence)
      const { log, url } = yield* gateway(chat([only.url]))
      const calls = yield* Effect.all(Array.from({ length: 100 }, () => call(url)))
      yield* eventually(() => only.received.length === 100)
      for (const { leave } of calls) leave()
      yield* eventually(() => log.length === 200 && only.received.every(({ abandoned }) => abandoned))
      assert.isTrue(log.every((line) => line["outcome"] === "interrupted" || line["outcome"] === "cancelled"))
    })
  )

  it.scopedLive("that gives up in the middle of its own request: nobody is asked", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { log, url } = yield* gateway(chat([only.url]))
      const half = post("content-length: 1000\r\nexpect: 100-continue\r\n", '{"model":"chat"')
      assert.match(yield* exchange(url, half, (text) => text.includes("100 Continue")), /100 Continue/)
      yield* livesOn(url)
      assert.deepStrictEqual([only.received.length, log.length], [1, 2])
    })
  )
})

describe("a caller that does not read", () => {
  const words = "la ".repeat(20_000)
  const pieces = 700

  it.scopedLive("stops the upstream; once it reads again it gets the rest", () =>
    Effect.gen(function* () {
      const only = yield* wall
      let sent = 0
      const generous: Behaviour = (response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(role("model1"))
        const next = (): void => {
          while (sent < pieces) {
            sent++
            if (!response.write(content(words)("model1"))) return void response.once("drain", next)
          }
          response.end(finish("model1"))
        }
        next()
      }
      only.script(generous)
      const { log, url } = yield* gateway(chat([only.url]))
      const { answer, head, pause, resume, text } = yield* call(url, { body: chatBody({ stream: true }) })
      yield* eventually(() => head() !== undefined)
      pause()
      let before = -1
      let since = 0
      yield* eventually(() => {
        if (sent !== before) since = performance.now()
        before = sent
        return performance.now() - since > 300
      })
      assert.isBelow(sent, pieces)
      assert.strictEqual(log.length, 0)
      resume()
      const { whole } = yield* answer
      assert.isTrue(whole)
      assert.strictEqual(sent, pieces)
      assert.isTrue(text().endsWith("data: [DONE]\n\n"))
      assert.isAbove(text().length, pieces * words.length)
    })
  )
})
