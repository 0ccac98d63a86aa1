import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Answer, ask, call, chatBody, envelope, get, type Options } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { content, fails, finish, held, role, stream, wall } from "../support/wall.ts"

const refusal = (answer: Answer) => {
  const { code, param, type } = envelope(answer)
  assert.strictEqual(answer.headers["x-should-retry"], "false")
  assert.isUndefined(answer.headers["retry-after"])
  return [answer.status, code, type, param]
}

const invalid = "invalid_request_error"

describe("the surface of the gateway", () => {
  const refusals: Readonly<Record<string, readonly [Options, ReadonlyArray<unknown>]>> = {
    "no body": [{ body: "" }, [400, "invalid_json", invalid, null]],
    "no JSON": [{ body: '{"model":"chat",' }, [400, "invalid_json", invalid, null]],
    "no object": [{ body: "[]" }, [400, "invalid_json", invalid, null]],
    "no model": [{ body: { messages: [] } }, [400, "missing_model", invalid, "model"]],
    "an unknown model": [{ body: { model: "gpt-9" } }, [404, "model_not_found", invalid, "model"]],
    "a body over the limit": [
      { body: `{"model":"chat"}${" ".repeat(1024)}` },
      [413, "request_too_large", invalid, null]
    ],
    "a timeout that is none": [
      { headers: { "x-understudy-timeout": "soon" } },
      [400, "invalid_timeout", invalid, null]
    ],
    "an unknown path": [{ path: "/v1/nothing" }, [404, "not_found", invalid, null]],
    "the root of /v1": [{ path: "/v1", method: "GET" }, [404, "not_found", invalid, null]],
    "the wrong method": [{ method: "GET" }, [405, "method_not_allowed", invalid, null]],
    "the wrong method for models": [{ path: "/v1/models" }, [405, "method_not_allowed", invalid, null]],
    "an unknown model's page": [
      { path: "/v1/models/gpt-9", method: "GET" },
      [404, "model_not_found", invalid, "model"]
    ]
  }
  for (const [name, [options, expected]] of Object.entries(refusals)) {
    it.scopedLive(`${name}: ${expected.slice(0, 2).join(" ")}, and no upstream hears of it`, () =>
      Effect.gen(function* () {
        const only = yield* wall
        const { log, url } = yield* gateway(chat([only.url], { server: "maxBody: 1KiB" }))
        const answer = yield* ask(url, options)
        assert.deepStrictEqual(refusal(answer), expected)
        assert.match(String(answer.headers["x-request-id"]), /^req_[0-9a-f]{16}$/)
        assert.isUndefined(answer.headers["x-understudy-tier"])
        assert.deepStrictEqual([only.connections(), log.length], [0, 0])
      })
    )
  }

  it.scopedLive("405 says in Allow what would do", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(chat([(yield* wall).url]))
      const allow = (method: string, path: string) =>
        Effect.map(ask(url, { method, path }), ({ headers, status }) => [status, headers.allow])
      assert.deepStrictEqual(yield* allow("GET", "/v1/chat/completions"), [405, "POST"])
      assert.deepStrictEqual(yield* allow("DELETE", "/chat/completions"), [405, "POST"])
      assert.deepStrictEqual(yield* allow("PUT", "/v1/models/chat"), [405, "GET, HEAD"])
      assert.deepStrictEqual(yield* allow("POST", "/health/live"), [405, "GET, HEAD"])
    })
  )

  it.scopedLive("HEAD has the head that GET has, and no body", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(chat([(yield* wall).url], { server: "apiKeys: [sk-1]" }))
      const key = { authorization: "Bearer sk-1" }
      const asked = Effect.fnUntraced(function* (method: string, path: string, headers = key) {
        const answer = yield* ask(url, { method, path, headers })
        const { date: _, "x-request-id": id, ...rest } = answer.headers
        assert.match(String(id), /^req_/)
        return { status: answer.status, headers: rest, text: answer.text, whole: answer.whole }
      })
      for (const path of [
        "/health/live",
        "/health/ready",
        "/v1/models",
        "/models/chat",
        "/models/none",
        "/none"
      ]) {
        const got = yield* asked("GET", path)
        assert.deepStrictEqual(yield* asked("HEAD", path), { ...got, text: "" }, path)
        assert.strictEqual(got.headers["content-length"], String(got.text.length))
      }
      // What they say changes from one moment to the next.
      for (const path of ["/", "/status", "/metrics"]) {
        const { headers, status, text, whole } = yield* asked("HEAD", path)
        const got = yield* asked("GET", path)
        assert.deepStrictEqual([status, text, whole], [200, "", true], path)
        assert.isAbove(Number(headers["content-length"]), 0)
        assert.sameMembers(Object.keys(headers), Object.keys(got.headers))
      }
      assert.strictEqual((yield* asked("HEAD", "/metrics", { authorization: "Bearer no" })).status, 401)
      const { headers, status } = yield* asked("HEAD", "/v1/chat/completions")
      assert.deepStrictEqual([status, headers["allow"]], [405, "POST"])
    })
  )

  it.scopedLive("every path answers without /v1 too, and with a query", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(chat([(yield* wall).url]))
      for (const prefix of ["", "/v1"]) {
        const path = `${prefix}/chat/completions`
        assert.strictEqual((yield* ask(url, { path })).status, 200)
        assert.strictEqual((yield* ask(url, { path: `${path}?api-version=1` })).status, 200)
        const { data } = JSON.parse((yield* get(url, `${prefix}/models`)).text)
        assert.deepStrictEqual(
          data.map(({ id, object }: Record<string, unknown>) => [id, object]),
          [["chat", "model"]]
        )
        assert.strictEqual(JSON.parse((yield* get(url, `${prefix}/models/chat`)).text).id, "chat")
      }
    })
  )

  it.scopedLive("a model's name arrives encoded", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url]).replace("  chat:", '  "org/größe ☃":'))
      const path = `/v1/models/${encodeURIComponent("org/größe ☃")}`
      assert.strictEqual(JSON.parse((yield* get(url, path)).text).id, "org/größe ☃")
      assert.strictEqual((yield* ask(url, { body: { model: "org/größe ☃" } })).status, 200)
      assert.strictEqual((yield* get(url, "/v1/models/%ZZ")).status, 404)
    })
  )

  it.scopedLive("every answer has an id of its own; a served one names its tier, model and attempts", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { log, url } = yield* gateway(chat([only.url]))
      const whole = yield* ask(url, { headers: { "x-request-id": "mine" } })
      const streamed = yield* ask(url, { body: chatBody({ stream: true }) })
      const others = yield* Effect.forEach(["/health/live", "/health/ready", "/v1/models"], (path) =>
        get(url, path)
      )
      const ids = [whole, streamed, ...others].map(({ headers }) => headers["x-request-id"])
      assert.isTrue(ids.every((id) => /^req_[0-9a-f]{16}$/.test(String(id))))
      assert.strictEqual(new Set(ids).size, ids.length)
      for (const { headers } of [whole, streamed]) {
        assert.strictEqual(headers["x-understudy-tier"], "tier1")
        assert.strictEqual(headers["x-understudy-model"], "model1")
        assert.strictEqual(headers["x-understudy-attempts"], "1")
        assert.isUndefined(headers["x-should-retry"])
      }
      assert.strictEqual(streamed.headers["content-type"], "text/event-stream")
      assert.strictEqual(streamed.headers["cache-control"], "no-cache, no-transform")
      yield* eventually(() => log.length === 4)
      assert.deepStrictEqual<unknown>(
        new Set(log.map((line) => line["request_id"])),
        new Set(ids.slice(0, 2))
      )
    })
  )

  it.scopedLive("the log has one line for every attempt and one for the run, each with these fields", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(503))
      const { log, url } = yield* gateway(chat([first.url, second.url], { tier: "retry: { times: 0 }" }))
      yield* ask(url)
      const common = ["timestamp", "level", "message", "request_id", "route", "tier", "model", "provider"]
      const rest = ["outcome", "error_type", "latency_ms", "trace_id", "span_id"]
      const tokens = ["input_tokens", "output_tokens"]
      const attempt = [...common, "attempt", "status", "error_code", "waited_ms", ...tokens, ...rest]
      const run = [...common, "served_by", "attempts", "fallback", ...rest]
      assert.deepStrictEqual(
        log.map((line) => Object.keys(line).sort()),
        [attempt, attempt, run].map((names) => names.sort())
      )
      assert.deepStrictEqual(
        log.map((line) => [line.level, line["tier"], line["provider"], line["status"], line["outcome"]]),
        [
          ["WARN", "tier1", "provider1", 503, "failure"],
          ["INFO", "tier2", "provider2", 200, "success"],
          ["INFO", "tier2", "provider2", undefined, "success"]
        ]
      )
      assert.strictEqual(new Set(log.map((line) => line["trace_id"])).size, 1)
      assert.strictEqual(new Set(log.map((line) => line["span_id"])).size, 3)
    })
  )

  it.scopedLive("fifty streams at once: each caller gets its own", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script((response, received) => {
        const { user } = JSON.parse(received.body.toString())
        const words = Array.from({ length: 20 }, (_, index) => content(`${user}.${index} `))
        stream([role, ...words, finish])(response, received)
      })
      const { url } = yield* gateway(chat([only.url]))
      const all = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, index) => `user${index}`),
        (user) =>
          Effect.map(ask(url, { body: chatBody({ stream: true, user }) }), ({ text }) => ({ text, user })),
        { concurrency: "unbounded" }
      )
      for (const { text, user } of all) {
        const words = [...text.matchAll(/"content":"(user[^"]+) "/g)].map(([, word]) => word)
        assert.deepStrictEqual(
          words,
          Array.from({ length: 20 }, (_, index) => `${user}.${index}`)
        )
      }
    })
  )

  it.scopedLive("the caller's time bounds the way to the first content, not the stream", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { behaviour, end, send } = held()
      only.script(behaviour)
      const { url } = yield* gateway(chat([only.url]))
      const { answer, text } = yield* call(url, {
        body: chatBody({ stream: true }),
        headers: { "x-understudy-timeout": "1500ms" }
      })
      const calledAt = performance.now()
      yield* eventually(() => only.received.length === 1)
      send(role, content("Hel"))
      yield* eventually(() => text().includes("Hel") && performance.now() > calledAt + 1600)
      send(finish)
      end()
      const { status, text: all } = yield* answer
      assert.deepStrictEqual([status, all.endsWith("[DONE]\n\n")], [200, true])
    })
  )

  it.scopedLive("the caller's trace goes on in the log, and a broken one does no harm", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { log, url } = yield* gateway(chat([only.url]))
      const traceId = "0af7651916cd43dd8448eb211c80319c"
      const traceparent = `00-${traceId}-b7ad6b7169203331-01`
      assert.strictEqual((yield* ask(url, { headers: { traceparent } })).status, 200)
      assert.deepStrictEqual(
        log.map((line) => line["trace_id"]),
        [traceId, traceId]
      )
      for (const broken of ["", "00", "00-0-0-00", `00-${"0".repeat(32)}-${"0".repeat(16)}-01`, "☃"]) {
        const headers = { traceparent: Buffer.from(broken).toString("latin1") }
        assert.strictEqual((yield* ask(url, { headers })).status, 200)
      }
      // Nothing of it is any provider's business.
      for (const { headers } of only.received) {
        assert.isUndefined(headers["traceparent"])
        assert.isUndefined(headers["b3"])
      }
    })
  )
})
