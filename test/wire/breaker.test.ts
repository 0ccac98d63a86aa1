import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, call, chatBody, envelope, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway, type Running } from "../support/gateway.ts"
import { answer, type Behaviour, content, fails, finish, trickle, wall } from "../support/wall.ts"

const noRetry = "retry: { times: 0 }"
const opensFor = (time: string) => `${noRetry}, breaker: { consecutive: 5, openFor: ${time}, jitter: 0 }`

const moves = ({ log }: Running) =>
  log
    .filter(({ message }) => message === "breaker")
    .map((line) => `${line["tier"]} ${line["from"]}-${line["to"]}`)

describe("a tier's circuit breaker, from outside", () => {
  it.scopedLive("opens at the fifth failure in a row; from then on the tier is not touched", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const running = yield* gateway(chat([first.url, second.url], { tier: opensFor("1h") }))
      first.script(fails(503), fails(503), fails(503), fails(503), answer(), fails(503))
      const before = yield* Effect.replicateEffect(ask(running.url), 5)
      assert.deepStrictEqual(
        before.map(({ headers }) => headers["x-understudy-tier"]),
        ["tier2", "tier2", "tier2", "tier2", "tier1"]
      )
      const failing = yield* Effect.replicateEffect(ask(running.url), 5)
      assert.deepStrictEqual(
        failing.map(({ headers }) => headers["x-understudy-attempts"]),
        ["2", "2", "2", "2", "2"]
      )
      assert.deepStrictEqual(moves(running), ["tier1 closed-open"])

      const resting = yield* Effect.replicateEffect(ask(running.url), 10)
      assert.deepStrictEqual(
        new Set(
          resting.map(({ headers }) => `${headers["x-understudy-tier"]} ${headers["x-understudy-attempts"]}`)
        ),
        new Set(["tier2 1"])
      )
      assert.strictEqual(first.received.length, 10)
      const refused = running.log.filter(({ message }) => message === "refused")
      assert.strictEqual(refused.length, 10)
      assert.isTrue(refused.every((line) => line["tier"] === "tier1" && Number(line["retry_after_ms"]) > 0))
      assert.strictEqual(running.log.at(-1)?.["fallback"], true)
    })
  )

  it.scopedLive("is not opened by a caller that reads its stream too slowly", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const touchy = `${noRetry}, maxStream: 1s, breaker: { consecutive: 1 }`
      const running = yield* gateway(chat([only.url], { tier: touchy }))
      // More than all buffers on the way hold.
      const long = content("x".repeat(100_000))("model1").repeat(500)
      only.script(trickle(Buffer.from(long + finish("model1")), 1_000_000), answer())
      const caller = yield* call(running.url, { body: chatBody({ stream: true }) })
      yield* eventually(() => caller.head() !== undefined)
      caller.pause()
      yield* eventually(() => only.received[0]?.abandoned === true)
      caller.resume()
      assert.include((yield* caller.answer).text.slice(-200), "stream_interrupted")
      assert.strictEqual((yield* ask(running.url)).headers["x-understudy-tier"], "tier1")
      assert.deepStrictEqual(
        running.log.map(({ message, outcome, error_type }) => [message, outcome, error_type]),
        [
          ["attempt", "ignored", "slow_caller"],
          ["run", "rejected", "slow_caller"],
          ["attempt", "success", undefined],
          ["run", "success", undefined]
        ]
      )
    })
  )

  it.scopedLive("once its time is over, one of 50 simultaneous calls probes it and closes it", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const running = yield* gateway(chat([first.url, second.url], { tier: opensFor("300ms") }))
      first.script(fails(503))
      yield* Effect.replicateEffect(ask(running.url), 5)
      const openAt = performance.now()
      let release = () => {}
      const probed: Behaviour = (response, received) => {
        release = () => answer()(response, received)
      }
      first.script(probed, answer())
      yield* eventually(() => performance.now() > openAt + 300)
      assert.strictEqual(first.received.length, 5)

      const calls = yield* Effect.fork(
        Effect.all(
          Array.from({ length: 50 }, () => ask(running.url)),
          { concurrency: "unbounded" }
        )
      )
      yield* eventually(() => second.received.length === 5 + 49 && first.received.length === 6)
      release()
      const served = (yield* calls).map(({ headers }) => headers["x-understudy-tier"])
      assert.strictEqual(served.filter((tier) => tier === "tier1").length, 1)
      assert.strictEqual(served.filter((tier) => tier === "tier2").length, 49)
      assert.deepStrictEqual(moves(running), [
        "tier1 closed-open",
        "tier1 open-half-open",
        "tier1 half-open-closed"
      ])
      assert.strictEqual((yield* ask(running.url)).headers["x-understudy-tier"], "tier1")
    })
  )

  it.scopedLive("is never probed before its time, and a failed probe opens it again", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const running = yield* gateway(chat([first.url, second.url], { tier: opensFor("300ms") }))
      first.script(fails(503))
      yield* Effect.replicateEffect(ask(running.url), 5)
      while (first.received.length < 7) yield* ask(running.url)
      const [fifth, sixth, seventh] = first.received.slice(4).map(({ at }) => at)
      assert.isAtLeast(sixth! - fifth!, 300)
      assert.isAtLeast(seventh! - sixth!, 300)
      assert.deepStrictEqual(moves(running).slice(0, 4), [
        "tier1 closed-open",
        "tier1 open-half-open",
        "tier1 half-open-open",
        "tier1 open-half-open"
      ])
    })
  )

  it.scopedLive("when all are open a call fails at once, and the gateway is not ready", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const running = yield* gateway(chat([first.url, second.url], { tier: opensFor("10m") }))
      first.script(fails(503))
      second.script(fails(500))
      assert.strictEqual((yield* get(running.url, "/health/ready")).status, 200)
      yield* Effect.replicateEffect(ask(running.url), 5)

      for (const stream of [false, true]) {
        const refused = yield* ask(running.url, { body: { model: "chat", messages: [], stream } })
        const error = envelope(refused)
        assert.deepStrictEqual([refused.status, error.code], [503, "all_tiers_open"])
        assert.deepStrictEqual(error.attempts, [])
        // Both rest for maxOpenFor, 5 minutes; no client is told more than one.
        assert.strictEqual(refused.headers["retry-after"], "59")
        assert.isUndefined(refused.headers["x-should-retry"])
        assert.strictEqual(refused.headers["x-understudy-attempts"], "0")
        assert.isUndefined(refused.headers["x-understudy-tier"])
      }
      assert.strictEqual(first.received.length, 5)
      assert.strictEqual(second.received.length, 5)
      assert.strictEqual((yield* get(running.url, "/health/ready")).status, 503)
      assert.strictEqual((yield* get(running.url, "/health/live")).status, 200)
      const { message, ...run } = running.log.at(-1)!
      assert.deepStrictEqual(
        [message, run["outcome"], run["error_type"], run["attempts"], run["served_by"]],
        ["run", "failure", "circuit_open", 0, "none"]
      )
    })
  )

  it.scopedLive("with little time left to rest, Retry-After is one second and never zero", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(fails(503))
      const { url } = yield* gateway(chat([only.url], { tier: opensFor("900ms") }))
      yield* Effect.replicateEffect(ask(url), 5)
      const openAt = performance.now()
      const refused = yield* ask(url)
      // Where this machine took longer than the breaker rests, there was nothing to see.
      if (only.received.length === 5) assert.strictEqual(refused.headers["retry-after"], "1")
      yield* eventually(() => performance.now() > openAt + 900)
      assert.strictEqual((yield* get(url, "/health/ready")).status, 200)
    })
  )

  const atOnce: Readonly<Record<string, Behaviour>> = {
    "a refused key": fails(401, "invalid_api_key"),
    "a used-up quota": fails(429, "insufficient_quota"),
    "an unpaid bill": fails(402),
    "a model that is gone": fails(404, "model_not_found"),
    "a long Retry-After of a 503": fails(503, null, { "retry-after": "3600" }),
    "a long Retry-After of a 429": fails(429, null, { "retry-after": "3600" })
  }
  for (const [what, behaviour] of Object.entries(atOnce)) {
    it.scopedLive(`opens at once on ${what}, without a retry`, () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(behaviour)
        const running = yield* gateway(chat([first.url, second.url]))
        const [failing, resting] = yield* Effect.replicateEffect(ask(running.url), 2)
        assert.deepStrictEqual(
          [failing, resting].map((served) => served?.headers["x-understudy-attempts"]),
          ["2", "1"]
        )
        assert.deepStrictEqual(moves(running), ["tier1 closed-open"])
        assert.strictEqual(first.received.length, 1)
      })
    )
  }

  it.scopedLive("the caller's own mistakes never move it", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(400))
      const running = yield* gateway(chat([first.url, second.url], { tier: opensFor("1h") }))
      const answers = yield* Effect.replicateEffect(ask(running.url), 8)
      assert.isTrue(answers.every(({ status }) => status === 400))
      assert.deepStrictEqual([first.received.length, second.received.length, moves(running)], [8, 0, []])
    })
  )
})
