import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, envelope, get, writeAllThenRead } from "../support/caller.ts"
import { chat, gateway } from "../support/gateway.ts"
import { wall } from "../support/wall.ts"

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
      const head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 32000000\r\n\r\n"
      for (let round = 0; round < 5; round++) {
        const text = yield* writeAllThenRead(url, head + " ".repeat(32_000_000))
        assert.match(text, /^HTTP\/1\.1 401 .*"code":"invalid_api_key"/s)
      }
    })
  )
})
