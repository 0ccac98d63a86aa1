import { assert, describe, it } from "@effect/vitest"
import * as Otel from "@opentelemetry/api"
import { tracing } from "@opentelemetry/sdk-node"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Tracer from "effect/Tracer"
import * as Telemetry from "../src/Telemetry.ts"
import {
  CLIENT,
  collector,
  ERROR,
  environment,
  INTERNAL,
  json,
  named,
  OK,
  record,
  SERVER,
  seconds,
  spansOf,
  work
} from "./collector.ts"

describe("Telemetry.layer", () => {
  it.scopedLive("exports the tree with its kinds, attributes and outcomes", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment(json(stub.url))
      const attempt = Effect.fail(new Error("upstream said 503")).pipe(
        Effect.withSpan("attempt", { kind: "client", attributes: { "understudy.tier": "primary" } }),
        Effect.ignore
      )
      const hedge = Effect.gen(function* () {
        yield* Effect.annotateCurrentSpan("understudy.outcome", "interrupted")
        return yield* Effect.never
      }).pipe(
        Effect.withSpan("hedge"),
        Effect.fork,
        Effect.tap(Effect.yieldNow()),
        Effect.flatMap(Fiber.interrupt)
      )
      yield* attempt.pipe(
        Effect.zipRight(hedge),
        Effect.withSpan("fallback chat"),
        Effect.withSpan("POST /v1/chat/completions", { kind: "server" }),
        Effect.provide(Telemetry.layer({ serviceName: "gateway" }))
      )

      const spans = spansOf(stub.bodies())
      assert.strictEqual(spans.length, 4)
      const server = named(spans, "POST /v1/chat/completions")
      const run = named(spans, "fallback chat")
      const failed = named(spans, "attempt")
      const interrupted = named(spans, "hedge")

      assert.isUndefined(server.parentSpanId)
      assert.strictEqual(run.parentSpanId, server.spanId)
      assert.strictEqual(failed.parentSpanId, run.spanId)
      assert.strictEqual(interrupted.parentSpanId, run.spanId)
      assert.strictEqual(new Set(spans.map((span) => span.traceId)).size, 1)
      assert.deepStrictEqual([server.kind, run.kind, failed.kind], [SERVER, INTERNAL, CLIENT])

      assert.deepStrictEqual(failed.status, { code: ERROR, message: "upstream said 503" })
      assert.strictEqual(record(failed.attributes)["understudy.tier"], "primary")
      assert.deepStrictEqual(
        failed.events.map((event) => event.name),
        ["exception"]
      )
      assert.strictEqual(interrupted.status.code, OK)
      assert.strictEqual(record(interrupted.attributes)["understudy.outcome"], "interrupted")
    })
  )

  it.scopedLive("says in the resource who the service is, and nothing about the host or the process", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment({
        ...json(stub.url),
        OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test,team=a"
      })
      const options = {
        serviceName: "shop",
        serviceVersion: "1.2.3",
        attributes: { region: "eu", team: "b" }
      }
      yield* Effect.provide(work, Telemetry.layer(options))

      const attributes = record(stub.bodies()[0]?.resourceSpans[0]?.resource.attributes ?? [])
      const { "telemetry.sdk.version": version, ...rest } = attributes
      assert.isString(version)
      assert.deepStrictEqual(rest, {
        "service.name": "shop",
        "service.version": "1.2.3",
        "deployment.environment.name": "test",
        region: "eu",
        team: "a",
        "telemetry.sdk.language": "nodejs",
        "telemetry.sdk.name": "opentelemetry"
      })
    })
  )

  it.scopedLive("lets OTEL_SERVICE_NAME win over the name in the program", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment({ ...json(stub.url), OTEL_SERVICE_NAME: "from-env" })
      yield* Effect.provide(work, Telemetry.layer({ serviceName: "from-code" }))

      const attributes = record(stub.bodies()[0]?.resourceSpans[0]?.resource.attributes ?? [])
      assert.strictEqual(attributes["service.name"], "from-env")
    })
  )

  const traceId = "0af7651916cd43dd8448eb211c80319c"
  const spanId = "b7ad6b7169203331"

  it.scopedLive("continues the caller's trace", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment(json(stub.url))
      yield* work.pipe(
        Effect.withParentSpan(Tracer.externalSpan({ traceId, spanId, sampled: true })),
        Effect.provide(Telemetry.layer())
      )

      const span = named(spansOf(stub.bodies()), "work")
      assert.strictEqual(span.traceId, traceId)
      assert.strictEqual(span.parentSpanId, spanId)
    })
  )

  it.scopedLive("keeps the caller's decision not to sample", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment(json(stub.url))
      const seen = yield* Effect.currentSpan.pipe(
        Effect.withSpan("inner"),
        Effect.withSpan("outer", { parent: Tracer.externalSpan({ traceId, spanId, sampled: false }) }),
        Effect.provide(Telemetry.layer())
      )

      assert.strictEqual(seen.traceId, traceId)
      assert.isFalse(seen.sampled)
      assert.deepStrictEqual(stub.requests, [])
    })
  )

  it.scopedLive("honours the sampler of the environment", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment({ ...json(stub.url), OTEL_TRACES_SAMPLER: "always_off" })
      yield* Effect.provide(work, Telemetry.layer())

      assert.deepStrictEqual(stub.requests, [])
    })
  )

  it.scopedLive("delivers the waiting spans when it closes, and neither metrics nor logs", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment({ ...json(stub.url), OTEL_BSP_SCHEDULE_DELAY: "60000" })
      const count = Effect.sync(() => Otel.metrics.getMeter("elsewhere").createCounter("calls").add(1))
      yield* Effect.repeatN(work, 999).pipe(
        Effect.zipRight(count),
        Effect.withSpan("root"),
        Effect.provide(Telemetry.layer())
      )

      assert.strictEqual(spansOf(stub.bodies()).length, 1001)
      assert.deepStrictEqual([...new Set(stub.requests.map(({ path }) => path))], ["/v1/traces"])
    })
  )

  it.scopedLive("delivers them when the program is interrupted, too", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment(json(stub.url))
      const open = yield* Deferred.make<void>()
      const fiber = yield* Deferred.succeed(open, void 0).pipe(
        Effect.zipRight(Effect.never),
        Effect.withSpan("serve"),
        Effect.provide(Telemetry.layer()),
        Effect.fork
      )
      yield* Deferred.await(open)
      yield* Fiber.interrupt(fiber)

      assert.strictEqual(named(spansOf(stub.bodies()), "serve").status.code, OK)
    })
  )

  it.scopedLive("exports in batches while it is open", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment({ ...json(stub.url), OTEL_BSP_SCHEDULE_DELAY: "10" })
      const arrived = Effect.sync(() => stub.requests.length).pipe(
        Effect.repeat({ until: (count) => count > 0, schedule: Schedule.spaced("10 millis") }),
        Effect.timeout("5 seconds")
      )
      yield* Effect.provide(Effect.zipRight(work, arrived), Telemetry.layer())

      assert.strictEqual(spansOf(stub.bodies()).length, 1)
    })
  )

  for (const [collectorIs, hangs] of [
    ["hangs", true],
    ["is down", false]
  ] as const) {
    it.scopedLive(`closes within shutdownTimeout when the collector ${collectorIs}, and says so`, () =>
      Effect.gen(function* () {
        const url = hangs ? (yield* collector({ hangs })).url : (yield* Effect.scoped(collector())).url
        yield* environment({ ...json(url), OTEL_LOG_LEVEL: "none" })
        const messages: Array<string> = []
        const logger = Logger.make(({ logLevel, message }) => {
          messages.push(`${logLevel.label} ${String(message)}`)
        })
        // Built once before, so that loading the SDK is not measured.
        yield* Effect.provide(Effect.void, Telemetry.layer())
        const elapsed = yield* work.pipe(
          Effect.provide(Telemetry.layer({ shutdownTimeout: "300 millis" })),
          Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
          seconds
        )

        assert.isBelow(elapsed, 2.3)
        assert.deepStrictEqual(messages, [
          "WARN telemetry: the last of it was not delivered: no answer within 300ms"
        ])
      })
    )
  }

  it.scopedLive("says why the last spans were refused", () =>
    Effect.gen(function* () {
      const stub = yield* collector({ status: 401 })
      yield* environment({ ...json(stub.url), OTEL_LOG_LEVEL: "none" })
      const messages: Array<string> = []
      const logger = Logger.make(({ message }) => {
        messages.push(String(message))
      })
      yield* work.pipe(
        Effect.provide(Telemetry.layer()),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )

      assert.deepStrictEqual(messages, [
        "telemetry: the last of it was not delivered: OTLPExporterError: Unauthorized"
      ])
    })
  )

  it.scopedLive("leaves nothing registered globally, so that layers do not mix", () =>
    Effect.gen(function* () {
      const one = yield* collector()
      const two = yield* collector()
      yield* environment(json(one.url))
      yield* Effect.gen(function* () {
        yield* environment(json(two.url))
        yield* work.pipe(Effect.provide(Telemetry.layer({ serviceName: "two" })))
        assert.isFalse(Otel.trace.getTracer("elsewhere").startSpan("elsewhere").isRecording())
      }).pipe(
        Effect.scoped,
        Effect.withSpan("around"),
        Effect.provide(Telemetry.layer({ serviceName: "one" }))
      )

      assert.deepStrictEqual(
        [one, two].map((stub) => spansOf(stub.bodies()).map((span) => span.name)),
        [["around"], ["work"]]
      )
    })
  )

  it.scopedLive("works beside an SDK that the application has registered", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment({ ...json(stub.url), OTEL_LOG_LEVEL: "none" })
      const registered = new tracing.BasicTracerProvider()
      yield* Effect.acquireRelease(
        Effect.sync(() => Otel.trace.setGlobalTracerProvider(registered)),
        () => Effect.sync(() => Otel.trace.disable())
      )
      yield* Effect.provide(work, Telemetry.layer())

      assert.strictEqual(spansOf(stub.bodies()).length, 1)
      const global = Otel.trace.getTracerProvider() as Otel.ProxyTracerProvider
      assert.strictEqual(global.getDelegate(), registered)
    })
  )

  it.scopedLive("hands spans to the given processors instead of the environment's exporter", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment(json(stub.url))
      const exporter = new tracing.InMemorySpanExporter()
      const processor = new tracing.SimpleSpanProcessor(exporter)
      const names = yield* work.pipe(
        Effect.zipRight(Effect.sync(() => exporter.getFinishedSpans().map((span) => span.name))),
        Effect.provide(Telemetry.layer({ spanProcessors: [processor] }))
      )

      assert.deepStrictEqual(names, ["work"])
      assert.deepStrictEqual(stub.requests, [])
    })
  )

  it.scopedLive("has tracing on below it where it is off around, if traces are asked for", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment(json(stub.url))
      const ids = Effect.map(Effect.option(Effect.currentSpan), Option.isSome).pipe(Effect.withSpan("work"))
      const seen = (env: Record<string, string>) =>
        Effect.zipRight(
          environment({ ...json(stub.url), ...env }),
          ids.pipe(Effect.provide(Telemetry.layer()), Effect.withTracerEnabled(false))
        ).pipe(Effect.scoped)
      assert.isTrue(yield* seen({}))
      assert.strictEqual(spansOf(stub.bodies()).length, 1)
      yield* seen({ OTEL_TRACES_EXPORTER: "none" })
      assert.strictEqual(spansOf(stub.bodies()).length, 1)
    })
  )

  for (const off of [{ OTEL_SDK_DISABLED: "true" }, { OTEL_TRACES_EXPORTER: "none" }]) {
    it.scopedLive(`exports nothing with ${Object.entries(off).join().replace(",", "=")}`, () =>
      Effect.gen(function* () {
        const stub = yield* collector()
        yield* environment({ ...json(stub.url), ...off })
        yield* Effect.provide(work, Telemetry.layer())

        assert.deepStrictEqual(stub.requests, [])
      })
    )
  }

  it.scopedLive("writes the SDK's own messages to stderr, whatever their level", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      const lines: Record<"stdout" | "stderr", Array<string>> = { stdout: [], stderr: [] }
      const original = { ...console }
      const spy = (stream: Array<string>) => (message: string) => void stream.push(message)
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          Object.assign(console, {
            log: spy(lines.stdout),
            info: spy(lines.stdout),
            debug: spy(lines.stdout)
          })
          console.error = (_, ...words) => void lines.stderr.push(words.join(" "))
        }),
        () => Effect.sync(() => Object.assign(console, original))
      )
      yield* environment({ ...json(stub.url), OTEL_LOG_LEVEL: "debug", OTEL_METRICS_EXPORTER: "otlp" })
      yield* Effect.provide(work, Telemetry.layer())

      assert.deepStrictEqual(lines.stdout, [])
      assert.isTrue(lines.stderr.some((line) => line.includes("items to be sent")))
      const { OTEL_LOG_LEVEL } = process.env
      assert.strictEqual(OTEL_LOG_LEVEL, "debug")
    })
  )
})

describe("Telemetry.layerJaeger", () => {
  it.scopedLive("goes where the environment says", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      yield* environment(json(stub.url))
      yield* Effect.provide(work, Telemetry.layerJaeger())

      assert.strictEqual(spansOf(stub.bodies()).length, 1)
    })
  )

  it.scopedLive("goes to port 4318 here by default, whatever protocol is set", (context) =>
    Effect.gen(function* () {
      const stub = yield* Effect.option(collector({ port: 4318 }))
      if (Option.isNone(stub)) return context.skip("port 4318 is taken")
      yield* environment({ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" })
      yield* Effect.provide(work, Telemetry.layerJaeger())

      assert.deepStrictEqual(
        stub.value.requests.map(({ path, type }) => [path, type]),
        [["/v1/traces", "application/x-protobuf"]]
      )
      assert.deepStrictEqual(
        Object.keys(process.env).filter((name) => name.startsWith("OTEL_")),
        ["OTEL_EXPORTER_OTLP_PROTOCOL"]
      )
    })
  )
})

describe("Telemetry.configured", () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" }
  const cases: ReadonlyArray<readonly [Telemetry.Environment, boolean]> = [
    [{}, false],
    [{ OTEL_SERVICE_NAME: "shop", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, false],
    [endpoint, true],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: " " }, false],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://127.0.0.1:4318/v1/traces" }, true],
    [{ OTEL_TRACES_EXPORTER: "otlp" }, true],
    [{ OTEL_TRACES_EXPORTER: "console, otlp" }, true],
    [{ OTEL_TRACES_EXPORTER: "none" }, false],
    [{ ...endpoint, OTEL_TRACES_EXPORTER: " none " }, false],
    [{ ...endpoint, OTEL_TRACES_EXPORTER: "" }, true],
    [{ OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "otlp" }, true],
    [{ OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" }, false],
    [{ ...endpoint, OTEL_SDK_DISABLED: "TRUE" }, false],
    [{ ...endpoint, OTEL_SDK_DISABLED: "false" }, true]
  ]
  for (const [env, expected] of cases) {
    it(`is ${expected} for ${JSON.stringify(env)}`, () => {
      assert.strictEqual(Telemetry.configured(env), expected)
    })
  }
})
