import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { BodyTooLarge, type Handler, type Response } from "../../OpenAiRouter.ts"
import { collect, reading } from "../bytes/bytes.ts"

export const toHttpApp = (
  handler: Handler,
  { maxBody = 16_000_000 }: { readonly maxBody?: number | undefined } = {}
): HttpApp.Default<never, Scope.Scope> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const { headers, method, url: path } = request
    const response = handler({ method, path, headers, body: read(request, maxBody) })
    // Servers run an app uninterruptibly, so that it would not notice a caller that disconnects.
    return Effect.map(Effect.interruptible(response), toResponse)
  })

const read = (
  { headers, stream }: HttpServerRequest.HttpServerRequest,
  maxBody: number
): Effect.Effect<Uint8Array, BodyTooLarge> => {
  const tooLarge = Effect.suspend(() => new BodyTooLarge({ maxBody }))
  return Number(headers["content-length"] ?? 0) > maxBody
    ? tooLarge
    : // No body, or one that has broken off, is an error of the stream. What there is of it is not JSON.
      Effect.scoped(
        Effect.flatMap(reading(Stream.catchAll(stream, () => Stream.empty)), (read) =>
          collect(read, maxBody, tooLarge)
        )
      )
}

const toResponse = ({ body, headers, status }: Response): HttpServerResponse.HttpServerResponse => {
  const options = { status, headers, contentType: headers["content-type"] }
  return body instanceof Uint8Array
    ? HttpServerResponse.uint8Array(body, options)
    : HttpServerResponse.stream(Stream.repeatEffectOption(Effect.flatMap(body, nextOrEnd)), options)
}

const nextOrEnd = (bytes: Uint8Array | undefined): Effect.Effect<Uint8Array, Option.Option<never>> =>
  bytes === undefined ? Effect.fail(Option.none()) : Effect.succeed(bytes)
