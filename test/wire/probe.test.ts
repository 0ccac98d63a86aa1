import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { command, fileOf } from "../support/program.ts"
import { answer, fails, wall } from "../support/wall.ts"

const probing = (probe: string, ...args: Parameters<typeof chat>) => `${chat(...args)}\nprobe: ${probe}`

describe("a gateway that checks its tiers", () => {
  it.scopedLive(
    "asks each of them for a few tokens, apart from users' requests in log, metrics and status",
    () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        second.script(fails(401))
        const { log, probes, url } = yield* gateway(
          probing("{ every: 1s, maxTokens: 5 }", [first.url, second.url])
        )
        yield* eventually(() => probes.filter(({ message }) => message === "run").length >= 3)
        assert.deepStrictEqual(log, [])
        const { max_completion_tokens, model } = JSON.parse(String(first.received[0]?.body))
        assert.deepStrictEqual([model, max_completion_tokens], ["model1", 5])
        const { text } = yield* get(url, "/metrics")
        assert.match(text, /^understudy_synthetic_attempts_total\{.*tier="tier1".*\} [1-9]/m)
        assert.notMatch(text, /^understudy_attempts_total\{.*\} [1-9]/m)
        const { attempts, probes: seen, routes } = JSON.parse((yield* get(url, "/status")).text)
        assert.deepStrictEqual([attempts, routes[0].due], [[], 0])
        assert.deepStrictEqual(
          seen.map((check: Record<string, unknown>) => [
            check["tier"],
            check["outcome"],
            check["success_rate"],
            check["over_s"],
            typeof check["p95_ms"]
          ]),
          [
            ["tier1", "success", 1, 300, "number"],
            ["tier2", "failure", 0, 300, "object"]
          ]
        )
        assert.isAbove(seen[0].due, 0)
        assert.strictEqual(seen[0].due, seen[0].served)
        // The breaker of a tier that a check has found dead has heard nothing of it.
        assert.deepStrictEqual(
          routes[0].tiers.map(({ breaker }: { breaker: { state: string } }) => breaker.state),
          ["closed", "closed"]
        )
      })
  )

  it.scopedLive("goes on with what they came to under another file, as far as the tiers are the same", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const every = "{ every: 1s }"
      const { probes, reload, url } = yield* gateway(probing(every, [first.url, second.url]))
      yield* eventually(() => probes.filter(({ message }) => message === "run").length >= 2)
      const seen = Effect.map(get(url, "/status"), ({ text }) =>
        JSON.parse(text).probes.map(({ due, model }: { due: number; model: string }) => `${model} ${due > 0}`)
      )
      yield* reload(probing(every, [first.url, second.url]).replace("model2", "model3"))
      const after = yield* seen
      assert.include(after, "model1 true")
      assert.notInclude(after, "model2 true")
      yield* reload(chat([first.url, second.url]))
      assert.deepStrictEqual(yield* seen, [])
    })
  )

  it.scopedLive("closes the breaker of one that is well again, before a user calls, where it may", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(503), answer())
      const tier1 = "retry: { times: 0 }, breaker: { consecutive: 1, openFor: 1ms, jitter: 0 }"
      const { probes, url } = yield* gateway(
        probing("{ every: 1s, breakers: true }", [first.url, second.url], { tier1 })
      )
      if (first.received.length === 0) yield* ask(url)
      yield* eventually(() => probes.some(({ message, to }) => message === "breaker" && to === "closed"))
    })
  )

  it.scopedLive("stops with the file that told it to, and with the gateway", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { probes, reload } = yield* gateway(probing("{ every: 1s }", [only.url]))
      yield* eventually(() => probes.length > 0)
      yield* reload(chat([only.url]))
      yield* eventually(() => only.sockets() === 0)
      const before = only.received.length
      yield* Effect.sleep("1500 millis")
      assert.strictEqual(only.received.length, before)
    })
  )
})

describe("understudy probe", () => {
  it.scopedLive(
    "prints a row for each tier, and ends with 1 where one does not answer",
    () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        const file = fileOf(chat([first.url, second.url]))
        const good = yield* command(["probe", file])
        assert.deepStrictEqual([good.code, good.stderr], [0, ""])
        assert.match(
          good.stdout,
          /^route +tier .*\nchat +tier1 +provider1 +model1 .* ms +success 200\nchat +tier2 /
        )
        second.script(fails(401))
        const bad = yield* command(["probe", file, "--json"])
        assert.deepStrictEqual([bad.code, bad.stderr], [1, "understudy: 1 of 2 tiers did not answer\n"])
        const [lead, standby] = JSON.parse(bad.stdout)
        assert.include(lead, { route: "chat", tier: "tier1", outcome: "success", status: 200 })
        assert.include(standby, { tier: "tier2", outcome: "failure", status: 401, error_type: "auth" })
        assert.strictEqual(second.received.length, 2)
      }),
    60_000
  )
})
