import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { DeadlineExceeded } from "../../Deadline.ts"
import { AllTiersFailed, type Ladder } from "./ladder.ts"
import type { RunObserver } from "./observer.ts"

/** How a run ends that has reached the end of its ladder. */
export const noTierLeft = <E>(
  { rungs }: Ladder<unknown, E, unknown>,
  observer: RunObserver<E>
): Effect.Effect<never, E | AllTiersFailed<E>> => {
  const { attempts, refusals } = observer
  const cause = attempts[0]?.cause
  // A single tier without retries behaves like its effect.
  return rungs.length === 1 && rungs.at(0)?.backoff.times === 0 && cause !== undefined && isOwn(cause)
    ? Effect.failCause(cause)
    : allTiersFailed(observer, attempts.length > 0 ? "failed" : refusals.length > 0 ? "open" : "deadline")
}

export const allTiersFailed = <E>(
  { attempts, refusals }: RunObserver<E>,
  reason: AllTiersFailed<E>["reason"]
): Effect.Effect<never, AllTiersFailed<E>> => {
  const hints = [...refusals, ...attempts].flatMap(({ retryAfter }) => retryAfter ?? [])
  const retryAfter = hints.length === 0 ? undefined : hints.reduce(Duration.min)
  return Effect.fail(new AllTiersFailed<E>({ reason, attempts, refusals, retryAfter }))
}

/** Whether a tier failed by itself, and not by one of our bounds. */
export const isOwn = <E>(cause: Cause.Cause<E | DeadlineExceeded>): cause is Cause.Cause<E> => {
  const error = Cause.failureOption(cause)
  return error._tag === "None" || !(error.value instanceof DeadlineExceeded)
}
