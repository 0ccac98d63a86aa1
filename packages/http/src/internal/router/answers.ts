import type * as Attempt from "@understudy/core/Attempt"
import * as Fallback from "@understudy/core/Fallback"
import * as FallbackStream from "@understudy/core/FallbackStream"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { ChatRequest } from "../../ChatCompletion.ts"
import type { Response } from "../../OpenAiRouter.ts"
import type { Answer, Part } from "../../Provider.ts"
import type { Route } from "../../Route.ts"
import * as Sse from "../../Sse.ts"
import { concat } from "../bytes/bytes.ts"
import * as Utf8 from "../bytes/utf8.ts"
import * as envelope from "./envelope.ts"

/** Additional parameters of an answer. */
interface Asked {
  readonly timeout: Duration.Duration | undefined
  readonly listener: (event: Attempt.Event) => void
  /** The answer if no tier has one. */
  readonly otherwise: (cause: Cause.Cause<unknown>) => Effect.Effect<Response>
}

export const answerWhole = (
  route: Route,
  request: ChatRequest,
  { listener, otherwise, timeout }: Asked
): Effect.Effect<Response> => {
  const run = route.complete(request)
  return Effect.matchCauseEffect(
    Fallback.served(timeout === undefined ? run : Fallback.within(run, timeout), { listener }),
    { onSuccess: whole, onFailure: otherwise }
  )
}

const whole = (served: Fallback.Served<Answer, unknown>): Effect.Effect<Response> =>
  Effect.succeed({
    status: 200,
    headers: servedBy(served, { "content-type": "application/json" }),
    body: served.value.body
  })

export const answerStream = (
  route: Route,
  request: ChatRequest,
  { listener, otherwise, timeout }: Asked
): Effect.Effect<Response, never, Scope.Scope> => {
  const run = route.stream(request)
  return Effect.matchCauseEffect(
    FallbackStream.pulled(timeout === undefined ? run : FallbackStream.within(run, timeout), { listener }),
    { onSuccess: streamed, onFailure: otherwise }
  )
}

const streamed = (
  served: Fallback.Served<FallbackStream.Pull<Part, unknown>, unknown>
): Effect.Effect<Response> =>
  Effect.succeed({
    status: 200,
    headers: servedBy(served, {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no"
    }),
    farewell: interrupted,
    body: bytesOf(served.value)
  })

const bytesOf = <E>(parts: FallbackStream.Pull<Part, E>): Effect.Effect<Uint8Array | undefined> => {
  let said = false
  return Effect.matchCauseEffect(parts, {
    onSuccess: (parts) => Effect.succeed(concat(Chunk.toReadonlyArray(parts).map(({ bytes }) => bytes))),
    onFailure: (cause) => {
      if (said || isEnd(cause)) return Effect.succeed(undefined)
      said = true
      // The status has been sent already, so only an event can say that the answer is incomplete.
      return Effect.succeed(interrupted)
    }
  })
}

const isEnd = <E>(cause: Cause.Cause<Option.Option<E>>): boolean =>
  Option.exists(Cause.failureOption(cause), Option.isNone)

const interrupted = Sse.data(
  Utf8.decode(
    envelope.encode({
      message: "The answer was cut short after it had begun.",
      type: "upstream_error",
      code: "stream_interrupted"
    })
  )
)

const servedBy = (
  served: Fallback.Served<unknown, unknown>,
  headers: Record<string, string>
): Record<string, string> => {
  // Set one by one: adding to a spread object takes V8 many times as long.
  headers["x-understudy-tier"] = headerText(served.tier)
  headers["x-understudy-model"] = headerText(served.labels["model"] ?? "")
  headers["x-understudy-attempts"] = String(served.attempts.length)
  return headers
}

// Header values are Latin-1; names from a file need not be.
const headerText = (text: string): string =>
  /^[\x20-\x7e]*$/.test(text) ? text : text.replace(/[^\x20-\x7e]/gu, encodeURIComponent)
