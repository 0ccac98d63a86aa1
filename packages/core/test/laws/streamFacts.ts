import type { Outcome } from "../../src/index.ts"
import type { Entry } from "./simulator.ts"
import type { StreamCall, StreamObservation } from "./streamWorld.ts"

/** A clock has nanoseconds, a sum of waits has not. */
export const slack = 1e-3

/** A stream that became the caller's, its record, and the instant of its first content. */
const servingAt = ({ attempts, calls, log }: StreamObservation, index: number) => {
  const [attempt, call, entry] = [attempts[index], calls[index], log[index]]
  if (attempt?.firstToken === undefined || call === undefined || entry === undefined) return undefined
  const first = call.pulls.findIndex(({ counts }) => counts)
  // The finalizer of a stream that has ended is no silence.
  return { call, entry, at: call.pulls[first]?.until ?? Number.NaN, after: call.pulls.slice(first + 1) }
}

/** All that did, one going on with the other. */
export const servings = (observed: StreamObservation) =>
  observed.log.flatMap((_, index) => servingAt(observed, index) ?? [])

/** The one that did, where none goes on. */
export const committed = (observed: StreamObservation) => servingAt(observed, observed.log.length - 1)

/** Whether a stream came to its end by itself. */
export const ended = ({ pulls, speech }: StreamCall): boolean =>
  pulls.length > speech.pieces.length && pulls.at(-1)?.until !== undefined

export const endOf = ({ name, speech: { last } }: StreamCall): string =>
  last.end === "ok"
    ? "undefined"
    : last.end === "die"
      ? `die(${name})`
      : last.end === "interrupt"
        ? "interrupt"
        : `fail(${name})`

export const elementsOf = ({ speech }: StreamCall): number =>
  speech.pieces.reduce((sum, { counts }) => sum + counts.length, 0)

export const verdictOf = ({ bound, outcome }: Entry): Outcome.Outcome["_tag"] =>
  outcome === "failure" || bound === "firstToken" ? "Failure" : "Ignored"
