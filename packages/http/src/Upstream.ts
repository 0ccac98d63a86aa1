/**
 * The port that every provider sends through: bytes and headers out; status, headers and a byte stream back, in a
 * `Scope` that closes the connection.
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
import { collect, reading } from "./internal/bytes/bytes.ts"
import { stackless } from "./internal/provider/stackless.ts"

/**
 * A request to an upstream.
 *
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
 * An upstream's response, whatever its status.
 *
 * @since 0.1.0
 * @category models
 */
export interface Response {
  readonly status: number
  /** Names are in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /**
   * The next bytes of the body as they arrive, and `undefined` after the last. One piece is read at a time. This is no
   * `Stream`, since its layers would take most of a call's time.
   */
  readonly read: Effect.Effect<Uint8Array | undefined, TransportError>
}

/**
 * The exchange itself failed: there was no connection, or it broke.
 *
 * `code` is the platform's name for it, such as `ECONNREFUSED`; it never contains an address or a message.
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
 * Sends exactly one request: it neither retries nor follows redirects.
 *
 * @since 0.1.0
 * @category models
 */
export interface Upstream {
  readonly send: (request: Request) => Effect.Effect<Response, TransportError, Scope.Scope>
}

/**
 * A response whose body is given, or comes from a stream, which is opened in the scope and read on demand.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { Upstream } from "@understudy/http"
 *
 * const body = Stream.make(new TextEncoder().encode("Hi"))
 * const program = Effect.gen(function* () {
 *   const { read } = yield* Upstream.respond({ status: 200, headers: {}, body })
 *   return [yield* read, yield* read]
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => [ Uint8Array(2) [ 72, 105 ], undefined ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const respond = ({
  body,
  ...head
}: Omit<Response, "read"> & {
  readonly body: Uint8Array | Stream.Stream<Uint8Array, TransportError>
}): Effect.Effect<Response, never, Scope.Scope> =>
  Effect.map(body instanceof Uint8Array ? once(body) : reading(body), (read) => ({ ...head, read }))

const once = (bytes: Uint8Array): Effect.Effect<Response["read"]> =>
  Effect.sync(() => {
    let left: Uint8Array | undefined = bytes
    return Effect.sync(() => {
      const next = left
      left = undefined
      return next
    })
  })

/**
 * Reads the rest of the body, without a limit.
 *
 * @example
 * import { Effect } from "effect"
 * import { Upstream } from "@understudy/http"
 *
 * const body = new TextEncoder().encode("Hi")
 * const program = Effect.flatMap(Upstream.respond({ status: 200, headers: {}, body }), Upstream.whole)
 *
 * console.log(new TextDecoder().decode(await Effect.runPromise(Effect.scoped(program)))) // => Hi
 *
 * @since 0.1.0
 * @category destructors
 */
export const whole = ({ read }: Pick<Response, "read">): Effect.Effect<Uint8Array, TransportError> =>
  collect(read)

/**
 * The upstream that providers send to, as a service.
 *
 * @example
 * import { Effect } from "effect"
 * import { Upstream } from "@understudy/http"
 *
 * const unplugged: Upstream.Upstream = {
 *   send: () => Effect.fail(new Upstream.TransportError({ reason: "connection", code: "ENETUNREACH" }))
 * }
 * const ask = Effect.flatMap(Upstream.Upstream, ({ send }) =>
 *   send({ method: "GET", url: "http://x.invalid", headers: {}, body: undefined })
 * )
 * const error = Effect.flip(Effect.scoped(Effect.provideService(ask, Upstream.Upstream, unplugged)))
 *
 * console.log(Effect.runSync(error).reason) // => connection
 *
 * @since 0.1.0
 * @category context
 */
export const Upstream: Context.Tag<Upstream, Upstream> =
  Context.GenericTag<Upstream>("@understudy/http/Upstream")

/**
 * The port over any `HttpClient` of `@effect/platform`. The client must not follow redirects or retry. Requests carry
 * no trace context and have no client span.
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
export const layerHttpClient: Layer.Layer<Upstream, never, HttpClient.HttpClient> =
  /* @__PURE__ */ Layer.effect(
    Upstream,
    /* @__PURE__ */ Effect.map(HttpClient.HttpClient, (client): Upstream => {
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
              // A client that takes only some statuses has an answer all the same, and a provider has to read it.
              Effect.catchTag("ResponseError", (error) =>
                error.reason === "StatusCode" ? Effect.succeed(error.response) : Effect.fail(error)
              ),
              Effect.mapError((error) => transportError(error.cause)),
              Effect.flatMap(({ headers, status, stream }) =>
                respond({
                  status,
                  headers,
                  body: Stream.mapError(stream, (error) => transportError(error.cause))
                })
              )
            )
        }
      }
    })
  )

/**
 * The port over the platform's `fetch`, which is told not to follow redirects, since those would receive the key.
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
export const layerFetch: Layer.Layer<Upstream> = /* @__PURE__ */ Layer.provide(
  layerHttpClient,
  // It is the client that requires it.
  /* @__PURE__ */ Layer.provide(
    FetchHttpClient.layer,
    /* @__PURE__ */ Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" })
  )
)

/**
 * Extracts the reason from what a platform threw, searching its causes for a code.
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
  const reason = code !== undefined && tlsCode.test(code) ? "tls" : "connection"
  return stackless(() => new TransportError({ reason, code }))
}

const tlsCode = /^ERR_TLS|^ERR_SSL|CERT|^UNABLE_TO_|SELF_SIGNED|^HOSTNAME_MISMATCH$/
