import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Backoff from "../Backoff.ts"
import type { Outcome } from "../Outcome.ts"
import type { Rung } from "./ladder.ts"

type AnyRung = Rung<unknown, unknown, unknown>

/** What follows a failed attempt. */
export type Plan =
  | { readonly _tag: "retry"; readonly wait: Duration.Duration; readonly backoff: Duration.Duration }
  | { readonly _tag: "nextTier" }
  | { readonly _tag: "abort" }

/** A hint longer than the tier is willing to wait sends the run on at once and opens the breaker until then. */
export const heed = (rung: AnyRung, outcome: Outcome): Outcome =>
  outcome._tag === "Failure" &&
  outcome.retryAfter !== undefined &&
  Duration.toMillis(outcome.retryAfter) > rung.maxRetryAfter
    ? { ...outcome, trip: true, next: outcome.next === "retry" ? "nextTier" : outcome.next }
    : outcome

/**
 * Decides what follows. A wait that cannot lead to another attempt is not begun: none that ends after the deadline
 * or before the breaker would let an attempt through, and none without a token of the budget.
 */
export const plan = (
  tier: { readonly rung: AnyRung; readonly number: number; readonly backoff: Duration.Duration },
  outcome: Outcome,
  deadline: number,
  clock: { readonly now: () => number }
): Effect.Effect<Plan> => {
  const { number, rung } = tier
  if (outcome._tag === "Success" || outcome.next === "nextTier") return nextTier
  if (outcome.next === "abort") return abort
  if (number > rung.backoff.times) return nextTier
  return Effect.flatMap(Backoff.delay(rung.backoff, number, tier.backoff), (backoff) => {
    const asked = outcome._tag === "Failure" ? outcome.retryAfter : undefined
    const wait = Duration.max(backoff, asked ?? Duration.zero)
    const resumeAt = clock.now() + Duration.toMillis(wait)
    if (resumeAt >= deadline) return nextTier
    const retry = withdraw(rung, { _tag: "retry", wait, backoff })
    if (rung.breaker === undefined) return retry
    return Effect.flatMap(rung.breaker.notBefore, (instant) => (instant > resumeAt ? nextTier : retry))
  })
}

/** Gives back the token of a retry that did not come about. */
export const refund = ({ budget }: AnyRung): Effect.Effect<void> => budget?.refund ?? Effect.void

const withdraw = ({ budget }: AnyRung, retry: Plan): Effect.Effect<Plan> =>
  budget === undefined
    ? Effect.succeed(retry)
    : Effect.flatMap(budget.withdraw, (granted) => (granted ? Effect.succeed(retry) : nextTier))

const nextTier: Effect.Effect<Plan> = Effect.succeed({ _tag: "nextTier" })
const abort: Effect.Effect<Plan> = Effect.succeed({ _tag: "abort" })
