import { assert, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { collector, metricsOf, resourceMetricsOf } from "../../packages/otel/test/collector.ts"
import { ask, chatBody, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat } from "../support/gateway.ts"
import { freePort } from "../support/ports.ts"
import { program } from "../support/program.ts"
import { type Sample, samplesOf } from "../support/samples.ts"
import { answer, content, fails, finish, role, stream, wall } from "../support/wall.ts"
import { startCollector, startOtlpPrometheus } from "./counterparts.mjs"
import { running, withCounterpart } from "./support.ts"

const cumulative = 2

interface Stored {
  readonly data: {
    readonly result: ReadonlyArray<{
      readonly metric: Readonly<Record<string, string>>
      readonly value: readonly [at: number, value: string]
    }>
  }
}

/** A gateway that fell back in nine of twelve runs, every other of which was a stream, and what it said of that itself. */
const twelveRuns = (env: Record<string, string>) =>
  Effect.gen(function* () {
    const [first, second] = [yield* wall, yield* wall]
    const says = stream([role, content("Hel"), content("lo"), finish])
    first.script(...Array.from({ length: 12 }, (_, call) => (call % 4 === 3 ? says : fails(503))))
    second.script(...Array.from({ length: 9 }, (_, call) => (call % 3 === 1 ? says : answer())))
    const yaml = chat([first.url, second.url], {
      tier: "retry: { times: 0 }, breaker: { consecutive: 1000 }",
      route: "alert: { tier: tier1 }"
    })
    const gateway = yield* program(yaml, {
      ...env,
      OTEL_METRICS_EXPORTER: "otlp",
      OTEL_TRACES_EXPORTER: "none"
    })
    for (let call = 0; call < 12; call++) {
      yield* ask(gateway.url, { body: chatBody({ stream: call % 2 === 1 }) })
    }
    yield* eventually(() => gateway.lines.filter(({ message }) => message === "run").length === 12)
    const page = samplesOf((yield* get(gateway.url, "/metrics")).text)
    return { gateway, page }
  })

/** Samples by their names and labels, but for those that tell where they come from. */
const told = (samples: ReadonlyArray<Sample>) =>
  Object.fromEntries(
    samples.map(({ labels, name, value }) => {
      const own = Object.entries(labels).filter(
        ([label]) => !/^(job|instance|otel_scope_.*|__name__)$/.test(label)
      )
      return [
        `${name} ${own
          .map(([label, value]) => `${label}=${Number(value) || value}`)
          .sort()
          .join(" ")}`,
        value
      ]
    })
  )

const ours = (told: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(told).filter(([name]) => name.startsWith("understudy_")))

withCounterpart("jaeger", () => {
  for (const protocol of ["grpc", "http/protobuf"] as const) {
    it.scopedLive(`a Collector gets over ${protocol} what the gateway's own page says`, () =>
      Effect.gen(function* () {
        const ports = {
          otlpHttpPort: yield* freePort,
          otlpGrpcPort: yield* freePort,
          scrapePort: yield* freePort
        }
        const behind = yield* collector()
        yield* running(() => startCollector({ ...ports, exportTo: behind.url }))
        const { gateway, page } = yield* twelveRuns({
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${protocol === "grpc" ? ports.otlpGrpcPort : ports.otlpHttpPort}`,
          OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
          OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "delta",
          OTEL_METRIC_EXPORT_INTERVAL: "1000",
          OTEL_METRIC_EXPORT_TIMEOUT: "1000",
          OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test"
        })
        yield* eventually(() => behind.requests.length > 0)
        yield* Effect.promise(() => gateway.stop())

        const scraped = told(samplesOf((yield* get(`http://127.0.0.1:${ports.scrapePort}`, "/metrics")).text))
        assert.deepStrictEqual(ours(scraped), told(page))
        const measured = (metric: string) =>
          Object.entries(scraped).flatMap(([name, value]) =>
            name.startsWith(`gen_ai_client_inference_${metric}_seconds_count gen_ai_operation_name=chat`) &&
            name.includes("gen_ai_request_model=model2")
              ? [value]
              : []
          )
        assert.deepStrictEqual(measured("duration"), [9])
        assert.deepStrictEqual(measured("time_to_first_chunk"), [3])

        assert.isAbove(behind.requests.length, 1)
        for (const { resource } of resourceMetricsOf(behind)) {
          assert.deepInclude(resource.attributes, {
            key: "service.name",
            value: { stringValue: "understudy" }
          })
          assert.deepInclude(resource.attributes, {
            key: "deployment.environment.name",
            value: { stringValue: "test" }
          })
        }
        const metrics = metricsOf(behind)
        const starts = new Set<string>()
        for (const { gauge, histogram, name, sum } of metrics) {
          const { aggregationTemporality, dataPoints } = (sum ?? histogram ?? gauge)!
          if (gauge === undefined) assert.strictEqual(aggregationTemporality, cumulative, name)
          if (sum !== undefined) assert.isTrue(sum.isMonotonic, name)
          for (const { startTimeUnixNano, timeUnixNano } of dataPoints) {
            starts.add(startTimeUnixNano)
            assert.isTrue(BigInt(startTimeUnixNano) < BigInt(timeUnixNano), name)
          }
        }
        assert.strictEqual(starts.size, 1)
        const units = Object.fromEntries(metrics.map(({ name, unit = "" }) => [name, unit]))
        assert.deepInclude(units, {
          "understudy.request_duration": "s",
          "understudy.tokens": "{token}",
          "gen_ai.client.inference.duration": "s",
          "gen_ai.client.inference.usage.input_tokens": "{token}",
          "gen_ai.client.inference.operation.input_tokens": "{token}"
        })
      })
    )
  }
})

withCounterpart("prometheus", () => {
  it.scopedLive("Prometheus gets over OTLP what it would have scraped", () =>
    Effect.gen(function* () {
      const prometheus = yield* Effect.flatMap(freePort, (port) =>
        running(() => startOtlpPrometheus({ port }))
      )
      const { page } = yield* twelveRuns({
        OTEL_EXPORTER_OTLP_ENDPOINT: `${prometheus.url}/api/v1/otlp`,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
        OTEL_METRIC_EXPORT_INTERVAL: "1000",
        OTEL_METRIC_EXPORT_TIMEOUT: "1000"
      })
      const stored = Effect.promise(async () => {
        const query = encodeURIComponent('{job="understudy",__name__!="target_info"}')
        const answer = await fetch(`${prometheus.url}/api/v1/query?query=${query}`)
        const { data }: Stored = JSON.parse(await answer.text())
        return told(
          data.result.map(({ metric, value }) => ({
            name: metric["__name__"] ?? "",
            labels: metric,
            value: Number(value[1])
          }))
        )
      })
      const fallbacks = "understudy_requests_total fallback=true outcome=success route=chat served_by=tier2"
      yield* Effect.repeat(stored, {
        until: (samples) => samples[fallbacks] === 9,
        schedule: Schedule.spaced("100 millis")
      })
      const all = yield* stored
      assert.deepStrictEqual(ours(all), told(page))
      assert.isTrue(
        Object.keys(all).some((name) => name.startsWith("gen_ai_client_inference_usage_input_tokens_total"))
      )
    })
  )
})
