/**
 * Rules for Prometheus: recording rules for every model and route, and the alerts of policies.
 *
 * @since 0.1.0
 */
import type { Alert } from "@understudy/core/Health"
import * as Duration from "effect/Duration"
import { duration, type Figure, figures, matchers } from "./internal/promql.ts"

/**
 * A recording rule, which names an expression.
 *
 * @since 0.1.0
 * @category models
 */
export interface Recording {
  readonly record: string
  readonly expr: string
}

/**
 * An alerting rule.
 *
 * @since 0.1.0
 * @category models
 */
export interface Alerting {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * Rules that Prometheus evaluates together.
 *
 * @since 0.1.0
 * @category models
 */
export interface Group {
  readonly name: string
  readonly rules: ReadonlyArray<Recording | Alerting>
}

const recorded: ReadonlyArray<readonly [record: string, figure: Figure]> = [
  ["understudy:model_success:ratio_rate5m", "modelSuccess"],
  ["understudy:model_duration_seconds:p95_rate5m", "modelP95"],
  ["understudy:model_time_to_first_token_seconds:p95_rate5m", "modelFirstTokenP95"],
  ["understudy:route_fallback:ratio_rate5m", "routeFallback"],
  ["understudy:route_success:ratio_rate5m", "routeSuccess"],
  ["understudy:model_tokens:rate5m", "modelTokens"]
]

/**
 * The rules of a policy.
 *
 * **Details**
 * - Recorded over five minutes: by model the success rate, the 95th percentile of the duration of answers and of the
 *   time to the first token, and tokens per second; by route the fallback rate and the success rate.
 * - An alert fires as in `Health`, over all processes that are scraped together: when the success rate of the tier over
 *   the alert's window is below `successBelow`, with at least `atLeast` runs. It stops when that no longer holds.
 *   Prometheus extrapolates the runs of a window from its scrapes, so their number is approximate.
 * - A window should span at least four scrapes.
 *
 * @example
 * import { Health } from "@understudy/core"
 * import { Alerts } from "@understudy/otel"
 *
 * const [figures, alerts] = Alerts.rules([Health.alert({ run: "chat", tier: "primary" })])
 *
 * console.log(figures?.rules.length, alerts?.rules.length) // => 6 1
 *
 * @since 0.1.0
 * @category constructors
 */
export const rules = (alerts: ReadonlyArray<Alert>): ReadonlyArray<Group> => {
  const over = figures("5m")
  const recording = {
    name: "understudy",
    rules: recorded.map(([record, figure]) => ({ record, expr: over[figure] }))
  }
  return alerts.length === 0
    ? [recording]
    : [recording, { name: "understudy-alerts", rules: alerts.map(alerting) }]
}

const alerting = ({ atLeast, over, run, successBelow, tier }: Alert): Alerting => {
  const window = duration(Duration.toMillis(over))
  const runs = (served?: string) =>
    `sum(increase(understudy_tier_runs_total${matchers({ route: run, tier, served })}[${window}]))`
  return {
    alert: "UnderstudyTierServesTooLittle",
    expr: `${runs("true")} / ${runs()} < ${successBelow} and ${runs()} >= ${atLeast}`,
    labels: { severity: "warning", ...(run !== undefined && { route: run }), tier },
    annotations: {
      summary: `${verbatim(tier)}${run === undefined ? "" : ` of ${verbatim(run)}`} serves {{ $value | humanizePercentage }} of the runs it is due in`,
      description: `It is to serve ${Math.round(successBelow * 1e4) / 100} %, over ${window} and with at least ${atLeast} runs.`
    }
  }
}

/** Escapes a text for Prometheus' templates. */
const verbatim = (text: string): string => text.replaceAll("{{", '{{ "{{" }}')

/**
 * The text of a rule file: YAML with JSON for the values.
 *
 * @example
 * import { Alerts } from "@understudy/otel"
 *
 * console.log(Alerts.render(Alerts.rules([])).split("\n")[1]) // =>   - name: 'understudy'
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (groups: ReadonlyArray<Group>): string =>
  ["groups:", ...groups.flatMap(groupLines)].map((line) => `${line}\n`).join("")

const groupLines = ({ name, rules }: Group): ReadonlyArray<string> => [
  `  - name: ${quoted(name)}`,
  "    rules:",
  ...rules.flatMap((rule) =>
    Object.entries(rule).flatMap(([key, value], index) => {
      const indent = index === 0 ? "      - " : "        "
      return typeof value === "string"
        ? [`${indent}${key}: ${quoted(value)}`]
        : [
            `${indent}${key}:`,
            ...Object.entries(value).map(([name, value]) => `          ${name}: ${quoted(value)}`)
          ]
    })
  )
]

// In single quotes, YAML takes a line of printable text verbatim.
const quoted = (value: unknown): string =>
  typeof value === "string" && /^[ -~\xa1-\ud7ff]*$/.test(value)
    ? `'${value.replaceAll("'", "''")}'`
    : JSON.stringify(value).replace(/[\x7f-\x9f\ufffe\uffff]/g, unicode)

const unicode = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
