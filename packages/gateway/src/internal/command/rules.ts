import * as Effect from "effect/Effect"
import { alertsOf } from "../file/alertsOf.ts"
import { command, load, single } from "./command.ts"

export const rules = command({
  name: "rules",
  files: "[FILE]",
  summary:
    "print rules for Prometheus: success, latency and fallback by model and route, and the file's alerts",
  fails: "the file cannot be used",
  flags: { grafana: { type: "boolean", about: "print a dashboard for Grafana instead" } },
  run: ({ files, values }, terminal) =>
    Effect.gen(function* () {
      const { config } = yield* load(yield* single(files), terminal)
      const { Alerts, dashboard } = yield* Effect.promise(() => import("./later.ts"))
      if (values.grafana) return terminal.print(JSON.stringify(dashboard, null, 2))
      terminal.print(Alerts.render(Alerts.rules(alertsOf(config))).trimEnd())
    })
})
