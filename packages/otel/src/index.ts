/** Rules for Prometheus: recording rules for every model and route, and the alerts of policies. */
export * as Alerts from "./Alerts.ts"
/** A dashboard for Grafana. */
export * as Dashboard from "./Dashboard.ts"
/** The names of OpenTelemetry's conventions for generative AI. */
export * as GenAi from "./GenAi.ts"
/** The metrics of runs, kept once for all readers. */
export * as Metrics from "./Metrics.ts"
/** The text format that Prometheus scrapes. */
export * as Prometheus from "./Prometheus.ts"
/** The OpenTelemetry SDK as a Layer. */
export * as Telemetry from "./Telemetry.ts"
