import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, call, chatBody, envelope, exchange, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { type Behaviour, content, finish, role, silence, wall } from "../support/wall.ts"

const post = (fields: string, body = "") =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n${fields}\r\n${body}`

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

  it.scopedLive("with keys of the prototype is data like any other", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url]))
      const body = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"model":"chat"}'
      assert.strictEqual((yield* ask(url, { body })).status, 200)
      assert.isUndefined(({} as { polluted?: number }).polluted)
    })
  )

  const large = 8_000_000
  const chunked = `${large.toString(16)}\r\n${" ".repeat(large)}\r\n0\r\n\r\n`
  for (const [name, request] of [
    ["with its length", post(`content-length: ${large}\r\n`, " ".repeat(large))],
    ["without its length", post("transfer-encoding: chunked\r\n", chunked)],
    [
      "with a length that is a lie, and never ends",
      post("content-length: 999999999999\r\n", " ".repeat(large))
    ]
  ] as const) {
    it.scopedLive(`far over the limit, ${name}: the caller can read the 413`, () =>
      Effect.gen(function* () {
        const only = yield* wall
        const { url } = yield* gateway(chat([only.url], { server: "maxBody: 1MB" }))
        const text = yield* exchange(url, request)
        assert.match(text, /^HTTP\/1\.1 413 /)
        assert.include(text, '"code":"request_too_large"')
        assert.match(text, /x-request-id: req_/)
        assert.strictEqual(only.received.length, 0)
        yield* livesOn(url)
      })
    )
  }

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
      yield* eventually(() => only.sockets() === 0 && log.length === 200)
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

describe("a caller without the key", () => {
  const key = "sk-gateway-0123456789"
  const admitted = [`Bearer ${key}`, `bearer ${key}`, `BEARER   ${key}  `]
  const refused = [
    "",
    "Bearer",
    "Bearer ",
    key,
    `Basic ${key}`,
    `Bearer ${key}x`,
    `Bearer ${key.slice(0, -1)}`,
    `Bearer ${key.toUpperCase()}`,
    `Bearer ${key} ${key}`,
    `Bearer "${key}"`,
    `Bearer,${key}`,
    "Bearer ' OR 1=1--",
    "Bearer __proto__",
    `Bearer ${"x".repeat(12_000)}`,
    "Bearer \u00e9\u00ff"
  ]

  it.scopedLive("is told so before its body is read, whatever it sends instead", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const yaml = chat([only.url], { server: 'apiKeys: ["${KEY}"]' })
      const { url } = yield* gateway(yaml, { KEY: key })
      for (const authorization of admitted) {
        assert.strictEqual((yield* ask(url, { headers: { authorization } })).status, 200, authorization)
      }
      for (const authorization of [undefined, ...refused]) {
        const answer = yield* ask(url, {
          headers: { "api-key": key, ...(authorization !== undefined && { authorization }) },
          body: "{ no JSON"
        })
        assert.deepStrictEqual(
          [answer.status, envelope(answer).code],
          [401, "invalid_api_key"],
          authorization
        )
        assert.notInclude(answer.text, "sk-")
      }
      assert.strictEqual(only.received.length, admitted.length)
      assert.strictEqual((yield* get(url, "/v1/models")).status, 401)
      assert.strictEqual((yield* get(url, "/v1/models/chat")).status, 401)
      for (const path of ["/health/live", "/health/ready"])
        assert.strictEqual((yield* get(url, path)).status, 200)
    })
  )

  it.scopedLive("can read its 401 though its body was large", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const yaml = chat([only.url], { server: 'apiKeys: ["${KEY}"]' })
      const { url } = yield* gateway(yaml, { KEY: key })
      const text = yield* exchange(url, post("content-length: 8000000\r\n", " ".repeat(8_000_000)))
      assert.match(text, /^HTTP\/1\.1 401 /)
      assert.include(text, "invalid_api_key")
    })
  )
})
