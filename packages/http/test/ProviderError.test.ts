import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Outcome } from "@understudy/core"
import { Cause, Duration, Redacted } from "effect"
import { ErrorTable, ProviderError } from "../src/index.ts"

const outcome = (kind: ProviderError.Kind, retry?: boolean) =>
  ProviderError.outcome(ProviderError.make({ kind, retry, retryAfter: Duration.seconds(7) }))
const failure = (kind: ProviderError.Kind, next: Outcome.Next, trip = false) =>
  Outcome.failure({ next, trip, errorType: kind, retryAfter: Duration.seconds(7) })

describe("ProviderError.outcome", () => {
  it("worth another try: connections, server errors, limits, broken answers", () => {
    for (const kind of [
      "connection",
      "server_error",
      "overloaded",
      "upstream_timeout",
      "rate_limited",
      "invalid_answer",
      "stream_truncated",
      "stream_error"
    ] as const) {
      assert.deepStrictEqual(outcome(kind), failure(kind, "retry"))
      assert.deepStrictEqual(outcome(kind, true), failure(kind, "retry"))
      assert.deepStrictEqual(outcome(kind, false), failure(kind, "nextTier"))
    }
  })

  it("worth another try, and nothing counted: a lock, an answer of no use", () => {
    for (const kind of ["conflict", "invalid_output"] as const) {
      const ignored = (next: Outcome.Next) => Outcome.ignored({ next, errorType: kind })
      assert.deepStrictEqual([outcome(kind), outcome(kind, false)], [ignored("retry"), ignored("nextTier")])
    }
  })

  it("opens the breaker at once: keys, quota, certificates, missing models", () => {
    for (const kind of ["tls", "quota_exhausted", "auth", "model_not_found"] as const) {
      assert.deepStrictEqual(outcome(kind), failure(kind, "nextTier", true))
      assert.deepStrictEqual(outcome(kind, true), failure(kind, "nextTier", true))
    }
  })

  it("a redirect counts, and only another tier can mend it", () => {
    assert.deepStrictEqual(outcome("redirect", true), failure("redirect", "nextTier"))
  })

  it("too much for this tier: the next one, and nothing counted", () => {
    for (const kind of ["context_length", "request_too_large", "unsupported", "failed_dependency"] as const) {
      assert.deepStrictEqual(outcome(kind, true), Outcome.ignored({ next: "nextTier", errorType: kind }))
    }
  })

  it("the caller's mistake: nobody else is asked, and nothing counted", () => {
    for (const kind of ["content_policy", "invalid_request"] as const) {
      assert.deepStrictEqual(outcome(kind, true), Outcome.ignored({ next: "abort", errorType: kind }))
    }
  })
})

describe("ProviderError", () => {
  it("shows nothing of what the upstream said, however it is printed", () => {
    const body = new TextEncoder().encode('{"error":{"message":"Incorrect API key: sk-se****cret"}}')
    const error = ErrorTable.classify({ status: 401, headers: { "content-type": "secret" }, body }, 0)
    for (const printed of [
      String(error),
      error.message,
      error.stack ?? "",
      JSON.stringify(error),
      inspect(error, { depth: 9 }),
      Cause.pretty(Cause.fail(error))
    ]) {
      assert.notMatch(printed, /cret|Incorrect|123, 34/)
    }
    assert.deepStrictEqual(Redacted.value(error.answer!), { status: 401, contentType: "secret", body })
  })
})
