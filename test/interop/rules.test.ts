import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Health } from "@understudy/core"
import { Alerts, Dashboard } from "@understudy/otel"
import { Effect } from "effect"
import { run } from "./counterparts/install.mjs"
import { installDashboard, installPromtool } from "./counterparts.mjs"
import { withCounterpart } from "./support.ts"

/** What promtool says of a file of this text; it fails where that is not good. */
const promtool = (
  args: ReadonlyArray<string>,
  files: Readonly<Record<string, string>>
): Effect.Effect<string> =>
  Effect.promise(async () => {
    const installed = await installPromtool()
    if (!installed.ok) throw new Error(installed.why)
    const dir = mkdtempSync(join(tmpdir(), "understudy-rules-"))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
    return run(installed.promtool, [...args, ...Object.keys(files).slice(0, 1)], { cwd: dir })
  })

const rules = Alerts.render(
  Alerts.rules([Health.alert({ run: "chat", tier: "tier1", over: "5 minutes", atLeast: 20 })])
)

withCounterpart("promtool", () => {
  it.effect("promtool takes the rules, whatever things are called, and the dashboard's expressions", () =>
    Effect.gen(function* () {
      const names = ['a "b"', "{{ .Labels }}", "größe ☃\\n", "two\nlines", "it's"]
      const hostile = Alerts.rules(names.map((name) => Health.alert({ run: name, tier: name })))
      assert.include(
        yield* promtool(["check", "rules"], { "rules.yml": Alerts.render(hostile) }),
        "SUCCESS: 11 rules"
      )
      const panels = Dashboard.dashboard.panels.flatMap(({ targets }) => targets)
      const asRules = panels.map(({ expr }, index) => ({
        record: `panel${index}`,
        expr: expr.replaceAll("$__rate_interval", "5m")
      }))
      const text = Alerts.render([{ name: "dashboard", rules: asRules }])
      assert.include(
        yield* promtool(["check", "rules"], { "rules.yml": text }),
        `SUCCESS: ${panels.length} rules`
      )
    })
  )

  it.effect("the figures are those of the runs, and the alert fires and ends when it should", () =>
    Effect.gen(function* () {
      // One run in 10 seconds: served for 10 minutes, for 10 minutes not, then again.
      const labels = 'route="chat",tier="tier1",model="model1"'
      const series = (of: string, values: string) => ({ series: `understudy_${of}`, values })
      const instance = "UnderstudyTierServesTooLittle"
      const firing = {
        exp_labels: { severity: "warning", route: "chat", tier: "tier1" },
        exp_annotations: {
          summary: "tier1 of chat serves 0% of the runs it is due in",
          description: "It is to serve 95 %, over 5m and with at least 20 runs."
        }
      }
      const alertAt = (time: string, ...exp_alerts: ReadonlyArray<object>) => ({
        eval_time: time,
        alertname: instance,
        exp_alerts
      })
      const value = (expr: string, labels: string, value: number, at = "15m") => ({
        expr,
        eval_time: at,
        exp_samples: [{ labels: `${expr}{${labels}}`, value }]
      })
      const test = {
        rule_files: ["rules.yml"],
        evaluation_interval: "10s",
        tests: [
          {
            interval: "10s",
            input_series: [
              series(`tier_runs_total{${labels},served="true"}`, "0+1x60 60x60 60+1x90"),
              series(`tier_runs_total{${labels},served="false"}`, "0x60 0+1x60 60x90"),
              series(
                'tier_runs_total{route="chat",tier="tier2",model="model2",served="true"}',
                "0x60 0+1x60 60x90"
              ),
              series(
                'requests_total{route="chat",served_by="tier1",outcome="success",fallback="false"}',
                "0+1x60 60x60 60+1x90"
              ),
              series(
                'requests_total{route="chat",served_by="tier2",outcome="success",fallback="true"}',
                "0x60 0+1x60 60x90"
              ),
              series(
                'requests_total{route="chat",served_by="none",outcome="rejected",fallback="false"}',
                "0+1x210"
              ),
              series('attempt_duration_seconds_bucket{model="model2",outcome="success",le="0.5"}', "0+1x210"),
              series('attempt_duration_seconds_bucket{model="model2",outcome="success",le="1"}', "0+2x210"),
              series(
                'attempt_duration_seconds_bucket{model="model2",outcome="success",le="+Inf"}',
                "0+2x210"
              ),
              series(
                'attempt_duration_seconds_bucket{model="model2",outcome="failure",le="+Inf"}',
                "0+9x210"
              ),
              series('tokens_total{model="model2",direction="input",route="chat",tier="tier2"}', "0+50x210")
            ],
            promql_expr_test: [
              {
                expr: "understudy:model_success:ratio_rate5m",
                eval_time: "16m",
                exp_samples: [
                  { labels: 'understudy:model_success:ratio_rate5m{model="model1"}', value: 0 },
                  { labels: 'understudy:model_success:ratio_rate5m{model="model2"}', value: 1 }
                ]
              },
              value("understudy:route_fallback:ratio_rate5m", 'route="chat"', 0, "9m"),
              value("understudy:route_fallback:ratio_rate5m", 'route="chat"', 1, "16m"),
              value("understudy:route_success:ratio_rate5m", 'route="chat"', 1, "16m"),
              value("understudy:model_duration_seconds:p95_rate5m", 'model="model2"', 0.95),
              value("understudy:model_tokens:rate5m", 'direction="input",model="model2"', 5)
            ],
            alert_rule_test: [
              alertAt("9m"),
              alertAt("10m"),
              alertAt("16m", firing),
              alertAt("19m", firing),
              alertAt("26m"),
              alertAt("30m")
            ]
          }
        ]
      }
      assert.include(
        yield* promtool(["test", "rules"], { "test.yml": JSON.stringify(test), "rules.yml": rules }),
        "SUCCESS"
      )
    })
  )
})

withCounterpart("dashboard", () => {
  it.effect("Grafana's types read all of the dashboard, and nothing that is not theirs", () =>
    Effect.gen(function* () {
      const read = (dashboard: object) =>
        Effect.promise(async () => {
          const installed = await installDashboard()
          if (!installed.ok) throw new Error(installed.why)
          return run(installed.program, [], { input: JSON.stringify(dashboard) }).catch(String)
        })
      const { dashboard } = Dashboard
      assertHas(JSON.parse(yield* read(dashboard)), dashboard, "dashboard")
      assert.include(yield* read({ ...dashboard, panel: [] }), "unexpected field 'panel'")
      const [first] = dashboard.panels
      const targets = first?.targets.map((target) => ({ ...target, expression: "up" }))
      assert.include(
        yield* read({ ...dashboard, panels: [{ ...first, targets }] }),
        "panels[0].targets[0].Dataquery: unexpected field 'expression'"
      )
    })
  )
})

/** It has all that is in the other one, to its leaves. */
const assertHas = (whole: unknown, part: unknown, path: string): void => {
  if (typeof part !== "object" || part === null) assert.strictEqual(whole, part, path)
  else {
    for (const [key, value] of Object.entries(part)) {
      assertHas((whole as Readonly<Record<string, unknown>> | undefined)?.[key], value, `${path}.${key}`)
    }
  }
}
