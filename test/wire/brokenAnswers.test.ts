import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, chatBody, envelope } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { bytes, nowhere } from "../support/socket.ts"
import {
  answer,
  type Behaviour,
  content,
  fails,
  finish,
  reset,
  role,
  sends,
  silence,
  stream,
  wall
} from "../support/wall.ts"

const once = "retry: { times: 0 }"
const half = '{"id":"c","choices":[{"index":0,"message":{"role":"assis'
const head = (fields: string) => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${fields}\r\n`

interface Case {
  readonly behaviour: Behaviour
  /** `error.attempts[].class` and `status`. */
  readonly seen: readonly [string, number | null]
  readonly tier?: string
  readonly body?: object
}

const cases: Readonly<Record<string, Case>> = {
  "breaks the connection before a byte": { behaviour: reset, seen: ["connection", null] },
  "closes it before a byte": { behaviour: bytes("", "close"), seen: ["connection", null] },
  "resets it in the middle of the JSON": {
    behaviour: bytes(`${head("content-length: 500\r\n")}${half}`, "reset"),
    seen: ["connection", null]
  },
  "closes it before the length it promised": {
    behaviour: bytes(`${head("content-length: 500\r\n")}${half}`, "close"),
    seen: ["connection", null]
  },
  "closes it before the last chunk": {
    behaviour: bytes(
      `${head("transfer-encoding: chunked\r\n")}${half.length.toString(16)}\r\n${half}\r\n`,
      "close"
    ),
    seen: ["connection", null]
  },
  "cuts the JSON and gives the length of what is there": {
    behaviour: sends(200, "application/json", half),
    seen: ["invalid_answer", 200]
  },
  "cuts the JSON and gives no length": {
    behaviour: bytes(`${head("connection: close\r\n")}${half}`, "close"),
    seen: ["invalid_answer", 200]
  },
  "sends nothing at all": {
    behaviour: sends(200, "application/json", ""),
    seen: ["invalid_answer", 200]
  },
  "is no HTTP": { behaviour: bytes("220 mail.example ESMTP\r\n", "close"), seen: ["connection", null] },
  "answers 200 with a page": {
    behaviour: sends(200, "text/html", "<html>Sign in to the Wi-Fi</html>"),
    seen: ["invalid_answer", 200]
  },
  "answers 502 with a page": {
    behaviour: sends(502, "text/html", "<html>Bad gateway</html>"),
    seen: ["server_error", 502]
  },
  "answers 200 with an error": {
    behaviour: sends(
      200,
      "application/json",
      '{"error":{"message":"busy","type":"server_error","code":null}}'
    ),
    seen: ["server_error", 200]
  },
  "answers 200 with an error inside a choice": {
    behaviour: sends(
      200,
      "application/json",
      '{"choices":[{"index":0,"message":{"role":"assistant","content":"Hel"},"finish_reason":"error","error":{"code":502,"message":"lost"}}]}'
    ),
    seen: ["server_error", 200]
  },
  "answers with no choice": {
    behaviour: sends(200, "application/json", '{"id":"c","choices":[]}'),
    seen: ["invalid_answer", 200]
  },
  "answers with a list": { behaviour: sends(200, "application/json", "[]"), seen: ["invalid_answer", 200] },
  "streams to a request for an answer": {
    behaviour: stream([role, content("Hel"), finish]),
    seen: ["invalid_answer", 200]
  },
  "sends no head until attemptTimeout": {
    behaviour: silence,
    tier: "attemptTimeout: 50ms",
    seen: ["timeout", null]
  },
  "stops in the middle of the JSON until attemptTimeout": {
    behaviour: bytes(`${head("content-length: 500\r\n")}${half}`, "stall"),
    tier: "attemptTimeout: 50ms",
    seen: ["timeout", null]
  },
  "sends an error that never ends until attemptTimeout": {
    behaviour: bytes('HTTP/1.1 503 Busy\r\ncontent-length: 500\r\n\r\n{"error', "stall"),
    tier: "attemptTimeout: 50ms",
    seen: ["timeout", null]
  },
  "breaks off in the middle of an error": {
    behaviour: bytes('HTTP/1.1 429 Slow down\r\ncontent-length: 500\r\n\r\n{"error', "reset"),
    seen: ["rate_limited", 429]
  },
  "answers a stream's request with JSON": {
    behaviour: sends(
      200,
      "application/json",
      '{"choices":[{"index":0,"message":{"role":"assistant","content":"Hel"},"finish_reason":"stop"}]}'
    ),
    body: { stream: true },
    seen: ["invalid_answer", 200]
  },
  "answers a stream's request with a page": {
    behaviour: sends(200, "text/html", "<html></html>"),
    body: { stream: true },
    seen: ["invalid_answer", 200]
  },
  "answers a stream's request with 503": {
    behaviour: fails(503),
    body: { stream: true },
    seen: ["overloaded", 503]
  }
}

describe("an upstream that", () => {
  for (const [name, { behaviour, body, seen, tier }] of Object.entries(cases)) {
    const policy = { tier: once, tier1: tier }
    const request = { body: chatBody(body) }

    it.scopedLive(`${name}: the next tier answers; without one the caller is told`, () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(behaviour)
        second.script(answer(["Still here"]))
        const running = yield* gateway(chat([first.url, second.url], policy))
        const served = yield* ask(running.url, request)
        assert.deepStrictEqual([served.status, served.whole], [200, true])
        assert.include(served.text, "Still here")
        assert.strictEqual(served.headers["x-understudy-tier"], "tier2")
        assert.strictEqual(served.headers["x-understudy-attempts"], "2")
        assert.deepStrictEqual([first.received.length, second.received.length], [1, 1])
        const [attempt] = running.log
        assert.deepStrictEqual<unknown>([attempt?.["error_type"], attempt?.["status"] ?? null], seen)
        assert.strictEqual(attempt?.["outcome"], seen[0] === "timeout" ? "timeout" : "failure")
        // A connection that failed is gone at both ends; one that gave a whole answer may serve again.
        if (seen[1] === null) yield* eventually(() => first.received[0]?.abandoned === true)

        const alone = yield* gateway(chat([first.url], policy))
        const failed = yield* ask(alone.url, request)
        const error = envelope(failed)
        const limited = seen[0] === "rate_limited"
        assert.deepStrictEqual(
          [failed.status, error.code],
          limited ? [429, "rate_limited"] : [503, "all_tiers_failed"]
        )
        assert.strictEqual(failed.headers["x-should-retry"], limited ? undefined : "false")
        assert.deepStrictEqual<unknown>(
          error.attempts?.map(({ latency_ms, ...rest }) => ({ ...rest, timed: typeof latency_ms })),
          [{ tier: "tier1", model: "model1", status: seen[1], class: seen[0], timed: "number" }]
        )
      })
    )
  }

  it.scopedLive("nobody listens at: the next tier answers", () =>
    Effect.gen(function* () {
      const second = yield* wall
      const { log, url } = yield* gateway(chat([yield* nowhere, second.url], { tier: once }))
      const served = yield* ask(url)
      assert.strictEqual(served.headers["x-understudy-tier"], "tier2")
      assert.strictEqual(log[0]?.["error_type"], "connection")
    })
  )

  for (const status of [301, 302, 307, 308]) {
    it.scopedLive(`redirects with ${status}: it is not followed, for the key would go along`, () =>
      Effect.gen(function* () {
        const [first, second, elsewhere] = [yield* wall, yield* wall, yield* wall]
        first.script((response) => {
          response.writeHead(status, { location: `${elsewhere.url}/chat/completions` }).end()
        })
        const { log, url } = yield* gateway(chat([first.url, second.url]))
        for (const stream of [false, true]) {
          const served = yield* ask(url, { body: chatBody({ stream }) })
          assert.strictEqual(served.headers["x-understudy-tier"], "tier2")
        }
        assert.deepStrictEqual([first.received.length, elsewhere.connections()], [2, 0])
        assert.deepStrictEqual([log[0]?.["error_type"], log[0]?.["status"]], ["redirect", status])
      })
    )
  }

  it.scopedLive("closes a connection that lay idle is asked again on a new one", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url], { tier: "retry: { times: 1, base: 1ms }" }))
      for (let round = 0; round < 20; round++) {
        assert.strictEqual((yield* ask(url)).status, 200)
        only.closeIdle()
      }
    })
  )
})
