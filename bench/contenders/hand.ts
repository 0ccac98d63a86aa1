import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import { ofEffect, spanned } from "../contender.ts"
import { attemptTimeout, openFor } from "../scenarios.ts"

interface State {
  readonly failures: number
  readonly openUntil: number
}

const closed: State = { failures: 0, openUntil: 0 }

const guarded = <A, E>(
  attempt: Effect.Effect<A, E>,
  ref: Ref.Ref<State>,
  limit: number
): Effect.Effect<A, E | "open"> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.flatMap(
      Ref.get(ref),
      ({ openUntil }): Effect.Effect<A, E | "open"> =>
        openUntil > now
          ? Effect.fail("open")
          : Effect.tapBoth(attempt, {
              onSuccess: () => Ref.set(ref, closed),
              onFailure: () =>
                Ref.update(ref, ({ failures }) =>
                  failures + 1 >= limit
                    ? { failures: 0, openUntil: now + openFor }
                    : { failures: failures + 1, openUntil: 0 }
                )
            })
    )
  )

export default ofEffect(({ failures, retries }, upstreams, spans) =>
  Effect.gen(function* () {
    const span = spanned(spans)
    const tiers: Array<Effect.Effect<number, unknown>> = []
    for (const upstream of upstreams) {
      const ref = yield* Ref.make(closed)
      const timed = span(Effect.timeout(upstream.asEffect, attemptTimeout), "attempt")
      const attempt = guarded(timed, ref, failures)
      tiers.push(span(retries > 0 ? Effect.retry(attempt, Schedule.recurs(retries)) : attempt, "tier"))
    }
    const policy = tiers.reduceRight((next, tier) => Effect.catchAll(tier, () => next))
    return span(policy, "fallback")
  })
)
