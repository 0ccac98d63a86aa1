import * as Attempt from "@understudy/core/Attempt"
import * as CircuitBreaker from "@understudy/core/CircuitBreaker"
import type { Failure, Outcome } from "@understudy/core/Outcome"
import * as Effect from "effect/Effect"
import type { Kind } from "../../ProviderError.ts"

/** A tier that uses a credential. */
export interface Holder {
  readonly run: string
  readonly tier: string
  readonly labels: Attempt.Labels
  readonly breaker: CircuitBreaker.CircuitBreaker
}

/**
 * The tier's breaker, which opens those of all holders of the same credential when it opens because of the credential.
 * `holders` may still grow.
 */
export const breakerOf = (own: Holder, holders: ReadonlyArray<Holder>): CircuitBreaker.CircuitBreaker =>
  CircuitBreaker.tapReport(own.breaker, (transition, outcome) =>
    transition?.to === "Open" && isCredentials(outcome)
      ? Effect.forEach(holders, (holder) => (holder === own ? Effect.void : trip(holder, outcome)))
      : Effect.void
  )

const kinds: ReadonlySet<string> = new Set<Kind>(["auth", "quota_exhausted"])

const isCredentials = (outcome: Outcome): outcome is Failure =>
  outcome._tag === "Failure" && kinds.has(outcome.errorType)

const trip = ({ breaker, labels, run, tier }: Holder, { retryAfter }: Failure): Effect.Effect<void> =>
  Effect.flatMap(breaker.trip(retryAfter), (transition) =>
    transition === undefined
      ? Effect.void
      : Effect.flatMap(Attempt.Listener, (listener) =>
          // A listener must not fail the call.
          Effect.ignore(
            Effect.try(() => listener?.({ _tag: "BreakerChanged", run, tier, labels, transition }))
          )
        )
  )
