/** Rules for Prometheus: figures by model and route, and the alerts of policies. */
export * as Alerts from "./Alerts.ts"
/** A dashboard for Grafana. */
export * as Dashboard from "./Dashboard.ts"
/** The names of OpenTelemetry's conventions for generative AI. */
export * as GenAi from "./GenAi.ts"
/** One accounting of what runs come to. */
export * as Metrics from "./Metrics.ts"
/** The text that Prometheus scrapes. */
export * as Prometheus from "./Prometheus.ts"
/** The OpenTelemetry SDK as a Layer. */
export * as Telemetry from "./Telemetry.ts"
