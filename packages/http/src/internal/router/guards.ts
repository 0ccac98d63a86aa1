import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Admission from "../../Admission.ts"
import type { Callers } from "../../Callers.ts"
import type { Request, Response } from "../../OpenAiRouter.ts"
import { asBearer } from "./basic.ts"
import { overloaded, refusal, withHeaders } from "./responses.ts"

/** The handler of a path; `parameter` is the variable part of the path. */
export type Endpoint = (
  request: Request,
  requestId: string,
  parameter?: string
) => Effect.Effect<Response, never, Scope.Scope>

export const authorized =
  (callers: Callers, endpoint: Endpoint): Endpoint =>
  (request, requestId, parameter) =>
    Effect.flatMap(callers.admits(request.headers["authorization"]), (admitted) =>
      admitted
        ? endpoint(request, requestId, parameter)
        : Effect.succeed(
            refusal(401, "invalid_api_key", "Send a valid key as `Authorization: Bearer <key>`.")
          )
    )

export const forMethod =
  (method: keyof typeof allowed, endpoint: Endpoint): Endpoint =>
  (request, requestId, parameter) =>
    allowed[method].includes(request.method)
      ? endpoint(request, requestId, parameter)
      : Effect.succeed(
          withHeaders(refusal(405, "method_not_allowed", `Use ${method} for this path.`), {
            allow: allowed[method].join(", ")
          })
        )

/** A server sends only the head of an answer to `HEAD`. */
const allowed = { GET: ["GET", "HEAD"], POST: ["POST"] }

export const within =
  ({ enter }: Admission.Admission, endpoint: Endpoint): Endpoint =>
  (request, requestId, parameter) =>
    Effect.flatMap(enter, (admitted) =>
      admitted ? endpoint(request, requestId, parameter) : Effect.succeed(overloaded)
    )

export const shown = (callers: Callers, page: (request: Request) => Effect.Effect<Response>): Endpoint => {
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
