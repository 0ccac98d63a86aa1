import * as Redacted from "effect/Redacted"
import * as ErrorTable from "../../ErrorTable.ts"
import * as ProviderError from "../../ProviderError.ts"
import * as Json from "../bytes/json.ts"
import * as Utf8 from "../bytes/utf8.ts"
import * as Envelope from "../router/envelope.ts"
import type { Refusal } from "./fields.ts"

/** A request that this provider does not support; the caller gets this answer if no other tier does. */
export const unsupported = ({ message, param }: Refusal): ProviderError.ProviderError =>
  ProviderError.make({
    kind: "unsupported",
    answer: answer(400, { message, param, type: "invalid_request_error", code: "unsupported_parameter" })
  })

/** Classifies an error by these rows and the table, and translates it into OpenAI's envelope. */
export const classify =
  (own: ReadonlyArray<ErrorTable.Row> = []) =>
  (response: ErrorTable.Response, nowMillis: number): ProviderError.ProviderError => {
    const error = ErrorTable.classify(response, nowMillis, [...own, ...rows])
    if (error.answer === undefined) return error
    const said = Json.asObject<"error">(Json.parse(Utf8.decode(response.body)))
    const { details, message, type } = Json.asObject<"type" | "message" | "details">(said?.error) ?? {}
    const { error_code } = Json.asObject<"error_code">(details) ?? {}
    return ProviderError.make({
      kind: error.kind,
      status: error.status,
      retryAfter: error.retryAfter,
      retry: error.retry,
      answer: answer(Redacted.value(error.answer).status, {
        message: typeof message === "string" ? message : "The provider did not say what is wrong.",
        type: typeof type === "string" ? type : "api_error",
        code: codes[error.kind] ?? (typeof error_code === "string" ? error_code : null)
      })
    })
  }

/** Parameters that this model or version does not accept, but others do. */
const rows: ReadonlyArray<ErrorTable.Row> = [
  {
    name: "Anthropic: not with this model, or not at all",
    kind: "unsupported",
    status: [400],
    text: /\b(does not|doesn't) support\b|\bnot supported\b|(deprecated|be specified) for this model/i
  },
  {
    name: "Anthropic: a schema, field, number of tokens or end of a conversation that others take",
    kind: "unsupported",
    status: [400],
    text: /^output_(config|format)\b|extra inputs are not permitted|final assistant content cannot end with|maximum allowed number of output tokens|expected `thinking`/i
  }
]

const codes: { readonly [_ in ProviderError.Kind]?: string } = {
  context_length: "context_length_exceeded",
  request_too_large: "request_too_large",
  model_not_found: "model_not_found",
  unsupported: "unsupported_parameter"
}

const answer = (
  status: number,
  envelope: Envelope.Envelope
): Redacted.Redacted<ProviderError.UpstreamAnswer> =>
  Redacted.make({ status, contentType: "application/json", body: Envelope.encode(envelope) })
