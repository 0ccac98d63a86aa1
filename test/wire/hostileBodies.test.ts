import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, envelope, exchange, writeAllThenRead } from "../support/caller.ts"
import { chat, gateway } from "../support/gateway.ts"
import { wall } from "../support/wall.ts"

const post = (fields: string, body = "") =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n${fields}\r\n${body}`

/** A request of so many levels. */
const nested = (depth: number) =>
  `{"model":"chat","messages":[],"user":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`

/** Whoever asks properly afterwards is answered as if nothing had been. */
const livesOn = (url: string) =>
  Effect.map(ask(url), ({ status, whole }) => assert.deepStrictEqual([status, whole], [200, true]))

describe("a hostile body", () => {
  const bodies: Readonly<Record<string, readonly [string | Buffer, number, string]>> = {
    nothing: ["", 400, "invalid_json"],
    "white space": [" \n\t ", 400, "invalid_json"],
    "half of one": ['{"model":"chat","messages":[{"content":"Hi', 400, "invalid_json"],
    "a string": ['"chat"', 400, "invalid_json"],
    null: ["null", 400, "invalid_json"],
    "NUL bytes": ["\0\0\0", 400, "invalid_json"],
    "two of them": ['{"model":"chat"}{"model":"chat"}', 400, "invalid_json"],
    "a byte order mark": ['\ufeff{"model":"chat"}', 400, "invalid_json"],
    "bytes that are no UTF-8": [
      Buffer.from('{"model":"chat","a":"\xff\xfe"}', "latin1"),
      400,
      "invalid_json"
    ],
    "half of a character": [Buffer.from('{"model":"chat","a":"é"}').subarray(0, 22), 400, "invalid_json"],
    "brackets without end": ["[".repeat(1_000_000), 400, "invalid_json"],
    "objects without end": ['{"a":'.repeat(200_000), 400, "invalid_json"],
    "14 MB of brackets without end": ["[".repeat(14_000_000), 400, "invalid_json"],
    "513 levels of nesting": [nested(513), 400, "invalid_json"],
    "100,000 levels of nesting": [nested(100_000), 400, "invalid_json"],
    "an empty model": ['{"model":""}', 400, "missing_model"],
    "a model that is null": ['{"model":null}', 400, "missing_model"],
    "a model that is a number": ['{"model":7}', 400, "missing_model"],
    "a model that is a list": ['{"model":["chat"]}', 400, "missing_model"],
    "a model of 10 kB": [`{"model":"${"x".repeat(10_000)}"}`, 404, "model_not_found"],
    "a model with line breaks": ['{"model":"chat\\r\\nset-cookie: a=b"}', 404, "model_not_found"],
    "a model of emoji": ['{"model":"😀"}', 404, "model_not_found"],
    "a model of half an emoji": ['{"model":"\\ud800"}', 404, "model_not_found"],
    "a model that is a path": ['{"model":"../../etc/passwd"}', 404, "model_not_found"],
    "a model named __proto__": ['{"model":"__proto__"}', 404, "model_not_found"],
    "a model named constructor": ['{"model":"constructor"}', 404, "model_not_found"],
    "a model in the prototype": ['{"__proto__":{"model":"chat"}}', 400, "missing_model"],
    "an address of its own": ['{"model":"gpt","base_url":"http://evil.example"}', 404, "model_not_found"]
  }
  for (const [name, [body, status, code]] of Object.entries(bodies)) {
    it.scopedLive(`of ${name}: ${status} ${code}`, () =>
      Effect.gen(function* () {
        const only = yield* wall
        const { url } = yield* gateway(chat([only.url]))
        const refused = yield* ask(url, { body })
        assert.deepStrictEqual([refused.status, envelope(refused).code], [status, code])
        assert.notInclude(refused.text, "xxx")
        assert.strictEqual(only.received.length, 0)
        yield* livesOn(url)
      })
    )
  }

  it.scopedLive("of 512 levels is one, and of more it is said what to do", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url]))
      assert.strictEqual((yield* ask(url, { body: nested(512) })).status, 200)
      assert.strictEqual(
        envelope(yield* ask(url, { body: nested(513) })).message,
        "The request body is nested deeper than 512 levels; send one that is flatter."
      )
    })
  )

  it.scopedLive("with keys of the prototype is data like any other", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url]))
      const body = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"model":"chat"}'
      assert.strictEqual((yield* ask(url, { body })).status, 200)
      assert.isUndefined(({} as { polluted?: number }).polluted)
    })
  )

  const large = 32_000_000
  for (const [how, request] of [
    ["with its length", post(`content-length: ${large}\r\n`, " ".repeat(large))],
    [
      "without its length",
      post("transfer-encoding: chunked\r\n", `${large.toString(16)}\r\n${" ".repeat(large)}\r\n0\r\n\r\n`)
    ]
  ] as const) {
    it.scopedLive(`far over the limit, ${how}: the caller can read the 413`, () =>
      Effect.gen(function* () {
        const only = yield* wall
        const { url } = yield* gateway(chat([only.url], { server: "maxBody: 1MB" }))
        for (let round = 0; round < 5; round++) {
          const text = yield* writeAllThenRead(url, request)
          assert.match(text, /^HTTP\/1\.1 413 .*x-request-id: req_.*"code":"request_too_large"/s)
        }
        assert.strictEqual(only.received.length, 0)
        yield* livesOn(url)
      })
    )
  }

  it.scopedLive("that would never end is refused long before", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url], { server: "maxBody: 1MB" }))
      const endless = post("content-length: 999999999999\r\n", " ".repeat(100_000))
      const text = yield* exchange(url, endless, (text) => text.endsWith("}}"))
      assert.match(text, /^HTTP\/1\.1 413 .*connection: close.*"code":"request_too_large"/is)
      yield* livesOn(url)
    })
  )

  it.scopedLive("one byte over the limit is refused, one at the limit is not", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url], { server: "maxBody: 1kB" }))
      const of = (length: number) => '{"model":"chat"}'.padEnd(length)
      for (const [length, status] of [
        [1000, 200],
        [1001, 413]
      ] as const) {
        assert.strictEqual((yield* ask(url, { body: of(length) })).status, status)
        const chunks = `${length.toString(16)}\r\n${of(length)}\r\n0\r\n\r\n`
        const text = yield* exchange(url, post("transfer-encoding: chunked\r\nconnection: close\r\n", chunks))
        assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `))
      }
    })
  )
})
