import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Record } from "effect"
import { ask, call, chatBody, exchange } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import {
  answer as answered,
  type Behaviour,
  content,
  finish,
  held,
  role,
  sends,
  silence,
  stream,
  wall
} from "../support/wall.ts"

const post = (fields: string, body = "") =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n${fields}\r\n${body}`

/** Whoever asks properly afterwards is answered as if nothing had been. */
const livesOn = (url: string) =>
  Effect.map(ask(url), ({ status, whole }) => assert.deepStrictEqual([status, whole], [200, true]))

describe("a hostile connection", () => {
  const get = (fields: string) => `GET /v1/models HTTP/1.1\r\n${fields}\r\n`
  const malformed: Readonly<Record<string, string>> = {
    "two lengths": post("content-length: 2\r\ncontent-length: 3\r\n", "{}"),
    "a length that is none": post("content-length: -1\r\n"),
    "a length in words": post("content-length: two\r\n", "{}"),
    "a length and chunks": post("content-length: 2\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
    "chunks and a length": post("transfer-encoding: chunked\r\ncontent-length: 2\r\n", "0\r\n\r\n"),
    "a coding that hides chunks": post("transfer-encoding: chunked, identity\r\n", "0\r\n\r\n"),
    "chunks that are none": post("transfer-encoding: chunked\r\n", "zz\r\n"),
    "a header folded over lines": post("x-a: 1\r\n b: 2\r\ncontent-length: 0\r\n"),
    "a header name with a space": get("host: localhost\r\nx a: 1\r\n"),
    "a space before the colon": get("host : a\r\n"),
    "a header with NUL": get("host: localhost\r\nx-a: \0\r\n"),
    "lines that end in LF": "GET /v1/models HTTP/1.1\nhost: localhost\n\n",
    "a bare CR in a header": get("host: localhost\r\nx-a: 1\rx-b: 2\r\n"),
    "no HTTP": "EHLO mail.example\r\n\r\n",
    "HTTP of another version": "GET / HTTP/3.7\r\nhost: localhost\r\n\r\n",
    TLS: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a path with a space": "GET /v1/mo dels HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "no host": get(""),
    "two hosts": get("host: localhost\r\nHOST: elsewhere.example\r\n"),
    "one host twice, in HTTP/1.0": "GET /v1/models HTTP/1.0\r\nhost: localhost\r\nhost: localhost\r\n\r\n"
  }
  const refusals: Readonly<Record<string, readonly [string, number, string]>> = {
    ...Record.map(malformed, (request) => [request, 400, "malformed_request"] as const),
    "a header of 64 kB": [post(`x-a: ${"x".repeat(65_536)}\r\n`), 431, "headers_too_large"],
    "a key of 64 kB": [post(`authorization: Bearer ${"x".repeat(65_536)}\r\n`), 431, "headers_too_large"],
    "a path of 64 kB": [
      `GET /${"x".repeat(65_536)} HTTP/1.1\r\nhost: localhost\r\n\r\n`,
      431,
      "headers_too_large"
    ],
    "thousands of headers": [
      get(`host: localhost\r\n${"x: y\r\n".repeat(20_000)}`),
      431,
      "headers_too_large"
    ],
    "a chunk with 64 kB of extensions": [
      post("transfer-encoding: chunked\r\n", `2;${"x".repeat(65_536)}\r\n{}\r\n0\r\n\r\n`),
      413,
      "request_too_large"
    ],
    "an expectation": [post("expect: the-unexpected\r\ncontent-length: 0\r\n"), 417, "expectation_failed"],
    "a body that is too large, and waits to be asked for": [
      post("expect: 100-continue\r\ncontent-length: 99999999\r\nconnection: close\r\n"),
      413,
      "request_too_large"
    ],
    "HTTP/0.9": ["GET /nowhere\r\n\r\n", 404, "not_found"],
    "an absolute path": [
      "GET http://localhost/nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
      404,
      "not_found"
    ],
    "an absolute path of elsewhere, whatever the header says": [
      "GET http://evil.example/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
      403,
      "forbidden_host"
    ],
    "a name of elsewhere that leads here": [
      "GET /status HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
      403,
      "forbidden_host"
    ],
    "a name that looks like this machine's": [
      "GET / HTTP/1.1\r\nhost: 127.0.0.1.evil.example:80\r\nconnection: close\r\n\r\n",
      403,
      "forbidden_host"
    ],
    "a path of dots": [
      "GET /v1/models/../../health/../etc/passwd HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
      404,
      "model_not_found"
    ],
    "a method nobody has": [
      "PURGE /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
      405,
      "method_not_allowed"
    ],
    TRACE: ["TRACE /nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 404, "not_found"]
  }
  for (const [name, [request, status, code]] of Object.entries(refusals)) {
    it.scopedLive(`of ${name}: ${status} ${code}, and nobody else is hurt`, () =>
      Effect.gen(function* () {
        const only = yield* wall
        const { url } = yield* gateway(chat([only.url]))
        const text = yield* exchange(url, Buffer.from(request, "latin1"))
        const [head = "", body = ""] = text.split("\r\n\r\n")
        assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `))
        assert.match(head, /^x-request-id: req_[0-9a-f]{16}$/m)
        assert.match(head, new RegExp(`^content-length: ${body.length}$`, "m"))
        const { error } = JSON.parse(body)
        assert.deepStrictEqual([error.code, error.param], [code, code === "model_not_found" ? "model" : null])
        assert.isString(error.message)
        assert.strictEqual(only.received.length, 0)
        yield* livesOn(url)
      })
    )
  }

  const silent: Readonly<Record<string, string>> = {
    "a proxy's CONNECT": "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n",
    "nothing but its end": ""
  }
  for (const [name, request] of Object.entries(silent)) {
    it.scopedLive(`of ${name} is closed without a word`, () =>
      Effect.gen(function* () {
        const { url } = yield* gateway(chat([(yield* wall).url]))
        assert.strictEqual(yield* exchange(url, request, undefined, "end"), "")
        yield* livesOn(url)
      })
    )
  }

  it.scopedLive("whose second request is garbage gets its first answer whole, and then a 400", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url]))
      let sent = false
      const text = yield* Effect.async<string>((resume) => {
        const socket = connect(Number(new URL(url).port), "127.0.0.1")
        const body = JSON.stringify(chatBody())
        socket.write(post(`content-length: ${body.length}\r\n`, body))
        let said = ""
        socket.on("data", (chunk) => {
          said += chunk
          if (!sent && said.includes("Hello there")) sent = socket.write("garbage\r\n\r\n")
        })
        socket.on("close", () => resume(Effect.succeed(said)))
      })
      assert.match(text, /^HTTP\/1\.1 200 .*Hello there.*HTTP\/1\.1 400 .*malformed_request/s)
      yield* livesOn(url)
    })
  )

  it.scopedLive("whose stream garbage runs into breaks the stream: no answer in an answer", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(stream([role, content("Hel")], "stall"))
      const { url } = yield* gateway(chat([only.url]))
      const body = JSON.stringify(chatBody({ stream: true }))
      const text = yield* Effect.async<string>((resume) => {
        const socket = connect(Number(new URL(url).port), "127.0.0.1")
        socket.write(post(`content-length: ${body.length}\r\n`, body))
        let said = ""
        socket.on("data", (chunk) => {
          said += chunk
          if (said.includes("Hel")) socket.write("garbage\r\n\r\n")
        })
        socket.on("error", () => {})
        socket.on("close", () => resume(Effect.succeed(said)))
      })
      assert.notMatch(text, /malformed|HTTP.*HTTP/s)
      yield* eventually(() => only.received[0]?.abandoned === true)
    })
  )

  const keyed = (fields: string) =>
    `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${fields}content-length: 16\r\n\r\n{"model":"chat"}`
  const keys: Readonly<Record<string, readonly [string, number]>> = {
    "two keys, the wrong one first": ["authorization: Bearer no\r\nauthorization: Bearer sk-1\r\n", 401],
    "two keys, the right one first": ["authorization: Bearer sk-1\r\nauthorization: Bearer no\r\n", 200],
    "a key that a proxy should strip": ["connection: authorization\r\nauthorization: Bearer sk-1\r\n", 200],
    "a key in a trailer's place": ["trailer: authorization\r\n", 401],
    "a key for a proxy": ["proxy-authorization: Bearer sk-1\r\n", 401],
    "another address and method in headers": [
      "x-forwarded-host: evil.example\r\nx-original-url: /health/live\r\nx-http-method-override: GET\r\nx-portkey-custom-host: http://evil.example\r\n",
      401
    ]
  }
  for (const [name, [fields, status]] of Object.entries(keys)) {
    it.scopedLive(`with ${name}: ${status}, and nothing of it goes upstream`, () =>
      Effect.gen(function* () {
        const only = yield* wall
        const { url } = yield* gateway(chat([only.url], { server: "apiKeys: [sk-1]" }))
        assert.match(yield* exchange(url, keyed(fields)), new RegExp(`^HTTP/1\\.1 ${status} `))
        assert.strictEqual(only.received.length, status === 200 ? 1 : 0)
        for (const { headers } of only.received) {
          assert.strictEqual(headers.authorization, "Bearer sk-upstream-1")
          assert.strictEqual(headers.host, new URL(only.url).host)
        }
      })
    )
  }

  it.scopedLive("that is one of a thousand at once, whole or broken: each gets its own answer", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { log, url } = yield* gateway(chat([only.url]))
      const asked = Array.from({ length: 1000 }, (_, n) => n % 10)
      const bodies = [{}, "{", { model: "nowhere" }]
      const answers = yield* Effect.forEach(
        asked,
        (n) => Effect.map(ask(url, { body: bodies[n] ?? chatBody() }), ({ status }) => status),
        { concurrency: 250 }
      )
      const expected = asked.map((n) => [400, 400, 404][n] ?? 200)
      assert.deepStrictEqual(answers, expected)
      assert.strictEqual(log.filter(({ message }) => message === "run").length, 700)
      yield* livesOn(url)
    })
  )

  it.scopedLive("of two requests in one segment: two answers, in order", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url]))
      const body = JSON.stringify(chatBody())
      const one = post(`content-length: ${body.length}\r\n`, body)
      const two = "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
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

  it.scopedLive("for longer than it may is cut off, and so is the upstream", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url, log } = yield* gateway(chat([only.url], { server: "stallTimeout: 100ms" }))
      const large = JSON.stringify({ choices: [{ message: { content: words.repeat(400) } }] })
      const pieces = Array.from({ length: 700 }, () => content(words))
      for (const [stuck, options] of [
        [sends(200, "application/json", large), {}],
        [stream([role, ...pieces]), { body: chatBody({ stream: true }) }]
      ] as const) {
        only.script(stuck)
        const { answer, head, pause, resume } = yield* call(url, options)
        yield* eventually(() => head() !== undefined)
        pause()
        yield* eventually(() => log.some(({ message }) => message === "run"))
        yield* eventually(() => only.received.length > 0 && only.sockets() === 0)
        resume()
        assert.isFalse((yield* answer).whole)
        log.length = 0
      }
      only.script(answered())
      yield* livesOn(url)
    })
  )

  it.scopedLive("because nothing comes is not one that does not read", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { behaviour, end, send } = held()
      only.script(behaviour)
      const { url } = yield* gateway(chat([only.url], { server: "stallTimeout: 20ms" }))
      const { answer, text } = yield* call(url, { body: chatBody({ stream: true }) })
      yield* eventually(() => only.received.length === 1)
      send(role, content("Hel"))
      yield* eventually(() => text().includes("Hel"))
      yield* Effect.sleep("80 millis")
      send(content("lo"), finish)
      end()
      assert.isTrue((yield* answer).text.endsWith("[DONE]\n\n"))
    })
  )
})
