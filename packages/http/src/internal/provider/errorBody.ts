import * as Json from "../bytes/json.ts"
import * as Utf8 from "../bytes/utf8.ts"

/** The contents of an error body, in any known envelope. */
export interface ErrorBody {
  /** The provider's machine-readable words, in lower case. None come from the caller. */
  readonly codes: ReadonlyArray<string>
  /** The message, or the whole body if it is not JSON. It may quote the caller. */
  readonly text: string
  /** An HTTP status that the body names. */
  readonly status: number | undefined
  /** Google's `RetryInfo.retryDelay`. */
  readonly retryDelay: string | undefined
}

/**
 * Reads only the known places: OpenAI's and Anthropic's `error`, Google's array of it, Mistral's and FastAPI's bare
 * fields, OpenRouter's error inside a choice. A body can quote the request, whose author must not be able to fake an
 * exhausted quota.
 */
export const read = (body: string): ErrorBody => {
  const json = Json.parse(Utf8.withoutMark(body))
  const top = Json.asObject<Fields | "error" | "choices">(Array.isArray(json) ? json[0] : json)
  if (top === undefined) return { codes: [], text: cut(body), status: undefined, retryDelay: undefined }
  const choices = asObjects<"error" | "finish_reason">(top.choices)
  const failedChoice = choices.find(({ error }) => Json.asObject(error) !== undefined)
  const error = Json.asObject<Fields>(top.error) ?? Json.asObject<Fields>(failedChoice?.error) ?? top
  const details = asObjects<"@type" | "reason" | "retryDelay" | "violations">(error.details)
  const metadata = Json.asObject<"error_type" | "limit_source">(error.metadata)
  return {
    codes: [
      error.code,
      error.type,
      error.status,
      top.code,
      top.type,
      Json.asObject<"code">(error.innererror)?.code,
      Json.asObject<"error_code">(error.details)?.error_code,
      metadata?.error_type,
      metadata?.limit_source,
      ...Object.keys(metadata ?? {}),
      ...choices.map((choice) => choice.finish_reason),
      ...details.flatMap((detail) => [detail["@type"], detail.reason]),
      ...details.flatMap(({ violations }) => asObjects<"quotaId">(violations).map(({ quotaId }) => quotaId))
    ].flatMap((code) =>
      typeof code === "string" || typeof code === "number" ? [String(code).toLowerCase()] : []
    ),
    text: cut(
      [error.message, top.error, top.message, top.detail].find((text) => typeof text === "string") ?? ""
    ),
    status: asStatus(error.code),
    retryDelay: details.map(({ retryDelay }) => retryDelay).find((delay) => typeof delay === "string")
  }
}

/** Whether an answer is really an error. */
export const isError = (json: unknown): boolean => {
  // Gemini wraps its errors in an array.
  const top = Json.asObject<"error" | "object">(Array.isArray(json) ? json[0] : json)
  return Json.isGiven(top?.error) || top?.object === "error"
}

type Fields = "code" | "type" | "status" | "message" | "detail" | "details" | "innererror" | "metadata"

const cut = (text: string): string => text.slice(0, 64 * 1024)

const asObjects = <Field extends string>(value: unknown): ReadonlyArray<Json.Loose<Field>> =>
  Array.isArray(value) ? value.flatMap((item) => Json.asObject<Field>(item) ?? []) : []

const asStatus = (code: unknown): number | undefined => {
  const status = typeof code === "string" ? Number(code) : code
  return typeof status === "number" && Number.isInteger(status) && status >= 400 && status <= 599
    ? status
    : undefined
}
