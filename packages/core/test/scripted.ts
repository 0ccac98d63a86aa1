import { assert } from "@effect/vitest"
import {
  Cause,
  Clock,
  Data,
  Deferred,
  type Duration,
  Effect,
  Exit,
  Fiber,
  FiberId,
  Option,
  type Scope,
  Stream,
  TestClock
} from "effect"
import { Attempt, Outcome, Tier } from "../src/index.ts"
import { strays, turns } from "./leftovers.ts"

/** What a scripted tier does on one call. */
export type Act =
  | { readonly ok: string; readonly after?: Duration.DurationInput }
  | { readonly fail: Outcome.Outcome; readonly after?: Duration.DurationInput }
  | { readonly die: string }
  | "hang"
  | "hangUninterruptibly"

export class Refused extends Data.TaggedError("Refused")<{ readonly outcome: Outcome.Outcome }> {}

export const classify = (error: Refused): Outcome.Outcome => error.outcome

/** An effect that follows a script, one act a call (the last for ever), and notes when it was called. */
export const scripted = (acts: ReadonlyArray<Act>) => {
  const calls: Array<number> = []
  const interrupted: Array<number> = []
  const gate = Deferred.unsafeMake<never>(FiberId.none)
  const effect = Effect.gen(function* () {
    const act = acts[Math.min(calls.length, acts.length - 1)] as Act
    calls.push(yield* Clock.currentTimeMillis)
    if (act === "hang") return yield* Effect.never
    if (act === "hangUninterruptibly") return yield* Effect.uninterruptible(Deferred.await(gate))
    if ("die" in act) return yield* Effect.dieMessage(act.die)
    if (act.after !== undefined) yield* Effect.sleep(act.after)
    if ("ok" in act) return act.ok
    return yield* new Refused({ outcome: act.fail })
  }).pipe(
    Effect.onInterrupt(() =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        interrupted.push(now)
      })
    )
  )
  /** Ends what does not let itself be interrupted. */
  const letGo = Deferred.interrupt(gate)
  return { calls, interrupted, effect, letGo }
}

/** A tier that follows a script. */
export const tier = (
  name: string,
  { effect }: ReturnType<typeof scripted>,
  options?: Partial<Tier.Options<Refused>> & { readonly attemptTimeout?: Duration.DurationInput }
): Tier.Tier<string, Refused, never> => Tier.make({ name, effect, classify, ...options })

export const retryable: Act = { fail: Outcome.failure() }
export const nextTier: Act = { fail: Outcome.failure({ next: "nextTier" }) }
export const callersFault: Act = { fail: Outcome.ignored({ errorType: "invalid_request" }) }

/**
 * Runs an effect to its end in virtual time and says how long it took. When it has ended nothing that it started is
 * left, though time would end that too, unless it was something that does not let itself be interrupted.
 */
export const timed = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  atMost: Duration.DurationInput = "1 hour",
  leaves: "nothing" | "something" = "nothing"
): Effect.Effect<{ readonly exit: Exit.Exit<A, E>; readonly elapsed: number }, never, R> =>
  Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    const before = new Set<unknown>(Fiber.unsafeRoots())
    let end = start
    let left = 0
    const fiber = yield* Effect.fork(
      Effect.ensuring(
        effect,
        Effect.gen(function* () {
          end = yield* Clock.currentTimeMillis
          yield* turns
          left = strays(before)
        })
      )
    )
    yield* TestClock.adjust(atMost)
    const exit = yield* Fiber.await(fiber)
    assert.strictEqual(left > 0, leaves === "something", `it left ${left} fibers behind`)
    return { exit, elapsed: end - start }
  })

/** Notes when it is opened and when it is closed. */
export const connection = (log: Array<string>, name: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void log.push(`open ${name}`)),
    () => Effect.sync(() => log.push(`close ${name}`))
  )

/** A stream that has a connection of its own. */
export const connected = <A, E>(
  log: Array<string>,
  name: string,
  stream: Stream.Stream<A, E>
): Stream.Stream<A, E> => Stream.unwrapScoped(Effect.as(connection(log, name), stream))

/** Collects the events of the runs below it. */
export const recorded = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const events: Array<Attempt.Event> = []
  return { events, effect: Effect.provideService(effect, Attempt.Listener, (event) => events.push(event)) }
}

/** How each attempt ended and how the run did, among what else there is to hear of. */
export const endings = (events: ReadonlyArray<Attempt.Event>): ReadonlyArray<string> =>
  events.map((event) => {
    switch (event._tag) {
      case "AttemptEnded":
        return event.attempt.outcome
      case "RunEnded":
        return event.outcome
      default:
        return event._tag
    }
  })

export const errorOf = <A, E>(exit: Exit.Exit<A, E>): E =>
  Option.getOrThrow(Option.flatMap(Exit.causeOption(exit), Cause.failureOption))
