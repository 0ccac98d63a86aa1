import { Clock, Data, type Duration, Effect, type Exit, Fiber, TestClock } from "effect"
import { Attempt, Outcome } from "../src/index.ts"

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
  const effect = Effect.gen(function* () {
    const act = acts[Math.min(calls.length, acts.length - 1)] as Act
    calls.push(yield* Clock.currentTimeMillis)
    if (act === "hang") return yield* Effect.never
    if (act === "hangUninterruptibly") return yield* Effect.uninterruptible(Effect.never)
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
  return { calls, interrupted, effect }
}

export const retryable: Act = { fail: Outcome.failure() }
export const nextTier: Act = { fail: Outcome.failure({ next: "nextTier" }) }
export const callersFault: Act = { fail: Outcome.ignored({ errorType: "invalid_request" }) }

/** Runs an effect to its end in virtual time and says how long it took. */
export const timed = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  atMost: Duration.DurationInput = "1 hour"
): Effect.Effect<{ readonly exit: Exit.Exit<A, E>; readonly elapsed: number }, never, R> =>
  Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    let end = start
    const fiber = yield* Effect.fork(
      Effect.ensuring(
        effect,
        Effect.map(Clock.currentTimeMillis, (now) => {
          end = now
        })
      )
    )
    yield* TestClock.adjust(atMost)
    return { exit: yield* Fiber.await(fiber), elapsed: end - start }
  })

/** Collects the events of the runs below it. */
export const recorded = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const events: Array<Attempt.Event> = []
  return { events, effect: Effect.provideService(effect, Attempt.Listener, (event) => events.push(event)) }
}
