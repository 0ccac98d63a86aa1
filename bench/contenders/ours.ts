import * as Backoff from "@understudy/core/Backoff"
import * as CircuitBreaker from "@understudy/core/CircuitBreaker"
import * as Fallback from "@understudy/core/Fallback"
import * as Tier from "@understudy/core/Tier"
import * as Effect from "effect/Effect"
import { ofEffect } from "../contender.ts"
import { attemptTimeout, openFor } from "../scenarios.ts"

export default ofEffect(({ failures, retries }, upstreams) =>
  Effect.map(
    Effect.forEach(upstreams, (upstream, i) =>
      Effect.map(
        CircuitBreaker.make({
          key: `tier${i}`,
          trip: CircuitBreaker.consecutive(failures),
          openFor,
          maxOpenFor: openFor
        }),
        (breaker) =>
          Tier.make({
            name: `tier${i}`,
            effect: upstream.asEffect,
            attemptTimeout,
            backoff: retries > 0 ? Backoff.constant({ delay: 0, times: retries }) : Backoff.none,
            breaker
          })
      )
    ),
    ([first, ...rest]) =>
      rest.reduce<Fallback.Fallback<number, Error, never>>(
        (ladder, tier) => Fallback.orElse(ladder, tier),
        first!
      )
  )
)
