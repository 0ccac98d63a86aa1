/**
 * The port every provider sends through: bytes and headers out; status, headers and a byte stream back, in a
 * `Scope` whose end closes the connection.
 *
 * @since 0.1.0
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/**
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly method: "GET" | "POST"
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Response {
  readonly status: number
  /** Names are in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Stream.Stream<Uint8Array, TransportError>
}

/**
 * The exchange itself failed: no connection, or one that broke.
 *
 * `code` is the platform's own name for it, such as `ECONNREFUSED`; it never holds an address or a message.
 *
 * @example
 * import { Upstream } from "@understudy/http"
 *
 * const error = new Upstream.TransportError({ reason: "connection", code: "ECONNREFUSED" })
 *
 * console.log(error.message) // => the connection failed (ECONNREFUSED)
 *
 * @since 0.1.0
 * @category errors
 */
export class TransportError extends Data.TaggedError("TransportError")<{
  readonly reason: "connection" | "tls"
  readonly code: string | undefined
}> {
  override get message(): string {
    const what = this.reason === "tls" ? "the TLS handshake failed" : "the connection failed"
    return this.code === undefined ? what : `${what} (${this.code})`
  }
}

/**
 * Sends one request and never a second one: it neither retries nor follows redirects.
 *
 * @since 0.1.0
 * @category models
 */
export interface Upstream {
  readonly send: (request: Request) => Effect.Effect<Response, TransportError, Scope.Scope>
}

/**
 * @since 0.1.0
 * @category context
 */
export const Upstream: Context.Tag<Upstream, Upstream> =
  Context.GenericTag<Upstream>("@understudy/http/Upstream")

/**
 * The port over any `HttpClient` of `@effect/platform`. The client must not follow redirects or retry. Neither the
 * trace context nor a client span goes with a request.
 *
 * @example
 * import { HttpClient, HttpClientResponse } from "@effect/platform"
 * import { Effect, Layer } from "effect"
 * import { Upstream } from "@understudy/http"
 *
 * const client = HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, new Response("busy", { status: 503 })))
 * )
 * const UpstreamLive = Upstream.layerHttpClient.pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
 * const program = Effect.scoped(
 *   Effect.flatMap(Upstream.Upstream, ({ send }) =>
 *     send({ method: "GET", url: "http://127.0.0.1:9", headers: {}, body: undefined })
 *   )
 * )
 *
 * console.log((await Effect.runPromise(Effect.provide(program, UpstreamLive))).status) // => 503
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHttpClient: Layer.Layer<Upstream, never, HttpClient.HttpClient> = Layer.effect(
  Upstream,
  Effect.map(HttpClient.HttpClient, (client): Upstream => {
    const scoped = HttpClient.withScope(client).pipe(
      HttpClient.withTracerPropagation(false),
      HttpClient.withTracerDisabledWhen(() => true)
    )
    return {
      send: ({ body, headers, method, url }) => {
        const request = HttpClientRequest.make(method)(url, { headers })
        return scoped
          .execute(
            body === undefined
              ? request
              : HttpClientRequest.bodyUint8Array(request, body, headers["content-type"])
          )
          .pipe(
            Effect.map(
              (response): Response => ({
                status: response.status,
                headers: response.headers,
                body: Stream.mapError(response.stream, (error) => transportError(error.cause))
              })
            ),
            Effect.mapError((error) => transportError(error.cause))
          )
      }
    }
  })
)

/**
 * The port over the platform's `fetch`, which is told to follow no redirect: the key would go along.
 *
 * @example
 * import { Effect } from "effect"
 * import { Upstream } from "@understudy/http"
 *
 * const program = Effect.scoped(
 *   Effect.flatMap(Upstream.Upstream, ({ send }) =>
 *     send({ method: "GET", url: "http://127.0.0.1:9", headers: {}, body: undefined })
 *   )
 * )
 *
 * console.log((await Effect.runPromise(Effect.flip(Effect.provide(program, Upstream.layerFetch)))).reason) // => connection
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFetch: Layer.Layer<Upstream> = layerHttpClient.pipe(
  Layer.provide(FetchHttpClient.layer),
  Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }))
)

/**
 * Reads the reason out of what a platform threw, looking through its causes for a code.
 *
 * @example
 * import { Upstream } from "@understudy/http"
 *
 * const thrown = new TypeError("fetch failed", { cause: { code: "CERT_HAS_EXPIRED" } })
 *
 * console.log(Upstream.transportError(thrown).reason) // => tls
 *
 * @since 0.1.0
 * @category errors
 */
export const transportError = (thrown: unknown): TransportError => {
  let code: string | undefined
  for (let cause = thrown, depth = 0; depth < 5 && typeof cause === "object" && cause !== null; depth++) {
    if ("code" in cause && typeof cause.code === "string" && /^[A-Z][A-Z0-9_]*$/.test(cause.code)) {
      code = cause.code
    }
    cause = "cause" in cause ? cause.cause : undefined
  }
  return new TransportError({ reason: code !== undefined && tlsCode.test(code) ? "tls" : "connection", code })
}

const tlsCode = /^ERR_TLS|^ERR_SSL|CERT|^UNABLE_TO_|SELF_SIGNED|^HOSTNAME_MISMATCH$/
