import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, call, chatBody, envelope, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { answer, type Behaviour, silence, wall } from "../support/wall.ts"

const crowd = "maxInFlight: 2, maxQueue: 1, maxWait: 1h"

describe("a gateway with as many requests under way as it may", () => {
  it.scopedLive("has the next one wait, refuses the one after, and says when to come again", () =>
    Effect.gen(function* () {
      const only = yield* wall
      let release = () => {}
      const slow: Behaviour = (response, received) => {
        release = () => answer()(response, received)
      }
      only.script(silence, slow, answer())
      const { log, url } = yield* gateway(chat([only.url], { server: crowd }))
      yield* call(url, { body: chatBody({ stream: true }) })
      yield* eventually(() => only.received.length === 1)
      const second = yield* call(url)
      yield* eventually(() => only.received.length === 2)
      const late = [yield* call(url), yield* call(url)].map(({ answer }) => answer)
      const refused = yield* Effect.raceAll(late)
      assert.strictEqual(envelope(refused).code, "overloaded")
      assert.deepInclude(refused.headers, { "retry-after": "1" })
      assert.notProperty(refused.headers, "x-should-retry")
      assert.deepStrictEqual([only.received.length, log.length], [2, 0])
      for (const path of ["/health/live", "/health/ready", "/v1/models"]) {
        assert.strictEqual((yield* get(url, path)).status, 200)
      }
      release()
      assert.strictEqual((yield* second.answer).status, 200)
      const statuses = (yield* Effect.all(late)).map(({ status }) => status)
      assert.sameMembers(statuses, [200, 503])
    })
  )

  it.scopedLive("gives the places of callers that leave to others, and none to who has no key", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(silence)
      const server = `${crowd.replace("maxQueue: 1", "maxQueue: 0")}, apiKeys: [sk-1]`
      const { log, url } = yield* gateway(chat([only.url], { server }))
      const headers = { authorization: "Bearer sk-1" }
      const calls = [yield* call(url, { headers }), yield* call(url, { headers })]
      yield* eventually(() => only.received.length === 2)
      assert.strictEqual((yield* ask(url, { headers })).status, 503)
      assert.strictEqual((yield* ask(url)).status, 401)
      only.script(answer())
      for (const { leave } of calls) leave()
      yield* eventually(() => log.length === 4)
      for (let n = 0; n < 5; n++) assert.strictEqual((yield* ask(url, { headers })).status, 200)
    })
  )

  it.scopedLive("counts an answer until it is sent, and a body that does not come", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const server = "maxInFlight: 1, maxQueue: 0"
      const { url } = yield* gateway(chat([only.url], { server }))
      const half = yield* call(url, { headers: { "content-length": "1000" }, body: "{" })
      yield* Effect.repeat(ask(url), { until: ({ status }) => status === 503 })
      half.leave()
      yield* Effect.repeat(ask(url), { until: ({ status }) => status === 200 })
    })
  )
})
