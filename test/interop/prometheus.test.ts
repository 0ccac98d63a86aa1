import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Dashboard } from "@understudy/otel"
import { Effect, Fiber } from "effect"
import { ask, chatBody, get } from "../support/caller.ts"
import { chat } from "../support/gateway.ts"
import { program } from "../support/program.ts"
import { answer, content, fails, finish, raw, role, stream, wall } from "../support/wall.ts"
import { run } from "./counterparts/install.mjs"
import { installPromtool } from "./counterparts.mjs"
import { byLabels, is, runs, scraped } from "./scraped.ts"
import { withCounterpart } from "./support.ts"

/** The PromQL that the guide shows. */
const shown = [
  ...readFileSync(join(import.meta.dirname, "../../docs/observability.md"), "utf8").matchAll(
    /```promql\n(.*)\n```/g
  )
].map(([, expr = ""]) => expr)

/** Asserts that these are in the proportion of those. */
const assertShares = (
  given: Readonly<Record<string, number>>,
  wanted: Readonly<Record<string, number>>,
  what: string
) => {
  const shares = (numbers: Readonly<Record<string, number>>) => {
    const all = Object.values(numbers).reduce((all, one) => all + one, 0)
    return Object.fromEntries(
      Object.entries(numbers).flatMap(([key, value]) =>
        value === 0 ? [] : [[key, Math.round((value / all) * 1e9)]]
      )
    )
  }
  assert.deepStrictEqual(shares(given), shares(wanted), what)
}

withCounterpart("promtool", () => {
  it.scopedLive("promtool finds nothing to say of what is scraped", () =>
    Effect.gen(function* () {
      const upstream = yield* wall
      upstream.script(fails(503), answer())
      const gateway = yield* program(chat([upstream.url, upstream.url], { tier: "retry: { times: 0 }" }))
      yield* ask(gateway.url)
      const { text } = yield* get(gateway.url, "/metrics")
      const said = yield* Effect.promise(async () => {
        const installed = await installPromtool()
        if (!installed.ok) throw new Error(installed.why)
        return run(installed.promtool, ["check", "metrics"], { input: text })
      })
      assert.strictEqual(said, "")
    })
  )

  it.scopedLive(
    "Prometheus counts what the upstreams count, and the alert fires once and ends once",
    () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        const yaml = chat([first.url, second.url], {
          tier: "retry: { times: 0 }, breaker: { consecutive: 1000 }",
          route: "alert: { tier: tier1, successBelow: 0.9, over: 10s, atLeast: 5 }"
        })
        const since = Date.now() / 1000
        const { gateway, query, range, until, url } = yield* scraped(yaml)
        first.script(...Array.from({ length: 12 }, (_, call) => (call % 4 === 3 ? answer() : fails(503))))
        for (let call = 0; call < 12; call++) yield* ask(gateway.url)
        yield* until(runs, is(12))
        // Rates need a second sample after the first.
        const figures = yield* Effect.forEach(shown, query)
        const values = figures.map(byLabels)
        const [success, p95, fallback, tokens] = values
        assert.closeTo(success?.["model1"] ?? 0, 3 / first.received.length, 1e-9)
        assert.strictEqual(success?.["model2"], 1)
        assert.hasAllKeys(p95, ["model1", "model2"])
        assert.closeTo(fallback?.["chat"] ?? 0, second.received.length / 12, 1e-9)
        assert.closeTo((tokens?.["model2 output"] ?? 0) / (tokens?.["model1 output"] ?? 1), 9 / 3, 1e-9)
        const byTier = yield* query("sum by (tier) (understudy_attempts_total)")
        assert.deepStrictEqual(
          byTier.map(({ metric, value }) => [metric["tier"], Number(value[1])]),
          [
            ["tier1", first.received.length],
            ["tier2", second.received.length]
          ]
        )

        const exemplars = yield* Effect.promise<{
          readonly data: ReadonlyArray<{
            readonly exemplars: ReadonlyArray<{ readonly labels: Readonly<Record<string, string>> }>
          }>
        }>(() =>
          fetch(
            `${url}/api/v1/query_exemplars?query=understudy_attempt_duration_seconds_bucket&start=${since}&end=${Date.now() / 1000}`
          ).then((response) => response.json())
        )
        const traced = exemplars.data.flatMap(({ exemplars }) =>
          exemplars.map(({ labels }) => labels["span_id"])
        )
        const logged = gateway.lines.map((line) => line["span_id"])
        assert.isNotEmpty(traced)
        assert.includeMembers(logged, traced)

        const alert = 'ALERTS{alertname="UnderstudyTierServesTooLittle"}'
        yield* until(alert, (samples) => samples.length === 1)
        yield* until("understudy_alert_firing", is(1))
        first.script(answer())
        const calling = yield* Effect.fork(
          Effect.forever(Effect.zipRight(ask(gateway.url), Effect.sleep("50 millis")))
        )
        yield* until(alert, (samples) => samples.length === 0)
        yield* until("understudy_alert_firing", is(0))
        yield* Fiber.interrupt(calling)
        const changes = yield* query("changes(understudy_alert_firing[5m])")
        assert.strictEqual(Number(changes[0]?.value[1]), 2)
        const fired = yield* range(alert, { start: since, end: Date.now() / 1000 })
        const instants = fired.flatMap(({ values }) => values.map(([at]) => at))
        assert.isNotEmpty(instants)
        assert.strictEqual(instants.at(-1)! - instants[0]!, instants.length - 1)
      }),
    120_000
  )

  it.scopedLive("every panel of the dashboard has the numbers of the runs", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const says = stream([role, content("Hel"), content("lo"), finish, usage])
      first.script(...Array.from({ length: 8 }, (_, call) => (call % 4 === 3 ? says : fails(503))))
      second.script(says)
      const { gateway, query, until } = yield* scraped(
        chat([first.url, second.url], {
          tier: "retry: { times: 0 }, breaker: { consecutive: 1000 }",
          route: "alert: { tier: tier1, over: 10s, atLeast: 100 }"
        })
      )
      const streams = ask(gateway.url, { body: chatBody({ stream: true }) })
      // An error has no series before the first of its kind, and a rate needs two samples.
      yield* streams
      yield* until('understudy_attempts_total{outcome="failure"}', is(1))
      yield* Effect.repeatN(streams, 6)
      yield* until(runs, is(8))
      const panels = yield* Effect.forEach(Dashboard.dashboard.panels, ({ targets, title }) => {
        assert.lengthOf(targets, 1, title)
        const expr = targets[0]?.expr.replaceAll("$__rate_interval", "1m") ?? ""
        return Effect.map(query(expr), (samples) => [title, byLabels(samples)] as const)
      })
      const shown = new Map(panels)
      const panel = (title: string) => {
        const samples = shown.get(title)
        assert(samples !== undefined, title)
        shown.delete(title)
        return samples
      }
      assert.deepStrictEqual(panel("Success rate by model"), { model1: 2 / 8, model2: 1 })
      assert.deepStrictEqual(panel("Fallback rate by route"), { chat: 6 / 8 })
      for (const title of ["p95 latency by model", "p95 time to first token by model"]) {
        const seconds = panel(title)
        assert.hasAllKeys(seconds, ["model1", "model2"], title)
        for (const value of Object.values(seconds)) assert.isTrue(value > 0 && value < 10, title)
      }
      for (const [title, wanted] of [
        ["Runs by the tier that served", { "chat tier1": 2, "chat tier2": 6 }],
        ["Failed attempts by type", { "overloaded tier1": 6 }],
        [
          "Tokens by model",
          { "input model1": 2 * 3, "input model2": 6 * 3, "model1 output": 2 * 2, "model2 output": 6 * 2 }
        ]
      ] as const) {
        assertShares(panel(title), wanted, title)
      }
      assert.deepStrictEqual(panel("Breakers"), { "chat tier1": 0, "chat tier2": 0 })
      assert.deepStrictEqual(panel("Alerts of the policies"), { "chat tier1": 0 })
      assert.deepStrictEqual([...shown.keys()], [])
    })
  )
})

const usage = raw(
  `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } })}\n\n`
)
