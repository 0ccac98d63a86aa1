import type * as Duration from "effect/Duration"
import * as Outcome from "../../Outcome.ts"

/** The table of `Script.kinds`. */
export const outcomeOf = (kind: string, retryAfter: Duration.Duration | undefined): Outcome.Outcome => {
  const errorType = kind
  switch (kind) {
    case "auth":
    case "quota_exhausted":
    case "model_not_found":
      return Outcome.failure({ errorType, next: "nextTier", retryAfter, trip: true })
    case "context_length":
      return Outcome.ignored({ errorType, next: "nextTier" })
    case "invalid_request":
      return Outcome.ignored({ errorType, next: "abort" })
    default:
      return Outcome.failure({ errorType, retryAfter })
  }
}
