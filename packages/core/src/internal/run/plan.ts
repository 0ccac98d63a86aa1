import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Outcome from "../../Outcome.ts"
import { flatMapNow } from "../fiber/now.ts"
import type { Rung } from "./ladder.ts"
import * as Waits from "./waits.ts"

type AnyRung = Rung<unknown, unknown, unknown>

/** What follows a failed attempt. */
export type Plan<E> =
  | Retry
  | { readonly _tag: "nextTier" }
  /** `cause` is the reason, which may differ from the attempt's failure. */
  | { readonly _tag: "abort"; readonly cause: Cause.Cause<E> }

interface Retry {
  readonly _tag: "retry"
  readonly wait: Duration.Duration
  /** The instant when the wait is over. */
  readonly resumeAt: number
  /** The state of the backoff after it. */
  readonly backoff: unknown
}

/** The outcome when `classify` throws: the defect ends the attempt, as if the tier had died of it. */
class Unjudged implements Outcome.Failure {
  readonly _tag = "Failure"
  readonly next = "abort"
  readonly errorType = "defect"
  readonly retryAfter = undefined
  readonly trip = false
  readonly exit: Exit.Failure<never, never>

  constructor(defect: unknown) {
    this.exit = Exit.die(defect) as Exit.Failure<never, never>
  }
}

/** The exit of an attempt with this outcome. */
export const endOf = <X extends Exit.Exit<unknown, unknown>>(
  exit: X,
  outcome: Outcome.Outcome
): X | Exit.Failure<never, never> => (outcome instanceof Unjudged ? outcome.exit : exit)

/**
 * The outcome of one of its attempts. A `retryAfter` longer than the tier's `maxRetryAfter` sends the run on at once
 * and opens the breaker until then.
 */
export const judge = (rung: AnyRung, exit: Exit.Exit<unknown, unknown>): Outcome.Outcome => {
  let outcome: Outcome.Outcome
  try {
    outcome = Outcome.fromExit(exit as Exit.Exit<unknown, never>, rung.classify, rung)
  } catch (defect) {
    return new Unjudged(defect)
  }
  return outcome._tag === "Failure" &&
    outcome.retryAfter !== undefined &&
    Duration.toMillis(outcome.retryAfter) > rung.maxRetryAfter
    ? { ...outcome, trip: true, next: outcome.next === "retry" ? "nextTier" : outcome.next }
    : outcome
}

/**
 * Decides what follows a failed attempt. A wait that cannot lead to another attempt is skipped: one that ends after the
 * deadline or before the breaker admits again, or without a token of the budget.
 */
export const plan = <E>(
  tier: { readonly rung: AnyRung; readonly number: number; readonly backoff: unknown },
  cause: Cause.Cause<E>,
  outcome: Outcome.Outcome,
  deadline: number,
  clock: { readonly now: () => number }
): Effect.Effect<Plan<E>> => {
  const { number, rung } = tier
  if (outcome._tag === "Success" || outcome.next === "nextTier") return nextTier
  if (outcome.next === "abort") return Exit.succeed({ _tag: "abort", cause })
  const planned = flatMapNow(Waits.next(rung.backoff, number, tier.backoff, cause), (next) => {
    if (next === undefined) return nextTier
    const asked = outcome._tag === "Failure" ? outcome.retryAfter : undefined
    const wait = Duration.max(next.duration, asked ?? Duration.zero)
    const resumeAt = clock.now() + Duration.toMillis(wait)
    if (resumeAt >= deadline) return nextTier
    const retry = withdraw(rung, { _tag: "retry", wait, resumeAt, backoff: next.state })
    if (rung.breaker === undefined) return retry
    return Effect.flatMap(rung.breaker.notBefore, (instant) => (instant > resumeAt ? nextTier : retry))
  })
  // A user's schedule or store may throw.
  return Exit.isExit(planned)
    ? planned
    : Effect.catchAllCause(planned, (cause) => Effect.succeed({ _tag: "abort" as const, cause }))
}

/** Returns the token of a retry that never started. */
export const refund = ({ budget }: AnyRung): Effect.Effect<void> => budget?.refund ?? Effect.void

const withdraw = ({ budget }: AnyRung, retry: Retry): Effect.Effect<Plan<never>> =>
  budget === undefined
    ? Effect.succeed(retry)
    : Effect.flatMap(budget.withdraw, (granted) => (granted ? Effect.succeed(retry) : nextTier))

const nextTier: Effect.Effect<Plan<never>> = Effect.succeed({ _tag: "nextTier" })
