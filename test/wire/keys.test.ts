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
      const { url } = yield* gateway(chat([only.url], { server: `apiKeys: ["${key}"]` }))
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
      const { url } = yield* gateway(chat([only.url], { server: `apiKeys: ["${key}"]` }))
      const text = yield* exchange(url, post("content-length: 8000000\r\n", " ".repeat(8_000_000)))
      assert.match(text, /^HTTP\/1\.1 401 /)
      assert.include(text, "invalid_api_key")
    })
  )
})
