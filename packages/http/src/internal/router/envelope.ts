import type * as Attempt from "@understudy/core/Attempt"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { ProviderError } from "../../ProviderError.ts"
import * as Utf8 from "../bytes/utf8.ts"

/** OpenAI's error envelope: the only shape every client of theirs can read. */
export interface Envelope {
  readonly message: string
  readonly type: string
  readonly param?: string | null
  readonly code: string | null
  readonly attempts?: ReadonlyArray<object>
}

export const encode = ({ attempts, code, message, param = null, type }: Envelope): Uint8Array =>
  Utf8.encode(
    JSON.stringify({ error: { message, type, param, code, ...(attempts === undefined ? {} : { attempts }) } })
  )

/** What the caller is told about each attempt, without any of the upstreams' text. */
export const attemptList = (attempts: ReadonlyArray<Attempt.Attempt<unknown>>): ReadonlyArray<object> =>
  attempts.map((attempt) => ({
    tier: attempt.tier,
    model: attempt.labels["model"],
    status: providerError(attempt)?.status ?? null,
    class: attempt.errorType ?? null,
    latency_ms: Math.round(Duration.toMillis(attempt.duration))
  }))

export const providerError = (attempt: Attempt.Attempt<unknown>): ProviderError | undefined => {
  if (attempt.cause === undefined) return undefined
  const error = Option.getOrUndefined(Cause.failureOption(attempt.cause))
  return error instanceof ProviderError ? error : undefined
}
