import type { Response } from "../../OpenAiRouter.ts"
import * as Utf8 from "../bytes/utf8.ts"
import * as envelope from "./envelope.ts"

export const json = (status: number, body: object): Response => ({
  status,
  headers: { "content-type": "application/json" },
  body: Utf8.encode(JSON.stringify(body))
})

/**
 * A refusal in OpenAI's error envelope that tells clients not to retry, for requests that a server rejects before the
 * router sees them.
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

export const withHeaders = (response: Response, more: Record<string, string>): Response => {
  const { body, farewell, status } = response
  const headers: Record<string, string> = {}
  for (const name in response.headers) headers[name] = response.headers[name] as string
  for (const name in more) headers[name] = more[name] as string
  return { status, headers, body, farewell }
}

export const overloaded: Response = {
  ...refusal(503, "overloaded", "The gateway has as many requests under way as it may."),
  headers: { "content-type": "application/json", "retry-after": "1" }
}

export const internalError = refusal(500, "internal_error", "The gateway failed to handle this request.")

export const unknownRoute = refusal(
  404,
  "model_not_found",
  "No route has this name; GET /v1/models lists them.",
  "model"
)

export const servesOther = {
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
