import { Cause, Exit, Option } from "effect"
import type { Attempt } from "../../src/index.ts"
import { shapeOf, shapeOfExit } from "./shape.ts"
import type { Observation } from "./world.ts"

const shaped = (attempt: Attempt.Attempt<unknown>) => ({
  ...attempt,
  cause: attempt.cause && shapeOf(attempt.cause)
})

/** All that can be seen of a run but its breakers, as data to compare. */
export const seen = ({ ending, endedAt, events, exit, log }: Observation) => {
  const error = exit && Exit.isFailure(exit) && Option.getOrUndefined(Cause.failureOption(exit.cause))
  return {
    exit: exit && shapeOfExit(exit),
    ending,
    endedAt,
    log,
    events: events.flatMap((event): ReadonlyArray<object> => {
      switch (event._tag) {
        case "AttemptEnded":
          return [{ ...event, attempt: shaped(event.attempt) }]
        case "TierEnded":
          return [{ ...event, last: shaped(event.last) }]
        case "BreakerChanged":
          return []
        default:
          return [event]
      }
    }),
    attempts: error && error._tag === "AllTiersFailed" ? error.attempts.map(shaped) : []
  }
}
