import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import * as Otel from "@opentelemetry/api"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Value {
  readonly stringValue?: string
  readonly boolValue?: boolean
  readonly intValue?: number
}

export interface Attribute {
  readonly key: string
  readonly value: Value
}

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly attributes: ReadonlyArray<Attribute>
  readonly status: { readonly code: number; readonly message?: string }
  readonly events: ReadonlyArray<{ readonly name: string; readonly attributes: ReadonlyArray<Attribute> }>
}

export interface Body {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: ReadonlyArray<Attribute> }
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<Span> }>
  }>
}

export interface Metric {
  readonly name: string
  readonly unit?: string
  readonly sum?: Points & { readonly isMonotonic: boolean }
  readonly gauge?: Points
  readonly histogram?: Points
}

export interface Points {
  readonly aggregationTemporality?: number
  readonly dataPoints: ReadonlyArray<Point>
}

export interface Point {
  readonly attributes: ReadonlyArray<Attribute>
  readonly startTimeUnixNano: string
  readonly timeUnixNano: string
  readonly asDouble?: number
  readonly sum?: number
  readonly count?: number
}

export interface ResourceMetrics {
  readonly resource: { readonly attributes: ReadonlyArray<Attribute> }
  readonly scopeMetrics: ReadonlyArray<{ readonly metrics: ReadonlyArray<Metric> }>
}

export const INTERNAL = 1
export const SERVER = 2
export const CLIENT = 3
export const OK = 1
export const ERROR = 2

export const record = (attributes: ReadonlyArray<Attribute>): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.boolValue]))

export const spansOf = (bodies: ReadonlyArray<Body>): ReadonlyArray<Span> =>
  bodies.flatMap((body) => body.resourceSpans.flatMap((one) => one.scopeSpans.flatMap(({ spans }) => spans)))

/** Those of every export of metrics, which came as JSON. */
export const resourceMetricsOf = ({ requests }: Collector): ReadonlyArray<ResourceMetrics> =>
  requests
    .filter(({ path }) => path === "/v1/metrics")
    .flatMap(
      ({ body }) =>
        (JSON.parse(body.toString()) as { readonly resourceMetrics: ReadonlyArray<ResourceMetrics> })
          .resourceMetrics
    )

export const metricsOf = (collector: Collector): ReadonlyArray<Metric> =>
  resourceMetricsOf(collector).flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))

export const named = (spans: ReadonlyArray<Span>, name: string): Span => {
  const span = spans.find((span) => span.name === name)
  if (span === undefined) throw new Error(`no span ${name} among ${spans.map((one) => one.name).join(", ")}`)
  return span
}

export interface Collector {
  readonly url: string
  readonly requests: Array<{ readonly path: string; readonly type: string; readonly body: Buffer }>
  readonly bodies: () => ReadonlyArray<Body>
}

export const collector = (options?: {
  readonly hangs?: boolean
  readonly port?: number
  readonly status?: number
}): Effect.Effect<Collector, Error, Scope.Scope> => {
  const requests: Collector["requests"] = []
  const server = Http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const type = request.headers["content-type"] ?? ""
      requests.push({ path: request.url ?? "", type, body: Buffer.concat(chunks) })
      if (options?.hangs) return
      response.writeHead(options?.status ?? 200, { "content-type": "application/json" }).end("{}")
    })
  })
  const listen = Effect.async<Collector, Error>((resume) => {
    server.once("error", (error) => resume(Effect.fail(error)))
    server.listen(options?.port ?? 0, "127.0.0.1", () =>
      resume(
        Effect.succeed({
          url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
          requests,
          bodies: () => requests.map(({ body }) => JSON.parse(body.toString("utf8")) as Body)
        })
      )
    )
  })
  return Effect.acquireRelease(listen, () =>
    Effect.sync(() => {
      server.close()
      server.closeAllConnections()
    })
  )
}

/** Only these `OTEL_*` variables until the scope closes, and nothing left in OpenTelemetry's globals. */
export const environment = (variables: Record<string, string>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => {
        const before = Object.entries(process.env).filter(([name]) => name.startsWith("OTEL_"))
        for (const [name] of before) delete process.env[name]
        Object.assign(process.env, variables)
        return before
      }),
      (before) =>
        Effect.sync(() => {
          for (const name of Object.keys(variables)) delete process.env[name]
          Object.assign(process.env, Object.fromEntries(before))
          Otel.diag.disable()
          Otel.metrics.disable()
        })
    )
  )

export const json = (url: string): Record<string, string> => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json"
})

export const work = Effect.withSpan(Effect.void, "work")

export const seconds = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.map(Effect.timed(effect), ([duration]) => Duration.toSeconds(duration))
