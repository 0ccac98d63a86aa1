import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, call, chatBody, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { answer, content, fails, finish, held, role, silence, wall } from "../support/wall.ts"

const hedged = (more = "") => ({ tier1: `hedge: { after: 20ms }, retry: { times: 0 }${more}` })

describe("a tier that is hedged", () => {
  it.scopedLive(
    "has the next one beside it where it is slow; the loser's socket closes, and no breaker hears of it",
    () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(silence)
        const breaker = ", breaker: { consecutive: 1 }"
        const { log, url } = yield* gateway(chat([first.url, second.url], hedged(breaker)))
        const { headers, status } = yield* ask(url)
        assert.deepStrictEqual(
          [status, headers["x-understudy-tier"], headers["x-understudy-attempts"]],
          [200, "tier2", "2"]
        )
        yield* eventually(() => first.received[0]?.abandoned === true && first.sockets() === 0)
        assert.deepStrictEqual(
          log.map(({ fallback, message, outcome, tier }) => [message, tier, outcome, fallback]),
          [
            ["attempt", "tier2", "success", undefined],
            ["attempt", "tier1", "interrupted", undefined],
            ["run", "tier2", "success", true]
          ]
        )
        const { text } = yield* get(url, "/metrics")
        assert.match(text, /^understudy_fallbacks_total\{.*tier="tier2".*reason="hedge"\} 1$/m)
        assert.match(text, /^understudy_breaker_state\{.*tier="tier1"\} 0$/m)
      })
  )

  it.scopedLive("is alone where it is quick, and may still win where it is not", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      second.script(silence)
      const { url } = yield* gateway(
        chat([first.url, second.url], { tier1: "hedge: { after: 1h }, timeout: 2h, attemptTimeout: 2h" })
      )
      assert.strictEqual((yield* ask(url)).headers["x-understudy-tier"], "tier1")
      assert.strictEqual(second.received.length, 0)

      const late = yield* gateway(chat([first.url, second.url], hedged()))
      first.script((response, received) => {
        const wait = setInterval(() => {
          if (second.received.length === 0) return
          clearInterval(wait)
          answer()(response, received)
        }, 1)
      })
      assert.strictEqual((yield* ask(late.url)).headers["x-understudy-tier"], "tier1")
      yield* eventually(() => second.received[0]?.abandoned === true && second.sockets() === 0)
    })
  )

  it.scopedLive("gives back its place as a probe of its breaker when it loses", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(503), silence, answer())
      const breaker = ", breaker: { consecutive: 1, openFor: 1ms, jitter: 0, probes: 1 }"
      const { url } = yield* gateway(chat([first.url, second.url], hedged(breaker)))
      const servedBy = Effect.map(ask(url), ({ headers }) => headers["x-understudy-tier"])
      assert.strictEqual(yield* servedBy, "tier2")
      yield* Effect.sleep("5 millis")
      assert.strictEqual(yield* servedBy, "tier2")
      assert.strictEqual(first.received.length, 2)
      assert.strictEqual(yield* servedBy, "tier1")
    })
  )

  it.scopedLive("is given up with the one beside it when the caller leaves", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      for (const each of [first, second]) each.script(silence)
      const { log, url } = yield* gateway(chat([first.url, second.url], hedged()))
      const { leave } = yield* call(url)
      yield* eventually(() => second.received.length === 1)
      leave()
      yield* eventually(() => first.sockets() + second.sockets() === 0)
      yield* eventually(() => log.length === 3)
      assert.isTrue(log.every(({ outcome }) => outcome === "interrupted" || outcome === "cancelled"))
    })
  )

  it.scopedLive("is alone in a stream, however long that takes to begin", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const { behaviour, end, send } = held()
      first.script(behaviour)
      const { url } = yield* gateway(chat([first.url, second.url], hedged()))
      const { answer } = yield* call(url, { body: chatBody({ stream: true }) })
      yield* eventually(() => first.received.length === 1)
      yield* Effect.sleep("100 millis")
      send(role, content("Hello"), finish)
      end()
      assert.strictEqual((yield* answer).headers["x-understudy-tier"], "tier1")
      assert.strictEqual(second.received.length, 0)
    })
  )
})
