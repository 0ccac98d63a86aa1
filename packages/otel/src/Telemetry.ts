/**
 * Makes the spans of any Effect application OpenTelemetry spans and exports them, through
 * `@opentelemetry/sdk-node` and the standard `OTEL_*` environment variables.
 *
 * The SDK is loaded when the layer is built, not when this module is imported: {@link configured} costs nothing
 * where nobody asks for traces.
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
 * What cannot be left to the environment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** `service.name` of the resource. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over it. */
  readonly serviceName?: string | undefined
  readonly serviceVersion?: string | undefined
  /** More attributes of the resource. */
  readonly attributes?: Readonly<Record<string, string>> | undefined
  /** How long the layer may take to deliver what is left when it closes; 1 second by default. */
  readonly shutdownTimeout?: Duration.DurationInput | undefined
  /** What is exported as metrics, where `OTEL_METRICS_EXPORTER` names an exporter. */
  readonly metrics?: Pick<Metrics, "read" | "readGenAi"> | undefined
  /** Under which names what is said of models goes out; `UNDERSTUDY_SEMCONV` wins over it. Default: the newest. */
  readonly semconv?: GenAi.Semconv | undefined
  /** Where the spans go in place of the exporters that the environment names. */
  readonly spanProcessors?: NodeSDKConfiguration["spanProcessors"] | undefined
}

/**
 * Variables as in `process.env`.
 *
 * @since 0.1.0
 * @category models
 */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Whether the environment asks for an exporter: an OTLP endpoint, or a first entry other than `none` in
 * `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` or `OTEL_LOGS_EXPORTER`; and `OTEL_SDK_DISABLED` is not
 * `true`. An endpoint alone asks for nothing where `OTEL_TRACES_EXPORTER` is `none`.
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
 * Exports every Effect span where the `OTEL_*` environment says, over OTLP to `localhost:4318` if it says
 * nothing.
 *
 * **Details**
 * - The standard variables count, among them `OTEL_TRACES_EXPORTER`, `OTEL_EXPORTER_OTLP_*`, `OTEL_BSP_*`,
 *   `OTEL_TRACES_SAMPLER` and `OTEL_SDK_DISABLED`. They are read when the layer is built.
 * - The resource is the service's name and version, `attributes` and what the environment adds; nothing about
 *   the host or the process is detected.
 * - Tracing is on below the layer, even where it is off around it; unless no traces are asked for.
 * - Spans are exported in batches. Closing the layer delivers those still waiting, for `shutdownTimeout` at most:
 *   a collector that is down or does not answer costs that much and a warning in the log.
 * - A caller's trace goes on: an `ExternalSpan` as parent keeps its trace id and its decision on sampling.
 * - Metrics are those of `metrics`, under OpenTelemetry's names: `understudy.requests` for what Prometheus knows as
 *   `understudy_requests_total`, and the client metrics of the conventions for generative AI. They are cumulative
 *   whatever temporality is preferred, and off unless `OTEL_METRICS_EXPORTER` names an exporter; so are logs and
 *   `OTEL_LOGS_EXPORTER`. The SDK then registers a global provider for code that records through the OpenTelemetry
 *   API; Effect's own metrics and logs do not go there.
 * - Attributes that a span begins with are there for the sampler, and lists stay lists. The spans below one that is
 *   not sampled have its ids and cost next to nothing.
 * - The SDK's complaints, a failed export among them, go to stderr. `OTEL_LOG_LEVEL` says how many, only errors
 *   by default.
 *
 * **Gotchas**
 * - The tracer is not registered globally and no OpenTelemetry context is active while an effect runs: libraries
 *   with OpenTelemetry instrumentation of their own do not see these spans. Keeping that context would more than
 *   double the time the runtime takes for each step of an effect.
 * - An export that `shutdownTimeout` gave up on keeps Node alive until the exporter gives up as well
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
 * Exports every Effect span to a Jaeger on this machine: OTLP over `http/protobuf` to `http://127.0.0.1:4318`.
 * Otherwise as {@link layer}; an endpoint in the environment wins, with its protocol.
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
    // With a level the SDK would install its own logger, which writes to stdout.
    OTEL_LOG_LEVEL: undefined,
    ...overrides
  }
  const sdk = withVariables(variables, () => {
    const sdk = new module.NodeSDK({
      resource: resource(module, options),
      resourceDetectors: [module.resources.envDetector],
      textMapPropagator: null,
      // `null` registers none, which the type does not tell.
      contextManager: null as never,
      ...(options?.spanProcessors && { spanProcessors: options.spanProcessors })
    })
    if (metrics !== undefined) {
      // The SDK lets nobody add to the readers that it makes of the environment.
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

/** Runs a function while `process.env`, the only thing that the SDK reads its settings from, has these variables. */
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
