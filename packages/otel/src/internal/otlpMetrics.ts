import type { Attributes, HrTime } from "@opentelemetry/api"
import type { metrics as Sdk } from "@opentelemetry/sdk-node"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Family } from "../Metrics.ts"
import { hrTime } from "./tracer.ts"

type Module = typeof import("@opentelemetry/sdk-node")

/** Families in the form of the SDK's readers, counted from now on. */
export const producer = (
  module: Module,
  read: Effect.Effect<ReadonlyArray<Family>>
): Effect.Effect<Sdk.MetricProducer> =>
  Effect.map(Effect.all([Clock.currentTimeNanos, Effect.clock]), ([since, clock]) => ({
    collect: async () => {
      const families = await Effect.runPromise(Effect.withClock(read, clock))
      const times = { startTime: hrTime(since), endTime: hrTime(clock.unsafeCurrentTimeNanos()) }
      const metrics = families
        .filter(({ points }) => points.length > 0)
        .map((family) => metricOf(module, family, times))
      return {
        errors: [],
        resourceMetrics: {
          resource: module.resources.emptyResource(),
          scopeMetrics: [{ scope: { name: "@understudy/otel" }, metrics }]
        }
      }
    }
  }))

interface Times {
  readonly startTime: HrTime
  readonly endTime: HrTime
}

const metricOf = ({ api, metrics }: Module, family: Family, times: Times): Sdk.MetricData => {
  const common = {
    descriptor: {
      name: dotted(family.name),
      description: family.help,
      unit: family.unit === undefined ? "" : units[family.unit],
      valueType: api.ValueType.DOUBLE
    },
    aggregationTemporality: metrics.AggregationTemporality.CUMULATIVE
  }
  const located = ({ labels }: { readonly labels: Attributes }) => ({ ...times, attributes: labels })
  if (family.type === "histogram") {
    return {
      ...common,
      dataPointType: metrics.DataPointType.HISTOGRAM,
      dataPoints: family.points.map((point) => ({
        ...located(point),
        value: {
          buckets: { boundaries: [...family.bounds], counts: [...point.counts] },
          sum: point.sum,
          count: point.counts.reduce((all, one) => all + one, 0)
        }
      }))
    }
  }
  const dataPoints = family.points.map((point) => ({ ...located(point), value: point.value }))
  return family.type === "gauge"
    ? { ...common, dataPointType: metrics.DataPointType.GAUGE, dataPoints }
    : { ...common, dataPointType: metrics.DataPointType.SUM, isMonotonic: true, dataPoints }
}

const units = { seconds: "s", tokens: "{token}" } as const

/** OpenTelemetry's name, which a collector translates back to Prometheus' name. */
const dotted = (name: string): string => name.replace(/^understudy_/, "understudy.").replace(/_seconds$/, "")
