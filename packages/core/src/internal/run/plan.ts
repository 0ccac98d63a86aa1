import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Outcome from "../../Outcome.ts"
import { flatMapNow } from "../fiber/now.ts"
import type { Rung } from "./ladder.ts"
import * as Waits from "./waits.ts"

type AnyRung = Rung<unknown, unknown, unknown>

/** What follows a failed attempt. */
export type Plan = Retry | { readonly _tag: "nextTier" } | { readonly _tag: "abort" }

interface Retry {
  readonly _tag: "retry"
  readonly wait: Duration.Duration
  /** When that is over. */
  readonly resumeAt: number
  /** The state of the backoff after it. */
  readonly backoff: unknown
}

/**
 * What one of its attempts came to. A hint longer than the tier is willing to wait sends the run on at once and opens the
 * breaker until then.
 */
export const judge = (rung: AnyRung, exit: Exit.Exit<unknown, unknown>): Outcome.Outcome => {
  const outcome = Outcome.fromExit(exit as Exit.Exit<unknown, never>, rung.classify, rung)
  return outcome._tag === "Failure" &&
    outcome.retryAfter !== undefined &&
    Duration.toMillis(outcome.retryAfter) > rung.maxRetryAfter
    ? { ...outcome, trip: true, next: outcome.next === "retry" ? "nextTier" : outcome.next }
    : outcome
}

/**
 * Decides what follows. A wait that cannot lead to another attempt is not begun: none that ends after the deadline
 * or before the breaker would let an attempt through, and none without a token of the budget.
 */
export const plan = (
  tier: { readonly rung: AnyRung; readonly number: number; readonly backoff: unknown },
  cause: Cause.Cause<unknown>,
  outcome: Outcome.Outcome,
  deadline: number,
  clock: { readonly now: () => number }
): Effect.Effect<Plan> => {
  const { number, rung } = tier
  if (outcome._tag === "Success" || outcome.next === "nextTier") return nextTier
  if (outcome.next === "abort") return abort
  return flatMapNow(Waits.next(rung.backoff, number, tier.backoff, cause), (next) => {
    if (next === undefined) return nextTier
    const asked = outcome._tag === "Failure" ? outcome.retryAfter : undefined
    const wait = Duration.max(next.duration, asked ?? Duration.zero)
    const resumeAt = clock.now() + Duration.toMillis(wait)
    if (resumeAt >= deadline) return nextTier
    const retry = withdraw(rung, { _tag: "retry", wait, resumeAt, backoff: next.state })
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
