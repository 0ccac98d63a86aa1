import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, envelope } from "../support/caller.ts"
import { chat, gateway } from "../support/gateway.ts"
import { wall } from "../support/wall.ts"

/** As a browser sends it for a page without asking first. */
const simple = { "content-type": "text/plain" }
const elsewhere = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "empty" }
const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }

describe("a web page that asks a gateway without keys", () => {
  it.scopedLive("is refused where it is of another site, whatever it asks, and no upstream hears of it", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { log, url } = yield* gateway(chat([only.url]))
      for (const headers of [
        { ...simple, origin: "https://evil.example" },
        { ...simple, ...elsewhere, origin: "https://evil.example" },
        { ...simple, ...elsewhere },
        { ...simple, ...link },
        { ...simple, origin: "null" }
      ]) {
        const refused = yield* ask(url, { headers })
        assert.deepStrictEqual([refused.status, envelope(refused).code], [403, "forbidden_origin"])
      }
      for (const path of ["/status", "/v1/models"]) {
        assert.strictEqual((yield* ask(url, { method: "GET", path, headers: elsewhere })).status, 403)
      }
      assert.deepStrictEqual([only.received.length, log.length], [0, 0])
    })
  )

  it.scopedLive(
    "is answered where it is of this machine, and the gateway's own opens by a link as well",
    () =>
      Effect.gen(function* () {
        const { url } = yield* gateway(chat([(yield* wall).url]))
        const own = { origin: url, "sec-fetch-site": "same-origin" }
        const neighbour = { origin: "http://localhost:3000", "sec-fetch-site": "same-site" }
        for (const headers of [own, neighbour, { "sec-fetch-site": "none" }]) {
          assert.strictEqual((yield* ask(url, { headers })).status, 200)
        }
        for (const headers of [link, { "sec-fetch-site": "same-origin" }]) {
          assert.strictEqual((yield* ask(url, { method: "GET", path: "/", headers })).status, 200)
        }
      })
  )

  it.scopedLive("needs the key where there is one, and nothing else", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(chat([(yield* wall).url], { server: "apiKeys: [sk-1]" }))
      const page = { ...elsewhere, origin: "https://chat.example" }
      assert.strictEqual((yield* ask(url, { headers: page })).status, 401)
      assert.strictEqual(
        (yield* ask(url, { headers: { ...page, authorization: "Bearer sk-1" } })).status,
        200
      )
    })
  )
})
