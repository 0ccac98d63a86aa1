/**
 * The meaning of providers' errors, as one table.
 *
 * Providers report the same failure in many ways, and different failures with the same status; so the body takes
 * precedence over the status.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Utf8 from "./internal/bytes/utf8.ts"
import * as ErrorBody from "./internal/provider/errorBody.ts"
import { untilReset, waitAsked } from "./internal/provider/waitAsked.ts"
import * as ProviderError from "./ProviderError.ts"

/**
 * A row of the table. It matches if the status matches and, if it has `code` or `text`, one of those as well.
 *
 * @since 0.1.0
 * @category models
 */
export interface Row {
  /** The case and provider it describes. */
  readonly name: string
  readonly kind: ProviderError.Kind
  /** Statuses, or classes such as `5` for 5xx. Default: any. */
  readonly status?: ReadonlyArray<number> | undefined
  /** Tested against each machine-readable word of the body (code, type, reason and the like), in lower case. */
  readonly code?: RegExp | undefined
  /**
   * Tested against the body's message, which may quote the caller. A row that opens a breaker should use `code`
   * instead, or a caller could open it for everybody.
   */
  readonly text?: RegExp | undefined
  /** `false` for a failure that retrying the same tier does not fix. */
  readonly retry?: boolean | undefined
}

/**
 * The rows of {@link classify}; the first match wins.
 *
 * Sources: the error references of OpenAI, Azure, Anthropic, Google, Mistral, Groq, Together and OpenRouter, the
 * servers of vLLM, llama.cpp and Ollama, Cloudflare.
 *
 * @example
 * import { ErrorTable } from "@understudy/http"
 *
 * console.log(ErrorTable.table.find(({ name }) => name === "409")?.kind) // => conflict
 *
 * @since 0.1.0
 * @category table
 */
// biome-ignore format: a table
export const table: ReadonlyArray<Row> = [
  // Money. Messages are considered only with a status that a caller's own mistake cannot cause.
  { name: "OpenRouter: too many requests in flight", kind: "rate_limited", status: [402], code: /^openrouter_in_flight_budget$/ },
  { name: "quota or credit used up", kind: "quota_exhausted", code: /^(insufficient_quota|credit_balance_.*|billing_.*|.*spend_limit.*)$/ },
  { name: "Google: daily quota used up", kind: "quota_exhausted", status: [429], code: /perday/ },
  { name: "Google: quota per minute", kind: "rate_limited", status: [429], code: /google\.rpc\.retryinfo$/ },
  { name: "message: quota or credit used up", kind: "quota_exhausted", status: [402, 403, 429], text: /exceeded your current quota|credit balance is too low/i },
  { name: "Anthropic: credit balance too low", kind: "quota_exhausted", status: [400], text: /^your credit balance is too low/i },

  // Size. An ordinary rate limit says "Limit 9, Used 8, Requested 2"; one that can never be met omits "Used".
  { name: "larger than the rate limit", kind: "request_too_large", status: [413, 429], text: /request too large|limit:? \d{1,12},? requested:? \d|^extra usage is required for long context/i },
  { name: "context length", kind: "context_length", code: /context_length|exceed_context|max_prompt_tokens/ },
  { name: "message: context length", kind: "context_length", status: [2, 400, 403, 413, 422, 5], text: /maximum (context|prompt) length|context (length|window|size)|(prompt|input) is too long|input token.{0,60}exceed|exceed.{0,30}context|`?inputs`? tokens \+/i },

  // Policy.
  { name: "content policy", kind: "content_policy", code: /^(content_filter|content_policy_violation|invalid_prompt|responsibleaipolicyviolation|data_inspection_failed)$/ },
  { name: "OpenRouter: moderation", kind: "content_policy", status: [403], code: /^(reasons|flagged_input)$/ },
  { name: "Azure: message of the content filter", kind: "content_policy", status: [400], text: /content management policy/i },
  { name: "xAI: message of its usage guidelines", kind: "content_policy", status: [400, 403], text: /^content violates usage guidelines/i },

  // Model and key.
  { name: "model not found", kind: "model_not_found", code: /^(model_not_found|deploymentnotfound|model_decommissioned|model_permission_blocked_.*)$/ },
  { name: "key or permission", kind: "auth", code: /^(invalid_api_key|api_key_invalid|authentication_error|permission_error|permission_?denied|unsupported_country_region_territory)$/ },
  { name: "Google: message of a bad key", kind: "auth", status: [400], text: /^api key not valid/i },

  // Capacity, and a model that stopped in the middle.
  { name: "overloaded", kind: "overloaded", code: /^(server_is_overloaded|overloaded(_error)?|service_unavailable_error|unavailable(_error)?|provider_unavailable|nocapacity|capacity_exceeded|3505)$/ },
  { name: "message: overloaded", kind: "overloaded", status: [429, 5], text: /service tier capacity exceeded|experiencing high demand|overloaded/i },
  { name: "Groq: the model's tool call or JSON is broken", kind: "invalid_output", status: [400], code: /^(tool_use_failed|json_validate_failed)$/ },
  { name: "Gemini: the model's tool call is broken", kind: "invalid_output", status: [2], code: /^function_call_filter\b/ },

  // An error with status 200 whose body names no status.
  { name: "200: rate limit", kind: "rate_limited", status: [2], code: /^(rate_limit.*|rate_limited|slow_down|resource_exhausted)$/ },
  { name: "200: invalid request", kind: "invalid_request", status: [2], code: /^(invalid_request_error|badrequesterror|invalid_argument)$/ },
  { name: "200: server error", kind: "server_error", status: [2], code: /^(server_error|api_error|internal|internal_?server_?error|timeout_error)$/ },
  { name: "200: any other error", kind: "stream_error", status: [2] },

  // By status alone.
  { name: "3xx", kind: "redirect", status: [3] },
  // It looks at what the request says, and knows nothing of our key.
  { name: "a firewall's page", kind: "server_error", status: [403], text: /^\s*<(!doctype|html)/i, retry: false },
  { name: "401, 403", kind: "auth", status: [401, 403] },
  { name: "402", kind: "quota_exhausted", status: [402] },
  { name: "404, 410", kind: "model_not_found", status: [404, 410] },
  { name: "408, 504", kind: "upstream_timeout", status: [408, 504] },
  { name: "409", kind: "conflict", status: [409] },
  { name: "413", kind: "request_too_large", status: [413] },
  { name: "424 of Groq and Azure: a dependency failed", kind: "failed_dependency", status: [424] },
  { name: "429", kind: "rate_limited", status: [429] },
  { name: "498 of Groq, 503, 529", kind: "overloaded", status: [498, 503, 529] },
  { name: "other 4xx", kind: "invalid_request", status: [4] },
  { name: "501", kind: "unsupported", status: [501] },
  { name: "524 of Cloudflare: no answer in 100 s", kind: "upstream_timeout", status: [524], retry: false },
  { name: "525, 526 of Cloudflare", kind: "tls", status: [525, 526] },
  { name: "other 5xx", kind: "server_error", status: [5] },
  { name: "no status that HTTP knows", kind: "invalid_answer" }
]

/**
 * An answer that is no completion, or the error inside one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Response {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/**
 * Finds the first row that matches, in `rows` and then in {@link table}. `nowMillis` is the wall-clock time, for a
 * `Retry-After` that is a date.
 *
 * **Details**
 * - An error with status 200 is classified by the status that its body names, if any.
 * - `x-should-retry` takes precedence over a row's `retry`.
 * - If a rate limit names no wait, the `x-ratelimit-reset-*` of the exhausted limits are used.
 * - The answer is kept whole and redacted, to be returned to the caller if it was the caller's mistake.
 * - Only the first 64 KiB of the body's message are examined. Limiting the body itself is up to its reader.
 *
 * @example
 * import { ErrorTable } from "@understudy/http"
 *
 * const kind = (body: string, rows?: ReadonlyArray<ErrorTable.Row>) =>
 *   ErrorTable.classify({ status: 429, headers: {}, body: new TextEncoder().encode(body) }, 0, rows).kind
 *
 * console.log(kind("")) // => rate_limited
 * console.log(kind('{"error":{"code":"insufficient_quota"}}')) // => quota_exhausted
 * console.log(kind("", [{ name: "ours", kind: "overloaded", status: [429] }])) // => overloaded
 *
 * @since 0.1.0
 * @category classification
 */
export const classify = (
  { body, headers, status }: Response,
  nowMillis: number,
  rows: ReadonlyArray<Row> = []
): ProviderError.ProviderError => {
  const error = ErrorBody.read(Utf8.decode(body))
  const meant = status >= 200 && status < 300 ? (error.status ?? status) : status
  const fits = (row: Row) => matches(row, meant, error)
  const row = rows.find(fits) ?? table.find(fits)
  const kind = row?.kind ?? "invalid_answer"
  return ProviderError.make({
    kind,
    status,
    retryAfter:
      waitAsked(headers, error, nowMillis) ?? (kind === "rate_limited" ? untilReset(headers) : undefined),
    retry: shouldRetry(headers) ?? row?.retry,
    answer: Redacted.make({ status: Math.max(meant, 400), contentType: headers["content-type"], body })
  })
}

/**
 * The wait requested by an answer, at most a day. `retry-after-ms` takes precedence over `retry-after` (seconds, or a
 * date in any of HTTP's three forms), and headers over the body. Zero, a past date or a word count as no request.
 *
 * @example
 * import { Duration } from "effect"
 * import { ErrorTable } from "@understudy/http"
 *
 * const seconds = (headers: Record<string, string>, body = "") =>
 *   Duration.toSeconds(ErrorTable.retryAfter(headers, body, Date.UTC(2030, 0, 1)) ?? 0)
 *
 * console.log(seconds({ "retry-after": "1.5" })) // => 1.5
 * console.log(seconds({ "retry-after": "Tue, 01 Jan 2030 00:00:30 GMT" })) // => 30
 * console.log(seconds({}, '{"error":{"message":"Please try again in 1m2s."}}')) // => 62
 * console.log(seconds({ "retry-after": "soon" })) // => 0
 *
 * @since 0.1.0
 * @category classification
 */
export const retryAfter = (
  headers: Readonly<Record<string, string>>,
  body: string,
  nowMillis: number
): Duration.Duration | undefined => waitAsked(headers, ErrorBody.read(body), nowMillis)

const matches = ({ code, status, text }: Row, actual: number, error: ErrorBody.ErrorBody): boolean => {
  if (status !== undefined && !status.includes(actual) && !status.includes(Math.floor(actual / 100)))
    return false
  if (code === undefined && text === undefined) return true
  return error.codes.some((word) => finds(code, word)) || finds(text, error.text)
}

/** `RegExp.test` without the state of a global expression. */
const finds = (pattern: RegExp | undefined, text: string): boolean =>
  pattern !== undefined && text.search(pattern) >= 0

const shouldRetry = (headers: Readonly<Record<string, string>>): boolean | undefined => {
  const value = headers["x-should-retry"]?.trim().toLowerCase()
  return value === "true" ? true : value === "false" ? false : undefined
}
