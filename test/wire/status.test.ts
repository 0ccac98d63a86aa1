import { assert, describe, it } from "@effect/vitest"
import type { StatusPage } from "@understudy/gateway"
import { Effect } from "effect"
import { ask, get, statusOf } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { answer, fails, wall } from "../support/wall.ts"

const failing = `retry: { times: 0 }`
const alert = "alert: { tier: tier1, over: 1m, atLeast: 3 }"

describe("GET /", () => {
  it.scopedLive("is a page of its own, for those who have the key, that no other page may hold", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(chat([(yield* wall).url], { server: 'apiKeys: ["sk-1"]' }))
      const closed = yield* get(url, "/")
      assert.deepStrictEqual(
        [closed.status, closed.headers["www-authenticate"]],
        [401, 'Basic realm="understudy", charset="UTF-8"']
      )
      const authorization = `Basic ${btoa("anyone:sk-1")}`
      const { headers, status, text } = yield* ask(url, {
        method: "GET",
        path: "/",
        headers: { authorization }
      })
      assert.strictEqual(status, 200)
      assert.include(headers, {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer"
      })
      assert.include(String(headers["content-security-policy"]), "frame-ancestors 'none'")
      assert.include(text, "Every breaker is closed.")
      assert.notInclude(text, "sk-")
    })
  )
})

describe("GET /status", () => {
  it.scopedLive("tells of routes, tiers, breakers, models, alerts and attempts what the upstreams saw", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(answer(), fails(503))
      const { log, url } = yield* gateway(
        chat([first.url, second.url], {
          tier: failing,
          tier1: "breaker: { consecutive: 2, openFor: 1m, jitter: 0 }",
          route: alert
        })
      )
      const before = yield* statusOf(url)
      for (let call = 0; call < 4; call++) assert.strictEqual((yield* ask(url)).status, 200)
      yield* eventually(() => log.some(({ message }) => message === "alert"))
      const { headers, text } = yield* get(url, "/status")
      const status: StatusPage.Status = JSON.parse(text)

      assert.include(headers, { "content-type": "application/json", "cache-control": "no-store" })
      assert.deepStrictEqual([status.draining, status.over_s, status.version], [false, 300, before.version])
      assert.isAtLeast(Date.parse(status.now), Date.parse(status.started_at))
      const [route] = status.routes
      assert.include(route, {
        route: "chat",
        due: 4,
        served: 4,
        success_rate: 1,
        fallbacks: 3,
        fallback_rate: 0.75
      })
      assert.deepStrictEqual(
        route?.tiers.map(({ breaker, due, model, provider, recent, served, served_share, tier }) => [
          [tier, model, provider],
          [due, served, served_share],
          breaker.state,
          recent.map(({ outcome }) => outcome)
        ]),
        [
          [["tier1", "model1", "provider1"], [4, 1, 0.25], "open", ["success", "failure", "failure"]],
          [["tier2", "model2", "provider2"], [3, 3, 0.75], "closed", ["success", "success", "success"]]
        ]
      )
      const [open, closed] = route?.tiers.map(({ breaker }) => breaker) ?? []
      assert.strictEqual(open?.reason, "consecutive")
      assert.isAbove(open?.retry_in_ms ?? 0, 0)
      assert.isAtMost(open?.retry_in_ms ?? 0, 60_000)
      assert.deepStrictEqual(closed, {
        state: "closed",
        retry_in_ms: null,
        failures: 0,
        since: null,
        reason: null
      })
      assert.deepStrictEqual(
        status.models.map(({ input_tokens, model, output_tokens, success_rate }) => [
          model,
          success_rate,
          [input_tokens, output_tokens]
        ]),
        [
          ["model1", 0.25, [1, 2]],
          ["model2", 1, [3, 6]]
        ]
      )
      for (const { p50_ms, p95_ms, p99_ms } of status.models) {
        assert.isAbove(p50_ms ?? 0, 0)
        assert.isAtMost(p50_ms ?? 0, p95_ms ?? 0)
        assert.isAtMost(p95_ms ?? 0, p99_ms ?? 0)
      }
      assert.deepStrictEqual(status.alerts, [
        {
          route: "chat",
          tier: "tier1",
          firing: true,
          due: 4,
          served: 1,
          success_rate: 0.25,
          success_below: 0.95,
          over_s: 60,
          at_least: 3
        }
      ])
      const logged = log.filter(({ message }) => message === "attempt").reverse()
      // Each was written down by itself.
      const untimed = (lines: ReadonlyArray<object>) => lines.map((line) => ({ ...line, timestamp: "" }))
      assert.deepStrictEqual<unknown>(untimed(status.attempts), JSON.parse(JSON.stringify(untimed(logged))))
      const told = log.filter(({ message }) => message === "alert")
      assert.deepStrictEqual(
        told.map((line) => [line.level, line["route"], line["tier"], line["firing"], line["success_below"]]),
        [["ERROR", "chat", "tier1", true, 0.95]]
      )
      const metrics = (yield* get(url, "/metrics")).text
      assert.include(metrics, 'understudy_alert_firing{route="chat",tier="tier1"} 1\n')
    })
  )

  it.scopedLive("before the first call there is nothing to divide by", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(chat([(yield* wall).url], { route: "alert: { tier: tier1 }" }))
      const { alerts, attempts, models, routes } = yield* statusOf(url)
      assert.deepStrictEqual(attempts, [])
      assert.include(routes[0], { due: 0, success_rate: null, fallback_rate: null })
      assert.include(routes[0]?.tiers[0], { served_share: null, p95_ms: null })
      assert.include(models[0], { model: "model1", success_rate: null, p95_ms: null })
      assert.include(alerts[0], { firing: false, due: 0, success_rate: null, over_s: 300, at_least: 20 })
    })
  )

  it.scopedLive("keeps the last 40 attempts, whatever was said in them", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { log, url } = yield* gateway(chat([only.url]))
      for (let call = 0; call < 45; call++) {
        yield* ask(url, { body: { model: "chat", messages: [{ role: "user", content: "a secret" }] } })
      }
      const { text } = yield* get(url, "/status")
      const { attempts, routes }: StatusPage.Status = JSON.parse(text)
      assert.strictEqual(routes[0]?.tiers[0]?.recent.length, 40)
      const ids = log.filter(({ message }) => message === "attempt").map((line) => line["request_id"])
      assert.deepStrictEqual(
        attempts.map((line) => line["request_id"]),
        ids.slice(5).reverse()
      )
      for (const secret of ["a secret", "Hello", "sk-upstream"]) assert.notInclude(text, secret)
    })
  )

  it.scopedLive("is for those who have the key", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url], { server: 'apiKeys: ["sk-1"]' }))
      const status = (authorization: string) =>
        Effect.map(
          ask(url, { method: "GET", path: "/status", headers: { authorization } }),
          ({ status }) => status
        )
      assert.strictEqual((yield* get(url, "/status")).status, 401)
      assert.strictEqual(yield* status("Bearer sk-1"), 200)
      assert.strictEqual(yield* status(`Basic ${btoa(":sk-1")}`), 200)
      assert.strictEqual(yield* status(`Basic ${btoa("sk-1:")}`), 401)
    })
  )
})
