import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Health } from "@understudy/core"
import { Alerts, Dashboard } from "@understudy/otel"
import { Effect, FastCheck } from "effect"
import { parse } from "yaml"
import { code, table } from "../docs/guide.ts"
import { ask, get } from "../support/caller.ts"
import { chat, gateway } from "../support/gateway.ts"
import { command, fileOf } from "../support/program.ts"
import { wall } from "../support/wall.ts"

const alert = Health.alert({ run: "chat", tier: "tier1", successBelow: 0.9, over: "90 seconds", atLeast: 5 })
const all = Alerts.rules([alert])
const expressions = [
  ...all.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
  ...Dashboard.dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
]

describe("rules for Prometheus", () => {
  it("an alert has the window, the bound and the least number of runs of its policy", () => {
    const [rule] = all[1]?.rules ?? []
    const of = (matchers: string) => `sum(increase(understudy_tier_runs_total{${matchers}}[1m30s]))`
    const due = of('route="chat",tier="tier1"')
    assert.strictEqual(
      rule?.expr,
      `${of('route="chat",tier="tier1",served="true"')} / ${due} < 0.9 and ${due} >= 5`
    )
    const [everyRoute] = Alerts.rules([Health.alert({ tier: "tier1" })])[1]?.rules ?? []
    assert.notInclude(everyRoute?.expr ?? "route", "route")
  })

  it("law: the text is YAML and says the same, whatever routes are called", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(FastCheck.tuple(FastCheck.string({ unit: "binary" }), FastCheck.string())),
        (names) => {
          const groups = Alerts.rules(names.map(([run, tier]) => Health.alert({ run, tier })))
          assert.deepStrictEqual<unknown>(parse(Alerts.render(groups)), { groups })
        }
      )
    )
  })

  it("law: windows are written in whole units that add up to them", () => {
    const lengths = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }
    FastCheck.assert(
      FastCheck.property(FastCheck.integer({ min: 1, max: 1e9 }), (over) => {
        const [rule] = Alerts.rules([Health.alert({ tier: "a", over })])[1]?.rules ?? []
        const window = /\[([^\]]+)\]/.exec(rule?.expr ?? "")?.[1] ?? ""
        assert.match(window, /^(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$/)
        const parts = [...window.matchAll(/(\d+)(ms|[hms])/g)]
        const sum = parts.reduce(
          (sum, [, n, unit]) => sum + Number(n) * lengths[unit as keyof typeof lengths],
          0
        )
        assert.strictEqual(sum, over)
      })
    )
  })

  it.scopedLive("ask for metrics that a gateway has, by labels that they have", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(chat([(yield* wall).url], { route: "alert: { tier: tier1 }" }))
      yield* ask(url)
      yield* ask(url, { body: { model: "chat", messages: [], stream: true } })
      const metrics = (yield* get(url, "/metrics")).text
      for (const expression of expressions) {
        const [name = ""] = /understudy_\w+/.exec(expression) ?? []
        const sample = new RegExp(`^${name}\\{(.*)\\} `, "m").exec(metrics)?.[1]
        assert.isDefined(sample, name)
        for (const [, by = ""] of expression.matchAll(/by \(([^)]*)\)/g)) {
          for (const label of by.split(", ")) assert.include(sample, `${label}="`, expression)
        }
      }
    })
  )

  it.effect("understudy rules prints them for a file, and the dashboard that is in the guides", () =>
    Effect.gen(function* () {
      const file = fileOf(
        chat(["http://127.0.0.1:9/v1"], {
          route: "alert: { tier: tier1, over: 90s, atLeast: 5, successBelow: 0.9 }"
        })
      )
      const rules = yield* command(["rules", file])
      assert.deepStrictEqual([rules.code, rules.stdout], [0, Alerts.render(all)])
      const { stdout } = yield* command(["rules", "--grafana"])
      assert.deepStrictEqual<unknown>(JSON.parse(stdout), Dashboard.dashboard)
      const kept = readFileSync(join(import.meta.dirname, "../../docs/grafana.json"), "utf8")
      assert.strictEqual(kept, stdout, "write it anew: npm start -- rules --grafana > docs/grafana.json")
    })
  )

  it("the guide lists what is recorded", () => {
    const guide = readFileSync(join(import.meta.dirname, "../../docs/status.md"), "utf8")
    assert.deepStrictEqual(
      table(guide, "recorded").map(([name]) => name),
      all[0]?.rules.map((rule) => code("record" in rule ? rule.record : ""))
    )
  })

  it("the dashboard's figures are those that the rules record, over an interval of Grafana's", () => {
    const recorded = all[0]?.rules.map(({ expr }) => expr) ?? []
    const shown = Dashboard.dashboard.panels.map(({ targets }) =>
      targets[0]?.expr.replaceAll("$__rate_interval", "5m")
    )
    const missing = recorded.filter((expr) => !shown.includes(expr))
    // What a route serves is what its tiers serve: the plot of those shows it.
    assert.deepStrictEqual(missing, [recorded[4]])
    const ids = Dashboard.dashboard.panels.map((panel) => panel["id"])
    assert.strictEqual(new Set(ids).size, ids.length)
  })
})
