/** The OpenTelemetry SDK as a Layer. */
export * as Telemetry from "./Telemetry.ts"
