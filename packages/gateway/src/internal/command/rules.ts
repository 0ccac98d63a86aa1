import * as Alerts from "@understudy/otel/Alerts"
import * as Dashboard from "@understudy/otel/Dashboard"
import * as Effect from "effect/Effect"
import { alertsOf } from "../file/alertsOf.ts"
import { command, load, single } from "./command.ts"

export const rules = command({
  name: "rules",
  files: "[FILE]",
  summary:
    "print rules for Prometheus: success, latency and fallback by model and route, and the file's alerts",
  flags: { grafana: { type: "boolean", about: "print a dashboard for Grafana instead" } },
  run: ({ files, values }, terminal) =>
    Effect.gen(function* () {
      const { config } = yield* load(yield* single(files), terminal)
      terminal.print(
        values.grafana
          ? JSON.stringify(Dashboard.dashboard, null, 2)
          : Alerts.render(Alerts.rules(alertsOf(config))).trimEnd()
      )
    })
})
