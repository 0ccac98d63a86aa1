/** The names of OpenTelemetry's conventions for generative AI. */
export * as GenAi from "./GenAi.ts"
/** One accounting of what runs come to. */
export * as Metrics from "./Metrics.ts"
/** The text that Prometheus scrapes. */
export * as Prometheus from "./Prometheus.ts"
/** The OpenTelemetry SDK as a Layer. */
export * as Telemetry from "./Telemetry.ts"
