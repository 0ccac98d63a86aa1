/**
 * A dashboard for Grafana: the contents of the gateway's own page, over time and over all gateways.
 *
 * @since 0.1.0
 */
import { figures } from "./internal/promql.ts"

/**
 * A dashboard in Grafana's import format.
 *
 * @since 0.1.0
 * @category models
 */
export interface Dashboard {
  readonly title: string
  readonly panels: ReadonlyArray<Panel>
  readonly [field: string]: unknown
}

/**
 * One panel of a dashboard.
 *
 * @since 0.1.0
 * @category models
 */
export interface Panel {
  readonly title: string
  readonly description: string
  readonly targets: ReadonlyArray<{ readonly expr: string; readonly [field: string]: unknown }>
  readonly [field: string]: unknown
}

const over = figures("$__rate_interval")

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana puts its value there
const datasource = { type: "prometheus", uid: "${datasource}" }

interface Kind {
  readonly type?: string
  readonly unit?: string
  readonly custom?: object
  readonly max?: number
  readonly options?: object
  readonly mappings?: ReadonlyArray<object>
}

const panel = (
  title: string,
  description: string,
  expr: string,
  legendFormat: string,
  { custom, mappings = [], max, options, type = "timeseries", unit = "short" }: Kind
): Panel => ({
  title,
  description,
  type,
  datasource,
  targets: [{ refId: "A", datasource, expr, legendFormat }],
  fieldConfig: {
    defaults: { unit, min: 0, mappings, ...(max !== undefined && { max }), ...(custom && { custom }) },
    overrides: []
  },
  ...(options && { options })
})

const share = { unit: "percentunit", max: 1 }
const stacked = { fillOpacity: 40, stacking: { mode: "normal", group: "A" } }

const breaker = {
  type: "value",
  options: {
    0: { text: "closed", color: "green", index: 0 },
    1: { text: "half-open", color: "yellow", index: 1 },
    2: { text: "open", color: "red", index: 2 },
    3: { text: "isolated", color: "purple", index: 3 }
  }
}

const panels: ReadonlyArray<Panel> = [
  panel(
    "Success rate by model",
    "Of the runs that the model's tiers were due in, the share they served.",
    over.modelSuccess,
    "{{model}}",
    share
  ),
  panel(
    "p95 latency by model",
    "95 % of the answers took no longer, streams to their end.",
    over.modelP95,
    "{{model}}",
    { unit: "s" }
  ),
  panel(
    "p95 time to first token by model",
    "95 % of the streams began no later.",
    over.modelFirstTokenP95,
    "{{model}}",
    { unit: "s" }
  ),
  panel(
    "Fallback rate by route",
    "Of the runs that had an answer, the share that another tier than the first gave.",
    over.routeFallback,
    "{{route}}",
    share
  ),
  panel(
    "Runs by the tier that served",
    "A second; none where no tier did.",
    over.servedBy,
    "{{route}}: {{served_by}}",
    {
      unit: "reqps",
      custom: stacked
    }
  ),
  panel("Failed attempts by type", "A second.", over.errors, "{{tier}}: {{error_type}}", {
    unit: "cps",
    custom: stacked
  }),
  panel(
    "Breakers",
    "Of every tier.",
    "max by (route, tier) (understudy_breaker_state)",
    "{{route}} / {{tier}}",
    {
      type: "state-timeline",
      mappings: [breaker]
    }
  ),
  panel(
    "Tokens by model",
    "A second, as far as upstreams have said.",
    over.modelTokens,
    "{{model}} {{direction}}",
    {}
  ),
  panel(
    "Alerts of the policies",
    "As the gateways themselves see them.",
    "max by (route, tier) (understudy_alert_firing)",
    "{{route}} / {{tier}}",
    {
      type: "state-timeline",
      mappings: [{ type: "value", options: { 0: { text: "calm" }, 1: { text: "fires", color: "red" } } }]
    }
  )
]

/**
 * The dashboard, to be imported as JSON; on import, it asks for the Prometheus data source.
 *
 * @example
 * import { Dashboard } from "@understudy/otel"
 *
 * console.log(Dashboard.dashboard.panels[0]?.title) // => Success rate by model
 *
 * @since 0.1.0
 * @category constructors
 */
export const dashboard: Dashboard = {
  title: "Understudy",
  uid: "understudy",
  schemaVersion: 38,
  editable: true,
  refresh: "30s",
  time: { from: "now-3h", to: "now" },
  annotations: { list: [] },
  templating: {
    list: [{ name: "datasource", type: "datasource", query: "prometheus", label: "Prometheus" }]
  },
  panels: panels.map((panel, index) => ({
    id: index + 1,
    gridPos: { h: 8, w: 8, x: (index % 3) * 8, y: Math.floor(index / 3) * 8 },
    ...panel
  }))
}
