/**
 * The server side of OpenAI's protocol: one request in, one response out, in a form that any server can adapt.
 *
 * @since 0.1.0
 */

import * as Headers from "@effect/platform/Headers"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpTraceContext from "@effect/platform/HttpTraceContext"
import type * as Attempt from "@understudy/core/Attempt"
import * as Policy from "@understudy/core/Policy"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as DefaultServices from "effect/DefaultServices"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Admission from "./Admission.ts"
import type { Callers } from "./Callers.ts"
import { readRequest } from "./ChatCompletion.ts"
import { answerStream, answerWhole } from "./internal/router/answers.ts"
import * as failure from "./internal/router/failure.ts"
import { authorized, type Endpoint, forMethod, shown, within } from "./internal/router/guards.ts"
import * as httpApp from "./internal/router/httpApp.ts"
import {
  internalError,
  json,
  refusal,
  servesOther,
  unknownRoute,
  withHeaders
} from "./internal/router/responses.ts"
import type { Route } from "./Route.ts"

/**
 * A request, independent of the server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly method: string
  /** As in the request line, including the query. */
  readonly path: string
  /** Names are in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Effect.Effect<Uint8Array, BodyTooLarge>
}

/**
 * A request body above the limit.
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
 * A response, independent of the server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The whole body, or an effect that returns its next bytes, and `undefined` after the last. */
  readonly body: Uint8Array | Effect.Effect<Uint8Array | undefined>
  /** Sent last by a server that has to cut off a streamed body, to say that it is incomplete. */
  readonly farewell?: Uint8Array | undefined
}

export { refusal } from "./internal/router/responses.ts"

/**
 * Answers one request. The scope must stay open until the response's body has been sent or the caller has left; closing
 * it closes the upstream connection.
 *
 * @since 0.1.0
 * @category models
 */
export type Handler = (request: Request) => Effect.Effect<Response, never, Scope.Scope>

/**
 * The routes of chat completions, embeddings, models and health, each also without `/v1`; everything else is a 404 in
 * OpenAI's error envelope. `HEAD` gets the same response as `GET`; the server omits the body.
 *
 * - `onEvent` receives the events of every run, with the `x-request-id` of its caller.
 * - `onDefect` hears, with the same id, of what is answered with a 500 and is in no event: a bug outside of any
 *   attempt. Its message may quote a request.
 * - `admission` limits the runs in flight, from before their body is read until their answer is sent. Default:
 *   unlimited. A request that is turned away gets a 503 `overloaded` with `retry-after: 1`.
 * - `pages` serves `GET` and `HEAD` at additional paths, for the same callers. A browser prompts for the key and sends
 *   it as the password of `Basic`, which is accepted nowhere else.
 * - `ready` says whether the server still accepts requests. Default: always.
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
  readonly onDefect?: ((requestId: string, cause: Cause.Cause<unknown>) => void) | undefined
  readonly pages?: Readonly<Record<string, (request: Request) => Effect.Effect<Response>>> | undefined
  readonly ready?: Effect.Effect<boolean> | undefined
}): Handler => {
  const {
    admission = Admission.unbounded,
    callers,
    onDefect = () => {},
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
      Effect.matchEffect(request.body, {
        onFailure: ({ message }) => Effect.succeed(refusal(413, "request_too_large", `${message}.`)),
        onSuccess: (body) => {
          const chat = readRequest(body)
          if (Either.isLeft(chat)) {
            return Effect.succeed(refusal(400, chat.left.code, chat.left.message, chat.left.param))
          }
          const route = routes.get(chat.right.model)
          if (route === undefined) return Effect.succeed(unknownRoute)
          if (route.serves !== serves) return Effect.succeed(servesOther[route.serves])
          const timeout = callersTimeout(request.headers["x-understudy-timeout"])
          if (Either.isLeft(timeout)) return Effect.succeed(refusal(400, "invalid_timeout", timeout.left))

          const attempts: Array<Attempt.Attempt<unknown>> = []
          const listener = (event: Attempt.Event): void => {
            if (event._tag === "AttemptEnded") attempts.push(event.attempt)
            onEvent(requestId, event)
          }
          const run = serves === "chat" && chat.right.stream ? answerStream : answerWhole
          const otherwise = (cause: Cause.Cause<unknown>): Effect.Effect<Response> => {
            if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
            const isTold = attempts.some(({ errorType }) => errorType === "defect")
            if (Cause.isDie(cause) && !isTold) onDefect(requestId, cause)
            return Effect.succeed(
              withHeaders(failure.response(route.name, attempts, cause), {
                "x-understudy-attempts": String(attempts.length)
              })
            )
          }
          const answer = run(route, chat.right, { timeout: timeout.right, listener, otherwise })
          return withCallersTrace(answer, request)
        }
      })

  const endpoints: ReadonlyArray<readonly [RegExp, Endpoint]> = [
    [
      /^(?:\/v1)?\/chat\/completions$/,
      forMethod("POST", authorized(callers, within(admission, runs("chat"))))
    ],
    [
      /^(?:\/v1)?\/embeddings$/,
      forMethod("POST", authorized(callers, within(admission, runs("embeddings"))))
    ],
    [/^(?:\/v1)?\/models$/, forMethod("GET", authorized(callers, models))],
    [/^(?:\/v1)?\/models\/(.+)$/, forMethod("GET", authorized(callers, oneModel))],
    [/^\/health\/live$/, forMethod("GET", live)],
    [/^\/health\/ready$/, forMethod("GET", isReady)]
  ]

  const dispatch: Endpoint = (request, requestId) => {
    const path = decodePath(request.path)
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined
    if (page !== undefined) return forMethod("GET", shown(callers, page))(request, requestId)
    for (const [pattern, endpoint] of endpoints) {
      const match = pattern.exec(path)
      if (match !== null) return endpoint(request, requestId, match[1])
    }
    return Effect.succeed(refusal(404, "not_found", "There is nothing at this path."))
  }

  return (request) =>
    Effect.flatMap(newRequestId, (requestId) => {
      const named = (response: Response) =>
        Effect.succeed(withHeaders(response, { "x-request-id": requestId }))
      return Effect.matchCauseEffect(
        Effect.suspend(() => dispatch(request, requestId)),
        {
          onSuccess: named,
          onFailure: (cause) => {
            if (!Cause.isDie(cause)) return Effect.failCause(cause)
            onDefect(requestId, cause)
            return named(internalError)
          }
        }
      )
    })
}

/**
 * {@link make} as an `HttpApp` of `@effect/platform`, to be mounted in an application's own server, below any path: the
 * router sees the rest of the path.
 *
 * The parent of a run is the span of the server if that belongs to the caller's trace, as the span of an `HttpServer` does,
 * and the caller's span otherwise.
 *
 * A body of more than `maxBody` bytes, by default 16 MB, is refused with 413 and not read to its end. Anything else,
 * such as draining before the process ends, is up to the server.
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

const callersTimeout = (header: string | undefined): Either.Either<Duration.Duration | undefined, string> =>
  header === undefined
    ? Either.right(undefined)
    : Either.mapLeft(
        Schema.decodeUnknownEither(Policy.DurationText)(header),
        () => "x-understudy-timeout: expected a duration such as 5s."
      )

const withCallersTrace = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  { headers }: Request
): Effect.Effect<A, E, R> =>
  headers["traceparent"] === undefined
    ? effect
    : Option.match(HttpTraceContext.w3c(Headers.fromInput(headers)), {
        onNone: () => effect,
        onSome: (caller) =>
          Effect.flatMap(Effect.option(Effect.currentParentSpan), (current) =>
            // The span of a server that has continued the caller's trace lies between the two.
            Option.exists(current, ({ traceId }) => traceId === caller.traceId)
              ? effect
              : (Effect.withParentSpan(effect, caller) as Effect.Effect<A, E, R>)
          )
      })

const anyAvailable = (routes: ReadonlyArray<Route>): Effect.Effect<boolean> =>
  Effect.map(
    Effect.forEach(routes, (route) => route.available),
    (available) => available.length === 0 || available.includes(true)
  )

const decodePath = (path: string): string => {
  if (!/[?%]/.test(path)) return path
  const [raw = ""] = path.split("?")
  try {
    return decodeURIComponent(raw)
  } catch {
    return raw
  }
}

const model = (route: Route) => ({ id: route.name, object: "model", created: 0, owned_by: "understudy" })

const newRequestId = Effect.withFiberRuntime<string>((fiber) => {
  const random = Context.get(fiber.getFiberRef(DefaultServices.currentServices), Random.Random)
  const half = random.nextIntBetween(0, 2 ** 32)
  return Effect.flatMap(half, (first) =>
    // Joined into one flat string, since a template keeps its parts in memory.
    Effect.map(half, (second) => ["req_", hex(first), hex(second)].join(""))
  )
})

const hex = (value: number): string => value.toString(16).padStart(8, "0")
