import { assert, describe, it } from "@effect/vitest"
import { tracing } from "@opentelemetry/sdk-node"
import { Attempt, CircuitBreaker, Fallback, Tier } from "@understudy/core"
import { Clock, Effect, Layer, Logger, TestClock, type Tracer } from "effect"
import * as Metrics from "../src/Metrics.ts"
import * as Telemetry from "../src/Telemetry.ts"
import { collector, environment, json, metricsOf, seconds } from "./collector.ts"

const attributes = {
  "gen_ai.operation.name": "chat",
  "gen_ai.provider.name": "openai",
  "gen_ai.request.model": "large",
  "server.address": "api.test",
  "server.port": 443
}

const asking = (effect: Effect.Effect<string, string>) =>
  Tier.make({
    name: "primary",
    labels: { model: "large" },
    span: { name: "chat large", attributes },
    effect
  }).pipe(Fallback.named("chat"))

const ask = asking(
  Effect.as(Attempt.recordUsage({ input_tokens: 3, output_tokens: 5, "cache_write.input_tokens": 2 }), "Hi")
)

/** What a collector was told of a run, a line for each point. */
const exported = (env: Record<string, string>, options: Telemetry.Options = {}, run = ask) =>
  Effect.gen(function* () {
    const stub = yield* collector()
    yield* environment({ ...json(stub.url), OTEL_TRACES_EXPORTER: "none", ...env })
    const metrics = yield* Metrics.make
    yield* run.pipe(
      Effect.exit,
      Effect.provideService(Attempt.Listener, metrics.listener),
      Effect.provide(Telemetry.layer({ metrics, ...options }))
    )
    const said = metricsOf(stub)
    const lines = said.flatMap(({ gauge, histogram, name, sum, unit }) =>
      (sum ?? gauge ?? histogram)!.dataPoints.map((point) => {
        const labels = point.attributes
          .filter(({ key }) => !["route", "tier", "model"].includes(key) && !(key in attributes))
          .map(({ key, value }) => `${key}=${value.stringValue}`)
        return [name, unit, point.asDouble ?? `${point.count} of ${point.sum}`, ...labels].join(" ")
      })
    )
    return { lines, points: said }
  }).pipe(Effect.scoped)

describe("metrics over OTLP", () => {
  it.scopedLive("are design's under OpenTelemetry's names, and those of generative AI", () =>
    Effect.gen(function* () {
      const { lines, points } = yield* exported({ OTEL_METRICS_EXPORTER: "otlp" })
      const exact = lines.filter((line) => !/duration/.test(line))
      assert.deepStrictEqual(exact, [
        "understudy.requests  1 served_by=primary outcome=success fallback=false",
        "understudy.attempts  1 outcome=success error_type=none",
        "understudy.time_to_first_token s 0 of 0",
        "understudy.tier_runs  1 served=true",
        "understudy.tier_runs  0 served=false",
        "understudy.tokens {token} 3 direction=input",
        "understudy.tokens {token} 5 direction=output",
        "gen_ai.client.inference.usage.input_tokens {token} 3 understudy.route=chat understudy.tier=primary gen_ai.token.modality=unknown",
        "gen_ai.client.inference.usage.output_tokens {token} 5 understudy.route=chat understudy.tier=primary gen_ai.token.modality=unknown",
        "gen_ai.client.inference.usage.cache_write.input_tokens {token} 2 understudy.route=chat understudy.tier=primary gen_ai.token.modality=unknown",
        "gen_ai.client.inference.operation.input_tokens {token} 1 of 3 understudy.route=chat understudy.tier=primary",
        "gen_ai.client.inference.operation.output_tokens {token} 1 of 5 understudy.route=chat understudy.tier=primary"
      ])
      const duration = points.find(({ name }) => name === "gen_ai.client.inference.duration")
      const [point] = duration?.histogram?.dataPoints ?? []
      assert.strictEqual(duration?.unit, "s")
      assert.deepInclude([...(point?.attributes ?? [])], { key: "server.port", value: { intValue: 443 } })
      assert.isTrue(points.find(({ name }) => name === "understudy.requests")?.sum?.isMonotonic)
    })
  )

  it.scopedLive("count nothing used for an operation that tells of nothing", () =>
    Effect.gen(function* () {
      const env = { OTEL_METRICS_EXPORTER: "otlp" }
      const { lines } = yield* exported(env, {}, asking(Effect.fail("busy")))
      const where = "understudy.route=chat understudy.tier=primary"
      assert.deepStrictEqual(
        lines.filter((line) => /gen_ai.*tokens/.test(line)),
        [
          `gen_ai.client.inference.usage.input_tokens {token} 0 ${where} gen_ai.token.modality=unknown`,
          `gen_ai.client.inference.usage.output_tokens {token} 0 ${where} gen_ai.token.modality=unknown`,
          `gen_ai.client.inference.operation.input_tokens {token} 1 of 0 ${where}`,
          `gen_ai.client.inference.operation.output_tokens {token} 1 of 0 ${where}`
        ]
      )
    })
  )

  it.scopedLive("have their former names with a switch, of the program or of the environment", () =>
    Effect.gen(function* () {
      const names = ({ points }: Effect.Effect.Success<ReturnType<typeof exported>>) =>
        points.map(({ name }) => name).filter((name) => name.startsWith("gen_ai"))
      const env = { OTEL_METRICS_EXPORTER: "otlp" }
      const former = [
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.client.token.usage"
      ]
      assert.deepStrictEqual(names(yield* exported(env, { semconv: "1.41" })), former)
      const both = names(yield* exported({ ...env, UNDERSTUDY_SEMCONV: "both" }, { semconv: "latest" }))
      assert.includeMembers(both, [...former, "gen_ai.client.inference.duration"])
    })
  )

  it.scopedLive("keep nobody longer than the bound when the collector hangs", () =>
    Effect.gen(function* () {
      const stub = yield* collector({ hangs: true })
      yield* environment({ ...json(stub.url), OTEL_METRICS_EXPORTER: "otlp", OTEL_LOG_LEVEL: "none" })
      const metrics = yield* Metrics.make
      // Built once before, so that loading the SDK is not measured.
      yield* Effect.provide(Effect.void, Telemetry.layer({ spanProcessors: [] }))
      const closed = ask.pipe(
        Effect.provideService(Attempt.Listener, metrics.listener),
        Effect.provide(Telemetry.layer({ metrics, shutdownTimeout: "300 millis" })),
        Effect.provide(Logger.remove(Logger.defaultLogger))
      )
      assert.isBelow(yield* seconds(closed), 2.3)
      assert.include(
        stub.requests.map(({ path }) => path),
        "/v1/metrics"
      )
    })
  )

  it.scopedLive("have in their last export what a gauge was when what it was of ended", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment({ ...json(stub.url), OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "otlp" })
      const metrics = yield* Metrics.make
      const program = Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make({ key: "chat/primary" })
        yield* metrics.observe(Metrics.breakerStates([{ run: "chat", tier: "primary", breaker }]))
        yield* breaker.trip()
      })
      yield* Layer.build(Layer.provide(Layer.scopedDiscard(program), Telemetry.layer({ metrics }))).pipe(
        Effect.scoped
      )
      const gauges = metricsOf(stub).map(({ gauge, name }) => [name, gauge?.dataPoints[0]?.asDouble])
      assert.deepStrictEqual(gauges, [["understudy.breaker_state", 2]])
    })
  )

  it.scoped("are read by the program's own clock", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment({ ...json(stub.url), OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "otlp" })
      const metrics = yield* Metrics.make
      const clock = (millis: number): Metrics.Family => ({
        type: "gauge",
        name: "understudy_clock",
        help: "",
        points: [{ labels: {}, value: millis }]
      })
      yield* metrics.observe(Effect.map(Clock.currentTimeMillis, clock))
      yield* Effect.provide(TestClock.adjust("5 seconds"), Telemetry.layer({ metrics }))
      const read = metricsOf(stub).map(({ gauge, name }) => [name, gauge?.dataPoints[0]?.asDouble])
      assert.deepStrictEqual(read, [["understudy.clock", 5_000]])
    })
  )

  it.scopedLive("go nowhere unless the environment says where", () =>
    Effect.map(exported({}), ({ lines }) => assert.deepStrictEqual(lines, []))
  )
})

describe("spans over OTLP", () => {
  const spans = (options: Telemetry.Options, effect: Effect.Effect<unknown>) =>
    Effect.gen(function* () {
      yield* environment({})
      const exporter = new tracing.InMemorySpanExporter()
      const spanProcessors = [new tracing.SimpleSpanProcessor(exporter)]
      return yield* effect.pipe(
        Effect.zipRight(Effect.sync(() => exporter.getFinishedSpans().map(({ attributes }) => attributes))),
        Effect.provide(Telemetry.layer({ ...options, spanProcessors }))
      )
    })

  const work = Effect.withSpan(Effect.void, "work", {
    attributes: {
      "gen_ai.response.finish_reasons": ["stop", "length"],
      "gen_ai.usage.cache_write.input_tokens": 2,
      "understudy.time_to_first_token": 0.5,
      sizes: [1, 2],
      mixed: ["a", 1],
      none: undefined,
      big: 2n
    }
  })

  it.scopedLive("keep lists and say what they are asked under the newest names", () =>
    Effect.map(spans({}, work), ([first]) => {
      const { "code.stacktrace": _, ...attributes } = first ?? {}
      assert.deepStrictEqual(attributes, {
        "gen_ai.response.finish_reasons": ["stop", "length"],
        "gen_ai.usage.cache_write.input_tokens": 2,
        "understudy.time_to_first_token": 0.5,
        "gen_ai.response.time_to_first_chunk": 0.5,
        sizes: [1, 2],
        mixed: ["a", "1"],
        big: "2"
      })
    })
  )

  it.scopedLive("say it under both names for who wants that", () =>
    Effect.map(spans({ semconv: "both" }, work), ([first]) =>
      assert.deepInclude(first, {
        "gen_ai.usage.cache_write.input_tokens": 2,
        "gen_ai.usage.cache_creation.input_tokens": 2
      })
    )
  )

  it.scopedLive("have the newest names where the switch stands between two, and a warning says so", () =>
    Effect.gen(function* () {
      yield* environment({ UNDERSTUDY_SEMCONV: "1.40" })
      const messages: Array<string> = []
      const logger = Logger.make(({ message }) => void messages.push(String(message)))
      yield* Effect.void.pipe(
        Effect.provide(Telemetry.layer({ spanProcessors: [] })),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      assert.deepStrictEqual(messages, [
        'telemetry: UNDERSTUDY_SEMCONV is latest, 1.41 or both, not "1.40", and so has no effect'
      ])
    })
  )

  it.scopedLive("are said to go elsewhere where the endpoint is no URL, as gRPC alone takes it", () =>
    Effect.gen(function* () {
      const warned = (variables: Record<string, string>) =>
        Effect.scoped(
          Effect.gen(function* () {
            yield* environment(variables)
            const messages: Array<string> = []
            const logger = Logger.make(({ message }) => void messages.push(String(message)))
            yield* Effect.void.pipe(
              Effect.provide(Telemetry.layer({ spanProcessors: [] })),
              Effect.provide(Logger.replace(Logger.defaultLogger, logger))
            )
            return messages
          })
        )
      const [general, traces] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] as const
      const no = (name: string) =>
        `telemetry: ${name} is no URL such as http://127.0.0.1:4318, and so has no effect`
      for (const wrong of ["collector:4318", "127.0.0.1:4318", "//collector", "http://"]) {
        assert.deepStrictEqual(yield* warned({ [general]: wrong }), [no(general)])
        assert.deepStrictEqual(yield* warned({ [traces]: wrong }), [no(traces)])
      }
      assert.deepStrictEqual(yield* warned({ [general]: "https://collector/a", [traces]: " " }), [])
      const grpc = { [general]: "collector:4317", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }
      assert.deepStrictEqual(yield* warned(grpc), [])
    })
  )

  it.scopedLive("have what a tier begins with from their beginning, where samplers decide", () =>
    Effect.gen(function* () {
      yield* environment({})
      const begun: Array<object> = []
      const processor: tracing.SpanProcessor = {
        onStart: ({ attributes }) => void begun.push({ ...attributes }),
        onEnd: () => {},
        forceFlush: () => Promise.resolve(),
        shutdown: () => Promise.resolve()
      }
      yield* Effect.provide(ask, Telemetry.layer({ spanProcessors: [processor] }))
      assert.deepStrictEqual(begun, [
        {},
        { ...attributes, "understudy.tier": "primary" },
        { "understudy.tier": "primary", "understudy.attempt.number": 1 }
      ])
    })
  )

  it.scopedLive("cost nothing below one that is not sampled", () =>
    Effect.gen(function* () {
      yield* environment({ OTEL_TRACES_SAMPLER: "parentbased_always_off" })
      const seen: Array<Tracer.Span> = []
      const note = Effect.map(Effect.currentSpan, (span) => {
        span.attribute("key", "value")
        seen.push(span)
      })
      yield* Effect.zipRight(note, Effect.withSpan(Effect.orDie(note), "inner")).pipe(
        Effect.orDie,
        Effect.withSpan("outer"),
        Effect.provide(Telemetry.layer({ spanProcessors: [new tracing.NoopSpanProcessor()] }))
      )
      const [outer, inner] = seen
      assert.deepStrictEqual([outer?.sampled, inner?.sampled], [false, false])
      assert.deepStrictEqual([inner?.traceId, inner?.attributes.size], [outer?.traceId, 0])
    })
  )
})
