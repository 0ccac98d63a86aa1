/**
 * The server side of OpenAI's protocol: one request in, one response out, in a shape that any server can adapt.
 *
 * @since 0.1.0
 */

import * as Headers from "@effect/platform/Headers"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpTraceContext from "@effect/platform/HttpTraceContext"
import * as Attempt from "@understudy/core/Attempt"
import * as Fallback from "@understudy/core/Fallback"
import * as FallbackStream from "@understudy/core/FallbackStream"
import * as Policy from "@understudy/core/Policy"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Admission from "./Admission.ts"
import type { Callers } from "./Callers.ts"
import { type ChatRequest, readRequest } from "./ChatCompletion.ts"
import * as Utf8 from "./internal/bytes/utf8.ts"
import { asBearer } from "./internal/router/basic.ts"
import * as envelope from "./internal/router/envelope.ts"
import * as failure from "./internal/router/failure.ts"
import * as httpApp from "./internal/router/httpApp.ts"
import type { Route } from "./Route.ts"
import * as Sse from "./Sse.ts"

/**
 * A request, of whatever server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly method: string
  /** As it stands in the request line, with its query. */
  readonly path: string
  /** Names are in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Effect.Effect<Uint8Array, BodyTooLarge>
}

/**
 * A body that nobody will read.
 *
 * @example
 * import { OpenAiRouter } from "@understudy/http"
 *
 * console.log(new OpenAiRouter.BodyTooLarge({ maxBody: 1000 }).message) // => the body is larger than 1000 bytes
 *
 * @since 0.1.0
 * @category errors
 */
export class BodyTooLarge extends Data.TaggedError("BodyTooLarge")<{ readonly maxBody: number }> {
  override get message(): string {
    return `the body is larger than ${this.maxBody} bytes`
  }
}

/**
 * A response, for whatever server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | Stream.Stream<Uint8Array>
  /** What a server that cannot let a streamed body go on to its end says last: that it is not whole. */
  readonly farewell?: Uint8Array | undefined
}

/**
 * A refusal in OpenAI's error envelope, which tells clients not to try again: for what a server turns down before
 * the router sees it.
 *
 * @example
 * import { OpenAiRouter } from "@understudy/http"
 *
 * const { body } = OpenAiRouter.refusal(431, "headers_too_large", "The headers are larger than 16 KiB.")
 *
 * console.log(JSON.parse(new TextDecoder().decode(body)).error.code) // => headers_too_large
 *
 * @since 0.1.0
 * @category constructors
 */
export const refusal = (
  status: number,
  code: string,
  message: string,
  param?: string | null
): Response & { readonly body: Uint8Array } => ({
  status,
  headers: { "content-type": "application/json", "x-should-retry": "false" },
  body: envelope.encode({
    message,
    code,
    type: status >= 500 ? "server_error" : "invalid_request_error",
    param: param ?? null
  })
})

/**
 * Answers one request. The scope must stay open until the response's body has been sent or the caller has left;
 * closing it closes the upstream's connection.
 *
 * @since 0.1.0
 * @category models
 */
export type Handler = (request: Request) => Effect.Effect<Response, never, Scope.Scope>

/**
 * The routes of chat completions, embeddings, models and health, each also without `/v1`; everything else is a 404 in
 * OpenAI's error envelope.
 *
 * - `onEvent` hears the events of every run, with the id the caller was given as `x-request-id`.
 * - `admission` bounds the runs that are under way at once, from before their body is read until their answer
 *   is sent. Default: no bound. Whoever is turned away gets a 503 `overloaded` with `retry-after: 1`.
 * - `pages` answers `GET` at paths of one's own, whoever may call the rest. A browser asks for the key and sends it as
 *   the password of `Basic`, which opens nothing else.
 * - `ready` says whether the server still takes requests; default: always.
 *
 * @example
 * import { Effect } from "effect"
 * import { Callers, OpenAiRouter } from "@understudy/http"
 *
 * const handle = OpenAiRouter.make({ routes: [], callers: Callers.anyone })
 * const request = { method: "GET", path: "/v1/models", headers: {}, body: Effect.succeed(new Uint8Array()) }
 * const { status } = await Effect.runPromise(Effect.scoped(handle(request)))
 *
 * console.log(status) // => 200
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly routes: ReadonlyArray<Route>
  readonly callers: Callers
  readonly admission?: Admission.Admission | undefined
  readonly onEvent?: ((requestId: string, event: Attempt.Event) => void) | undefined
  readonly pages?: Readonly<Record<string, (request: Request) => Effect.Effect<Response>>> | undefined
  readonly ready?: Effect.Effect<boolean> | undefined
}): Handler => {
  const {
    admission = Admission.unbounded,
    callers,
    onEvent = () => {},
    pages = {},
    ready = Effect.succeed(true)
  } = options
  const routes = new Map(options.routes.map((route) => [route.name, route]))

  const models: Endpoint = () =>
    Effect.succeed(json(200, { object: "list", data: options.routes.map(model) }))

  const oneModel: Endpoint = (_, __, id = "") => {
    const route = routes.get(id)
    return Effect.succeed(route === undefined ? unknownRoute : json(200, model(route)))
  }

  const live: Endpoint = () => Effect.succeed(json(200, { status: "ok" }))

  const isReady: Endpoint = () =>
    Effect.map(Effect.all([ready, anyAvailable(options.routes)]), ([accepting, available]) =>
      !accepting
        ? json(503, { status: "draining" })
        : available
          ? json(200, { status: "ok" })
          : json(503, { status: "every breaker is open" })
    )

  const runs =
    (serves: Route["serves"]): Endpoint =>
    (request, requestId) =>
      Effect.gen(function* () {
        const body = yield* Effect.either(request.body)
        if (Either.isLeft(body)) return refusal(413, "request_too_large", `${body.left.message}.`)
        const chat = readRequest(body.right)
        if (Either.isLeft(chat)) return refusal(400, chat.left.code, chat.left.message, chat.left.param)
        const route = routes.get(chat.right.model)
        if (route === undefined) return unknownRoute
        if (route.serves !== serves) return servesOther[route.serves]
        const timeout = callersTimeout(request.headers["x-understudy-timeout"])
        if (Either.isLeft(timeout)) return refusal(400, "invalid_timeout", timeout.left)

        const attempts: Array<Attempt.Attempt<unknown>> = []
        const run = serves === "chat" && chat.right.stream ? answerStream : answerWhole
        return yield* run(route, chat.right, timeout.right).pipe(
          Effect.catchAllCause((cause) =>
            Cause.isInterruptedOnly(cause)
              ? Effect.failCause(cause as Cause.Cause<never>)
              : Effect.succeed(
                  withHeaders(failure.response(route.name, attempts, cause), {
                    "x-understudy-attempts": String(attempts.length)
                  })
                )
          ),
          Effect.provideService(Attempt.Listener, (event) => {
            if (event._tag === "AttemptEnded") attempts.push(event.attempt)
            onEvent(requestId, event)
          }),
          withCallersTrace(request)
        )
      })

  const endpoints: ReadonlyArray<readonly [RegExp, string, Endpoint]> = [
    [/^(?:\/v1)?\/chat\/completions$/, "POST", authorized(callers, within(admission, runs("chat")))],
    [/^(?:\/v1)?\/embeddings$/, "POST", authorized(callers, within(admission, runs("embeddings")))],
    [/^(?:\/v1)?\/models$/, "GET", authorized(callers, models)],
    [/^(?:\/v1)?\/models\/(.+)$/, "GET", authorized(callers, oneModel)],
    [/^\/health\/live$/, "GET", live],
    [/^\/health\/ready$/, "GET", isReady]
  ]

  const dispatch: Endpoint = (request, requestId) => {
    const path = decodePath(request.path)
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined
    if (page !== undefined) return forMethod("GET", shown(callers, page))(request, requestId)
    for (const [pattern, method, endpoint] of endpoints) {
      const match = pattern.exec(path)
      if (match === null) continue
      return forMethod(method, endpoint)(request, requestId, match[1])
    }
    return Effect.succeed(refusal(404, "not_found", "There is nothing at this path."))
  }

  return (request) =>
    Effect.gen(function* () {
      const requestId = `req_${hex(yield* Random.nextIntBetween(0, 2 ** 32))}${hex(yield* Random.nextIntBetween(0, 2 ** 32))}`
      const response = yield* dispatch(request, requestId).pipe(
        Effect.catchAllDefect(() =>
          Effect.succeed(refusal(500, "internal_error", "The gateway failed to handle this request."))
        )
      )
      return withHeaders(response, { "x-request-id": requestId })
    })
}

/**
 * The same as an `HttpApp` of `@effect/platform`, to be mounted in an application's own server, below any path: what is
 * left of the path after it is what the router looks at.
 *
 * A body of more than `maxBody` bytes, by default 16 MB, is refused with 413 and not read to its end. What else an
 * upstream's answer needs, such as a drain before the process ends, is the server's.
 *
 * @example
 * import { HttpApp, HttpRouter } from "@effect/platform"
 * import { Effect } from "effect"
 * import { Callers, OpenAiRouter } from "@understudy/http"
 *
 * const router = OpenAiRouter.make({ routes: [], callers: Callers.anyone })
 * const app = HttpRouter.empty.pipe(HttpRouter.mountApp("/ai", OpenAiRouter.toHttpApp(router)))
 * const handle = HttpApp.toWebHandler(Effect.orDie(app))
 *
 * console.log((await handle(new Request("http://localhost/ai/v1/models"))).status) // => 200
 *
 * @since 0.1.0
 * @category conversions
 */
export const toHttpApp: (
  handler: Handler,
  options?: { readonly maxBody?: number | undefined }
) => HttpApp.Default<never, Scope.Scope> = httpApp.toHttpApp

type Endpoint = (
  request: Request,
  requestId: string,
  parameter?: string
) => Effect.Effect<Response, never, Scope.Scope>

const authorized =
  (callers: Callers, endpoint: Endpoint): Endpoint =>
  (request, requestId, parameter) =>
    Effect.flatMap(callers.admits(request.headers["authorization"]), (admitted) =>
      admitted
        ? endpoint(request, requestId, parameter)
        : Effect.succeed(
            refusal(401, "invalid_api_key", "Send a valid key as `Authorization: Bearer <key>`.")
          )
    )

const forMethod =
  (method: string, endpoint: Endpoint): Endpoint =>
  (request, requestId, parameter) =>
    request.method === method
      ? endpoint(request, requestId, parameter)
      : Effect.succeed(
          withHeaders(refusal(405, "method_not_allowed", `Use ${method} for this path.`), { allow: method })
        )

const within =
  ({ enter }: Admission.Admission, endpoint: Endpoint): Endpoint =>
  (request, requestId, parameter) =>
    Effect.flatMap(enter, (admitted) =>
      admitted ? endpoint(request, requestId, parameter) : Effect.succeed(overloaded)
    )

const shown = (callers: Callers, page: (request: Request) => Effect.Effect<Response>): Endpoint => {
  const endpoint = authorized(callers, page)
  return (request, requestId) => {
    const authorization = asBearer(request.headers["authorization"])
    return Effect.map(
      endpoint({ ...request, headers: { ...request.headers, authorization } }, requestId),
      (response) => (response.status === 401 ? withHeaders(response, askForKey) : response)
    )
  }
}

const askForKey = { "www-authenticate": 'Basic realm="understudy", charset="UTF-8"' }

const answerWhole = (route: Route, request: ChatRequest, timeout: Duration.Duration) =>
  Effect.map(
    Fallback.served(Fallback.within(route.complete(request), timeout)),
    (served): Response => ({
      status: 200,
      headers: { "content-type": "application/json", ...servedBy(served) },
      body: served.value.body
    })
  )

const answerStream = (route: Route, request: ChatRequest, timeout: Duration.Duration) =>
  Effect.map(
    FallbackStream.served(FallbackStream.within(route.stream(request), timeout)),
    (served): Response => ({
      status: 200,
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
        ...servedBy(served)
      },
      farewell: interrupted,
      body: served.value.pipe(
        Stream.map((part) => part.bytes),
        // The status is sent already: only an event can say that the answer is not whole.
        Stream.catchAllCause((cause) =>
          Cause.isInterruptedOnly(cause) ? Stream.empty : Stream.make(interrupted)
        )
      )
    })
  )

const interrupted = Sse.data(
  Utf8.decode(
    envelope.encode({
      message: "The answer was cut short after it had begun.",
      type: "upstream_error",
      code: "stream_interrupted"
    })
  )
)

const servedBy = (served: Fallback.Served<unknown, unknown>): Record<string, string> => ({
  "x-understudy-tier": headerText(served.tier),
  "x-understudy-model": headerText(served.labels["model"] ?? ""),
  "x-understudy-attempts": String(served.attempts.length)
})

const callersTimeout = (header: string | undefined): Either.Either<Duration.Duration, string> =>
  header === undefined
    ? Either.right(Duration.infinity)
    : Either.mapLeft(
        Schema.decodeUnknownEither(Policy.DurationText)(header),
        () => "x-understudy-timeout: expected a duration such as 5s."
      )

const withCallersTrace =
  (request: Request) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    request.headers["traceparent"] === undefined
      ? effect
      : Option.match(HttpTraceContext.w3c(Headers.fromInput(request.headers)), {
          onNone: () => effect,
          onSome: (parent) => Effect.withParentSpan(effect, parent) as Effect.Effect<A, E, R>
        })

const anyAvailable = (routes: ReadonlyArray<Route>): Effect.Effect<boolean> =>
  Effect.map(
    Effect.forEach(routes, (route) => route.available),
    (available) => available.length === 0 || available.includes(true)
  )

const decodePath = (path: string): string => {
  const [raw = ""] = path.split("?")
  try {
    return decodeURIComponent(raw)
  } catch {
    return raw
  }
}

const model = (route: Route) => ({ id: route.name, object: "model", created: 0, owned_by: "understudy" })

const json = (status: number, body: object): Response => ({
  status,
  headers: { "content-type": "application/json" },
  body: Utf8.encode(JSON.stringify(body))
})

const overloaded: Response = {
  ...refusal(503, "overloaded", "The gateway has as many requests under way as it may."),
  headers: { "content-type": "application/json", "retry-after": "1" }
}

const unknownRoute = refusal(
  404,
  "model_not_found",
  "No route has this name; GET /v1/models lists them.",
  "model"
)

const servesOther = {
  chat: refusal(
    404,
    "model_not_found",
    "This route makes no embeddings; POST /v1/chat/completions.",
    "model"
  ),
  embeddings: refusal(
    404,
    "model_not_found",
    "This route makes embeddings alone; POST /v1/embeddings.",
    "model"
  )
}

const withHeaders = (response: Response, headers: Record<string, string>): Response => ({
  ...response,
  headers: { ...response.headers, ...headers }
})

// Header values are Latin-1; names from a file need not be.
const headerText = (text: string): string => text.replace(/[^\x20-\x7e]/gu, encodeURIComponent)

const hex = (value: number): string => value.toString(16).padStart(8, "0")
