import type * as Attempt from "@understudy/core/Attempt"
import { AllTiersFailed } from "@understudy/core/Fallback"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Response } from "../../OpenAiRouter.ts"
import { attemptList, encode, providerError } from "./envelope.ts"

/** The answer for a run that no tier served. */
export const response = (
  route: string,
  attempts: ReadonlyArray<Attempt.Attempt<unknown>>,
  cause: Cause.Cause<unknown>
): Response => {
  const error = Option.getOrUndefined(Cause.failureOption(cause))
  const failed = error instanceof AllTiersFailed ? error : undefined
  const wereAllAsked = failed === undefined || failed.refusals.length === 0
  // In a hedge, the interrupted side ends last.
  const wrong = attempts.find(({ next, outcome }) => next === "abort" && outcome !== "interrupted")
  const last = wrong ?? attempts.at(-1)
  const isOfRequest = wrong !== undefined || (wereAllAsked && lastOfEachTier(attempts).every(speaksToCaller))
  const passed = isOfRequest && last && passedThrough(last)
  if (passed) return passed

  const list = attemptList(attempts)
  if (failed?.reason === "open") {
    const rest = failed.retryAfter && wholeSeconds(failed.retryAfter)
    return ours(503, "all_tiers_open", `Every tier of ${route} is resting after failures.`, list, rest)
  }
  if (failed?.reason === "deadline") {
    return ours(504, "deadline_exceeded", `The deadline of ${route} passed before a tier answered.`, list)
  }
  if (Cause.isDie(cause)) {
    return ours(500, "internal_error", "The gateway failed to handle this request.", list)
  }
  if (
    wereAllAsked &&
    attempts.length > 0 &&
    attempts.every(({ errorType }) => errorType === "rate_limited")
  ) {
    return ours(429, "rate_limited", `Every tier of ${route} is rate limited.`, list, soonest(attempts) ?? 1)
  }
  if (attempts.length > 0 && attempts.every(({ errorType }) => errorType === "auth")) {
    return ours(502, "upstream_auth_error", `Every tier of ${route} refused the gateway's credentials.`, list)
  }
  return ours(503, "all_tiers_failed", `No tier of ${route} could answer.`, list, soonest(attempts))
}

/** A failure of the request itself, or one that no tier could mend, goes back as the upstream put it. */
const passedThrough = (attempt: Attempt.Attempt<unknown>): Response | undefined => {
  const answer = providerError(attempt)?.answer
  if (answer === undefined) return undefined
  const { body, contentType, status } = Redacted.value(answer)
  return { status, headers: { "content-type": contentType ?? "application/json", ...noRetry }, body }
}

const lastOfEachTier = (
  attempts: ReadonlyArray<Attempt.Attempt<unknown>>
): ReadonlyArray<Attempt.Attempt<unknown>> => [
  ...new Map(attempts.map((attempt) => [attempt.tier, attempt])).values()
]

// A 501 is not about the request, and a 401 or 403 may name keys and projects.
const speaksToCaller = (attempt: Attempt.Attempt<unknown>): boolean => {
  const { kind, status } = providerError(attempt) ?? {}
  return (
    (status !== 401 && status !== 403 && lastWord.has(kind)) || (kind === "unsupported" && status !== 501)
  )
}

const lastWord: ReadonlySet<string | undefined> = new Set([
  "context_length",
  "request_too_large",
  "model_not_found"
])

// A client's own retries would multiply ours, so it is told not to retry unless waiting helps.
const noRetry = { "x-should-retry": "false" }

const ours = (
  status: number,
  code: string,
  message: string,
  attempts: ReadonlyArray<object>,
  retryAfter?: number
): Response => ({
  status,
  headers: {
    "content-type": "application/json",
    ...(retryAfter === undefined ? noRetry : { "retry-after": String(retryAfter) })
  },
  body: encode({ code, message, type: status === 429 ? "rate_limit_error" : "upstream_error", attempts })
})

/**
 * The shortest wait named by an upstream. Taken from the attempts, since a single tier without retries fails with its
 * own error and not with `AllTiersFailed`.
 */
const soonest = (attempts: ReadonlyArray<Attempt.Attempt<unknown>>): number | undefined => {
  const named = attempts.flatMap(({ retryAfter }) => retryAfter ?? [])
  return named.length === 0 ? undefined : wholeSeconds(named.reduce(Duration.min))
}

/** From 1 to 59: what lies outside, and to some a minute, clients ignore, obey for days, or answer by giving up. */
const wholeSeconds = (wait: Duration.Duration): number =>
  Math.min(59, Math.max(1, Math.ceil(Duration.toSeconds(wait))))
