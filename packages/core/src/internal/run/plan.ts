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
export type Plan =
  | Retry
  | { readonly _tag: "nextTier" }
  /** `cause` is why, where that is not what the attempt failed of. */
  | { readonly _tag: "abort"; readonly cause: Cause.Cause<never> | undefined }

interface Retry {
  readonly _tag: "retry"
  readonly wait: Duration.Duration
  /** When that is over. */
  readonly resumeAt: number
  /** The state of the backoff after it. */
  readonly backoff: unknown
}

/** What is made of an exit that a `classify` threw at: the defect is the attempt's end, as if the tier had it. */
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

/** How an attempt that was judged to have come to this has ended. */
export const endOf = <X extends Exit.Exit<unknown, unknown>>(
  exit: X,
  outcome: Outcome.Outcome
): X | Exit.Failure<never, never> => (outcome instanceof Unjudged ? outcome.exit : exit)

/**
 * What one of its attempts came to. A hint longer than the tier is willing to wait sends the run on at once and opens the
 * breaker until then.
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
  // A schedule does what it likes, and may die of it.
  return rung.backoff.schedule === undefined
    ? planned
    : Effect.catchAllCause(planned, (cause) => Effect.succeed({ _tag: "abort" as const, cause }))
}

/** Gives back the token of a retry that did not come about. */
export const refund = ({ budget }: AnyRung): Effect.Effect<void> => budget?.refund ?? Effect.void

const withdraw = ({ budget }: AnyRung, retry: Plan): Effect.Effect<Plan> =>
  budget === undefined
    ? Effect.succeed(retry)
    : Effect.flatMap(budget.withdraw, (granted) => (granted ? Effect.succeed(retry) : nextTier))

const nextTier: Effect.Effect<Plan> = Effect.succeed({ _tag: "nextTier" })
const abort: Effect.Effect<Plan> = Effect.succeed({ _tag: "abort", cause: undefined })
