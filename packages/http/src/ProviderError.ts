/**
 * Why a provider did not answer, and the outcome of that.
 *
 * @since 0.1.0
 */
import * as Outcome from "@understudy/core/Outcome"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Record from "effect/Record"
import type * as Redacted from "effect/Redacted"
import { stackless } from "./internal/provider/stackless.ts"

/**
 * The kind of failure, as named in logs, spans and metrics.
 *
 * | kind | when | retry | next tier | breaker |
 * |---|---|---|---|---|
 * | `connection` | no connection, or it broke | yes | yes | failure |
 * | `tls` | the certificate or the handshake is wrong | no | yes | opens at once |
 * | `redirect` | 3xx; never followed, for the key would go along | no | yes | failure |
 * | `server_error` | 500, 502 and their like | yes | yes | failure |
 * | `overloaded` | 503, 529, no capacity | yes | yes | failure |
 * | `upstream_timeout` | 408, 504: the upstream's own time was up | yes | yes | failure |
 * | `conflict` | 409 | yes | yes | nothing |
 * | `rate_limited` | 429 | yes | yes | failure |
 * | `quota_exhausted` | 402, nothing left to spend | no | yes | opens at once, as all of the provider's |
 * | `auth` | 401, 403, our key or region is refused | no | yes | opens at once, as all of the provider's |
 * | `model_not_found` | 404, 410, the model is gone | no | yes | opens at once |
 * | `context_length` | too long for this model | no | yes | nothing |
 * | `request_too_large` | 413, or larger than a rate limit can ever allow | no | yes | nothing |
 * | `unsupported` | 501, or what this server or its model cannot be asked | no | yes | nothing |
 * | `failed_dependency` | 424, what the request leans on there failed, such as a tool server | no | yes | nothing |
 * | `content_policy` | the provider will not answer this | no | no | nothing |
 * | `invalid_request` | 400, 422, the request itself is wrong | no | no | nothing |
 * | `invalid_answer` | not the answer that was asked for: HTML, broken JSON, no choices | yes | yes | failure |
 * | `invalid_output` | an answer that does not fit the schema it was asked in, a tool call or JSON that the model broke | yes | yes | nothing |
 * | `stream_truncated` | the stream ended before the answer did | yes | yes | failure |
 * | `stream_error` | an error under status 200 that says no more | yes | yes | failure |
 * | `stream_diverged` | another answer than the one that it was to go on with | no | yes | nothing |
 *
 * The upstream can turn a `retry` of yes into no, see {@link ProviderError}.
 *
 * @since 0.1.0
 * @category models
 */
export type Kind =
  | "connection"
  | "tls"
  | "redirect"
  | "server_error"
  | "overloaded"
  | "upstream_timeout"
  | "conflict"
  | "rate_limited"
  | "quota_exhausted"
  | "auth"
  | "model_not_found"
  | "context_length"
  | "request_too_large"
  | "unsupported"
  | "failed_dependency"
  | "content_policy"
  | "invalid_request"
  | "invalid_answer"
  | "invalid_output"
  | "stream_truncated"
  | "stream_error"
  | "stream_diverged"

/**
 * An upstream's error response, to be returned to a caller whose request was wrong.
 *
 * @since 0.1.0
 * @category models
 */
export interface UpstreamAnswer {
  /** The status to pass on; 400 or more, even if the error came with status 200. */
  readonly status: number
  readonly contentType: string | undefined
  readonly body: Uint8Array
}

/**
 * A provider's failure. The upstream's answer is redacted, since it may quote keys and prompts.
 *
 * @example
 * import { ProviderError } from "@understudy/http"
 *
 * console.log(ProviderError.make({ kind: "rate_limited", status: 429 }).message) // => rate limited (HTTP 429)
 * console.log(ProviderError.make({ kind: "connection" }).message) // => connection
 *
 * @since 0.1.0
 * @category errors
 */
export class ProviderError extends Data.TaggedError("ProviderError")<{
  readonly kind: Kind
  /** The HTTP status, if there was an answer. */
  readonly status: number | undefined
  /** What the platform calls that which befell the connection, such as `ECONNREFUSED`: the code of a `TransportError`. */
  readonly code?: string | undefined
  /** The wait requested by the upstream. */
  readonly retryAfter: Duration.Duration | undefined
  /** `false` if the upstream said that a retry is useless. `true` only confirms a retry, and overrides nothing. */
  readonly retry?: boolean | undefined
  readonly answer: Redacted.Redacted<UpstreamAnswer> | undefined
}> {
  override get message(): string {
    const words = this.kind.replaceAll("_", " ")
    const detail = this.status === undefined ? this.code : `HTTP ${this.status}`
    return detail === undefined ? words : `${words} (${detail})`
  }
}

/**
 * Makes a failure of this kind; other fields default to unknown.
 *
 * @example
 * import { ProviderError } from "@understudy/http"
 *
 * console.log(ProviderError.make({ kind: "stream_truncated" }).retryAfter) // => undefined
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly kind: Kind
  readonly status?: number | undefined
  readonly code?: string | undefined
  readonly retryAfter?: Duration.Duration | undefined
  readonly retry?: boolean | undefined
  readonly answer?: Redacted.Redacted<UpstreamAnswer> | undefined
}): ProviderError =>
  stackless(
    () =>
      new ProviderError({
        kind: options.kind,
        status: options.status,
        code: options.code,
        retryAfter: options.retryAfter,
        retry: options.retry,
        answer: options.answer
      })
  )

const verdicts: {
  readonly [_ in Kind]: "retry" | "nextTier" | "trip" | "ignoredRetry" | "ignoredNextTier" | "ignoredAbort"
} = {
  connection: "retry",
  tls: "trip",
  redirect: "nextTier",
  server_error: "retry",
  overloaded: "retry",
  upstream_timeout: "retry",
  conflict: "ignoredRetry",
  rate_limited: "retry",
  quota_exhausted: "trip",
  auth: "trip",
  model_not_found: "trip",
  context_length: "ignoredNextTier",
  request_too_large: "ignoredNextTier",
  unsupported: "ignoredNextTier",
  failed_dependency: "ignoredNextTier",
  content_policy: "ignoredAbort",
  invalid_request: "ignoredAbort",
  invalid_answer: "retry",
  invalid_output: "ignoredRetry",
  stream_truncated: "retry",
  stream_error: "retry",
  stream_diverged: "ignoredNextTier"
}

/**
 * Every kind, in the order of the table of {@link Kind}.
 *
 * @example
 * import { ProviderError } from "@understudy/http"
 *
 * console.log(ProviderError.kinds.includes("rate_limited")) // => true
 *
 * @since 0.1.0
 * @category models
 */
export const kinds: ReadonlyArray<Kind> = Record.keys(verdicts)

/**
 * The classifier of a tier that calls a provider: the table of {@link Kind} as a function.
 *
 * @example
 * import { ProviderError } from "@understudy/http"
 *
 * const refused = ProviderError.outcome(ProviderError.make({ kind: "auth", status: 401 }))
 *
 * console.log(refused._tag === "Failure" && [refused.next, refused.trip]) // => [ 'nextTier', true ]
 *
 * @since 0.1.0
 * @category classification
 */
export const outcome: Outcome.Classify<ProviderError> = ({ kind, retry, retryAfter }) => {
  switch (verdicts[kind]) {
    case "retry":
      return Outcome.failure({ next: retry === false ? "nextTier" : "retry", errorType: kind, retryAfter })
    case "nextTier":
      return Outcome.failure({ next: "nextTier", errorType: kind, retryAfter })
    case "trip":
      return Outcome.failure({ next: "nextTier", errorType: kind, retryAfter, trip: true })
    case "ignoredRetry":
      return Outcome.ignored({ next: retry === false ? "nextTier" : "retry", errorType: kind })
    case "ignoredNextTier":
      return Outcome.ignored({ next: "nextTier", errorType: kind })
    case "ignoredAbort":
      return Outcome.ignored({ next: "abort", errorType: kind })
  }
}
