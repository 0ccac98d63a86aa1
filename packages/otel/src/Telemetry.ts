/**
 * Exports the spans of any Effect application through `@opentelemetry/sdk-node`, configured by the standard `OTEL_*`
 * environment variables.
 *
 * The SDK is loaded when the layer is built, not when this module is imported: with {@link configured} it costs nothing
 * unless it is used.
 *
 * @since 0.1.0
 */
import type { NodeSDK, NodeSDKConfiguration, metrics as SdkMetrics } from "@opentelemetry/sdk-node"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as GenAi from "./GenAi.ts"
import { producer } from "./internal/otlpMetrics.ts"
import * as tracer from "./internal/tracer.ts"
import type { Metrics } from "./Metrics.ts"

/**
 * Options beyond the environment variables.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** `service.name` of the resource. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` take precedence. */
  readonly serviceName?: string | undefined
  readonly serviceVersion?: string | undefined
  /** Additional resource attributes. */
  readonly attributes?: Readonly<Record<string, string>> | undefined
  /** How long closing the layer may take to export what is left. Default: 1 second. */
  readonly shutdownTimeout?: Duration.DurationInput | undefined
  /** The metrics to export, if `OTEL_METRICS_EXPORTER` names an exporter. */
  readonly metrics?: Pick<Metrics, "read" | "readGenAi"> | undefined
  /** The version of the conventions for generative AI; `UNDERSTUDY_SEMCONV` takes precedence. Default: the newest. */
  readonly semconv?: GenAi.Semconv | undefined
  /** Replaces the span exporters named by the environment. */
  readonly spanProcessors?: NodeSDKConfiguration["spanProcessors"] | undefined
}

/**
 * Environment variables, as in `process.env`.
 *
 * @since 0.1.0
 * @category models
 */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Whether the environment configures an exporter: an OTLP endpoint, or a first entry other than `none` in
 * `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` or `OTEL_LOGS_EXPORTER`; and `OTEL_SDK_DISABLED` is not `true`. An
 * endpoint alone does not count if `OTEL_TRACES_EXPORTER` is `none`.
 *
 * @example
 * import { Telemetry } from "@understudy/otel"
 *
 * const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" }
 *
 * console.log(Telemetry.configured(endpoint)) // => true
 * console.log(Telemetry.configured({ ...endpoint, OTEL_SDK_DISABLED: "true" })) // => false
 * console.log(Telemetry.configured({})) // => false
 *
 * @since 0.1.0
 * @category environment
 */
export const configured = (env: Environment): boolean => {
  if (given(env, "OTEL_SDK_DISABLED")?.toLowerCase() === "true") return false
  const traces = given(env, "OTEL_TRACES_EXPORTER") ?? endpoints.find((name) => given(env, name))
  const exporters = [traces, given(env, "OTEL_METRICS_EXPORTER"), given(env, "OTEL_LOGS_EXPORTER")]
  return exporters.some((list) => list !== undefined && list.split(",", 1)[0]?.trim() !== "none")
}

/**
 * Exports every Effect span as configured by the `OTEL_*` environment variables. Default: over OTLP to
 * `localhost:4318`.
 *
 * **Details**
 * - The standard variables apply, among them `OTEL_TRACES_EXPORTER`, `OTEL_EXPORTER_OTLP_*`, `OTEL_BSP_*`,
 *   `OTEL_TRACES_SAMPLER` and `OTEL_SDK_DISABLED`. They are read when the layer is built.
 * - The resource consists of the service's name and version, `attributes` and what the environment adds; the host and
 *   the process are not detected.
 * - Tracing is enabled below the layer, even if it is disabled around it; unless no traces are configured.
 * - Spans are exported in batches. Closing the layer exports the rest, for at most `shutdownTimeout`: a collector that
 *   is down or does not answer costs that much time, and a warning in the log.
 * - A caller's trace is continued: an `ExternalSpan` as parent keeps its trace id and sampling decision.
 * - Metrics are those of `metrics`, under OpenTelemetry's names: `understudy.requests` for what Prometheus knows as
 *   `understudy_requests_total`, and the client metrics of the conventions for generative AI. They are cumulative
 *   whatever temporality is preferred, and off unless `OTEL_METRICS_EXPORTER` names an exporter; so are logs and
 *   `OTEL_LOGS_EXPORTER`. The SDK then registers a global provider for code that records through the OpenTelemetry API;
 *   Effect's own metrics and logs do not go there.
 * - A span's initial attributes are visible to the sampler, and lists stay lists. Spans below one that is not sampled
 *   share its ids and cost next to nothing.
 * - The SDK's diagnostics, such as failed exports, go to stderr. `OTEL_LOG_LEVEL` sets their level; default: errors
 *   only.
 *
 * **Gotchas**
 * - The tracer is not registered globally, and no OpenTelemetry context is active while an effect runs: instrumented
 *   libraries do not see these spans. Maintaining that context would more than double the runtime's cost per step of an
 *   effect.
 * - An export abandoned after `shutdownTimeout` keeps Node alive until the exporter gives up too
 *   (`OTEL_EXPORTER_OTLP_TIMEOUT`, 10 seconds), unless the program calls `process.exit`.
 *
 * @example
 * import { Effect } from "effect"
 * import { Telemetry } from "@understudy/otel"
 *
 * const names: Array<string> = []
 * const TelemetryLive = Telemetry.layer({
 *   serviceName: "shop",
 *   spanProcessors: [{
 *     onStart() {},
 *     onEnd(span) { names.push(span.name) },
 *     async forceFlush() {},
 *     async shutdown() {}
 *   }]
 * })
 * await Effect.runPromise(Effect.void.pipe(Effect.withSpan("checkout"), Effect.provide(TelemetryLive)))
 *
 * console.log(names) // => [ 'checkout' ]
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<never> => make(options, () => ({}))

/**
 * Exports every Effect span to a local Jaeger: OTLP over `http/protobuf` to `http://127.0.0.1:4318`. Otherwise like
 * {@link layer}; an endpoint in the environment takes precedence, with its protocol.
 *
 * @example
 * import { Effect } from "effect"
 * import { Telemetry } from "@understudy/otel"
 *
 * const checkout = Effect.succeed("paid").pipe(
 *   Effect.withSpan("checkout"),
 *   Effect.provide(Telemetry.layerJaeger({ serviceName: "shop" }))
 * )
 *
 * console.log(Effect.isEffect(checkout)) // => true
 *
 * @since 0.1.0
 * @category layers
 */
export const layerJaeger = (options?: Options): Layer.Layer<never> =>
  make(options, (env) =>
    endpoints.some((name) => given(env, name))
      ? {}
      : {
          OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://127.0.0.1:4318/v1/traces",
          OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/protobuf"
        }
  )

const endpoints = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] as const

const given = (env: Environment, name: string): string | undefined => env[name]?.trim() || undefined

/** Where only gRPC makes something of it. */
const isNoUrl = (env: Environment, name: (typeof endpoints)[number]): boolean => {
  const endpoint = given(env, name)
  const protocol =
    given(env, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") ?? given(env, "OTEL_EXPORTER_OTLP_PROTOCOL")
  return (
    endpoint !== undefined && protocol !== "grpc" && !(/^https?:/i.test(endpoint) && URL.canParse(endpoint))
  )
}

const make = (
  options: Options | undefined,
  overrides: (env: Environment) => Environment
): Layer.Layer<never> =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const module = yield* Effect.promise(load)
      const wanted = given(process.env, "UNDERSTUDY_SEMCONV")
      for (const name of endpoints.filter((name) => isNoUrl(process.env, name))) {
        // Its value may hold a password.
        yield* Effect.logWarning(
          `telemetry: ${name} is no URL such as http://127.0.0.1:4318, and so has no effect`
        )
      }
      const version = GenAi.semconv(wanted ?? "")
      if (wanted !== undefined && version === undefined) {
        yield* Effect.logWarning(
          `telemetry: UNDERSTUDY_SEMCONV is latest, 1.41 or both, not "${wanted}", and so has no effect`
        )
      }
      const semconv = version ?? options?.semconv ?? "latest"
      const metrics = options?.metrics && (yield* producer(module, readAll(options.metrics, semconv)))
      const { provider } = yield* Effect.acquireRelease(
        Effect.sync(() => start(module, options, metrics, overrides(process.env))),
        ({ sdk }) => shutdown(sdk, Duration.decode(options?.shutdownTimeout ?? "1 second"))
      )
      return provider === undefined
        ? Layer.empty
        : Layer.merge(
            Layer.setTracer(
              tracer.make(module.api, provider.getTracer("@understudy/otel"), (name) =>
                GenAi.names(name, semconv)
              )
            ),
            Layer.setTracerEnabled(true)
          )
    })
  )

// The default export is the one name of a CommonJS module that every bundler keeps, and that some loaders do not make.
const load = () => import("@opentelemetry/sdk-node").then((module) => module.default ?? module)

type Sdk = typeof import("@opentelemetry/sdk-node")

const readAll = ({ read, readGenAi }: NonNullable<Options["metrics"]>, semconv: GenAi.Semconv) =>
  Effect.map(Effect.all([read, readGenAi(semconv)]), (families) => families.flat())

const start = (
  module: Sdk,
  options: Options | undefined,
  metrics: SdkMetrics.MetricProducer | undefined,
  overrides: Environment
) => {
  const env = process.env
  module.api.diag.setLogger(stderr, {
    logLevel:
      module.core.diagLogLevelFromString(given(env, "OTEL_LOG_LEVEL")) ?? module.api.DiagLogLevel.ERROR,
    suppressOverrideMessage: true
  })
  const variables = {
    OTEL_METRICS_EXPORTER: given(env, "OTEL_METRICS_EXPORTER") ?? "none",
    OTEL_LOGS_EXPORTER: given(env, "OTEL_LOGS_EXPORTER") ?? "none",
    // Otherwise the SDK would install its own logger, which writes to stdout.
    OTEL_LOG_LEVEL: undefined,
    ...overrides
  }
  const sdk = withVariables(variables, () => {
    const sdk = new module.NodeSDK({
      resource: resource(module, options),
      resourceDetectors: [module.resources.envDetector],
      textMapPropagator: null,
      // `null` registers none, though the type does not say so.
      contextManager: null as never,
      ...(options?.spanProcessors && { spanProcessors: options.spanProcessors })
    })
    if (metrics !== undefined) {
      // The SDK has no API to add producers to the readers that it creates from the environment.
      for (const reader of sdk["_meterProviderConfig"]?.readers ?? []) {
        if (reader instanceof module.metrics.MetricReader) reader["_metricProducers"].push(metrics)
      }
    }
    sdk.start()
    return sdk
  })
  const provider = sdk["_tracerProvider"]
  const global = module.api.trace.getTracerProvider()
  if (global instanceof module.api.ProxyTracerProvider && global.getDelegate() === provider) {
    module.api.trace.disable()
  }
  return { sdk, provider }
}

const resource = ({ resources }: Sdk, options: Options | undefined) =>
  resources.defaultResource().merge(
    resources.resourceFromAttributes({
      ...options?.attributes,
      ...(options?.serviceName && { "service.name": options.serviceName }),
      ...(options?.serviceVersion && { "service.version": options.serviceVersion })
    })
  )

/** Runs a function with these variables in `process.env`, the only place from which the SDK reads its settings. */
const withVariables = <A>(variables: Environment, f: () => A): A => {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  Object.entries(variables).forEach(setVariable)
  try {
    return f()
  } finally {
    before.forEach(setVariable)
  }
}

const setVariable = ([name, value]: readonly [string, string | undefined]): void => {
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}

const shutdown = (sdk: NodeSDK, timeout: Duration.Duration): Effect.Effect<void> =>
  Effect.tryPromise({ try: () => sdk.shutdown(), catch: String }).pipe(
    Effect.interruptible,
    Effect.timeoutFail({
      duration: timeout,
      onTimeout: () => `no answer within ${Duration.format(timeout)}`
    }),
    Effect.catchAll((reason) => Effect.logWarning(`telemetry: the last of it was not delivered: ${reason}`))
  )

const complain = (message: string, ...details: ReadonlyArray<unknown>): void =>
  console.error("OpenTelemetry:", message, ...details)

const stderr = { error: complain, warn: complain, info: complain, debug: complain, verbose: complain }
