import { type Duration, Effect, Stream } from "effect"
import { type Attempt, FallbackStream, type Log, Outcome } from "../src/index.ts"
import { classify, connected, Refused, recorded, timed } from "./scripted.ts"

export type Source = Stream.Stream<string, Refused>

export const broken = new Refused({ outcome: Outcome.failure({ errorType: "broken" }) })
export const busy = new Refused({ outcome: Outcome.failure({ next: "nextTier", errorType: "busy" }) })

export const transcript: FallbackStream.Transcript<string, string> = {
  empty: "",
  add: (sent, text) => sent + text
}

/** The empty text is what a provider says before it says anything. */
const isContent = (text: string) => text !== ""

export const breaking = (...said: ReadonlyArray<string>): Source =>
  Stream.concat(Stream.fromIterable(said), Stream.fail(broken))

type Options = Partial<Parameters<typeof FallbackStream.tier<string, Refused, never, string>>[0]>

/** A ladder whose tiers note who opens, closes and is asked to go on from what. */
export const stage = () => {
  const log: Array<string> = []
  const tier = (name: string, stream: Source, options: Options = {}) =>
    FallbackStream.tier({
      name,
      isContent,
      transcript,
      classify: (error) => (error._tag === "Refused" ? classify(error) : Outcome.failure()),
      stream: connected(log, name, stream),
      ...options
    })
  const going = (name: string, resumed: (sent: string) => Source, options: Options = {}) =>
    tier(name, Stream.make("never asked from the beginning"), {
      resume: (sent) => connected(log, `${name} after ${sent}`, resumed(sent)),
      ...options
    })
  return { going, log, tier }
}

/** What came through to the caller, how that ended, and what was told of it. */
export const client = <E>(stream: Stream.Stream<string, E>, atMost?: Duration.DurationInput) =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    const { effect, events } = recorded(
      Stream.runForEach(stream, (text) => Effect.sync(() => void seen.push(text)))
    )
    const { elapsed, exit } = yield* timed(effect, atMost)
    return { elapsed, events, exit, seen, told: told(events) }
  })

export const told = (events: ReadonlyArray<Attempt.Event>): ReadonlyArray<string> =>
  events.flatMap((event) => (event._tag === "TierEnded" ? [] : line(event)))

const line = (event: Log.Logged): string => {
  switch (event._tag) {
    case "AttemptEnded": {
      const { errorType, next, number, outcome, tier } = event.attempt
      return [tier, number, errorType ?? outcome, next].filter((word) => word !== undefined).join(" ")
    }
    case "RunEnded": {
      const { attempts, errorType, fallback, outcome, servedBy } = event
      return `run ${outcome} by ${servedBy}${fallback ? ", a fallback" : ""}: ${errorType ?? "whole"}, ${attempts}`
    }
    case "TierRefused":
      return `${event.refusal.tier} refused`
    case "BreakerChanged":
      return `${event.tier} ${event.transition.to}`
  }
}
