import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { scopeWith } from "../fiber/scopeWith.ts"
import type { Committed } from "./committed.ts"
import * as engine from "./engine.ts"
import type { AllTiersFailed, Ladder, Served, Transcript } from "./ladder.ts"
import type { Listening } from "./observer.ts"
import type { Pull } from "./pull.ts"

/** Ends a run whose stream is read no more: with how it ended, or how whoever read it did. */
export type Close = (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>

/**
 * Runs a ladder of streams to its commit point. The stream that `give` makes of it is the serving tier's, and where
 * that breaks off and another tier goes on with it, that one's. The run ends as its stream does, and with the scope at
 * the latest.
 */
export const given = <A, E, E2, R, B>(
  ladder: Ladder<Pull<A, E>, E2, R>,
  give: (pull: Pull<A, E>, close: Close) => B,
  listener?: Listening
): Effect.Effect<Served<B, E2>, E2 | AllTiersFailed<E2>, Exclude<R, Scope.Scope> | Scope.Scope> =>
  engine.run(ladder, true, listener, (first) =>
    scopeWith((scope) => {
      let serving = first
      // The ladder keeps it with the tiers of whose elements it is made.
      let transcript = first.transcript as Transcript<A, unknown> | undefined
      let sent: unknown = transcript?.empty
      let finished = false

      const finish = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
        Effect.uninterruptible(
          Effect.suspend(() => {
            if (finished) return Effect.void
            finished = true
            return serving.finish(exit)
          })
        )

      const breaks = (cause: Cause.Cause<E>): Effect.Effect<never, Option.Option<E>> => {
        // Whoever reads on all the same is told the same.
        sent = undefined
        return Effect.zipRight(finish(Exit.failCause(cause)), Effect.failCause(Cause.map(cause, Option.some)))
      }

      const goesOn = (next: Committed<Pull<A, E>, E2>): void => {
        serving = next
        transcript = next.transcript as Transcript<A, unknown> | undefined
        if (transcript === undefined) sent = undefined
        reading = fromServing()
      }

      const kept = (pull: Pull<A, E>, { add }: Transcript<A, unknown>): Pull<A, E> =>
        Effect.map(pull, (chunk) => {
          for (const element of chunk) sent = sent === undefined ? sent : add(sent, element)
          return chunk
        })

      // As few layers as can be, and made once: a stream pays for each of them at every chunk.
      const fromServing = (): Pull<A, E> =>
        Effect.catchAllCause(
          transcript === undefined ? serving.value : kept(serving.value, transcript),
          (cause) =>
            Option.match(Cause.flipCauseOption(cause), {
              onNone: () => Effect.zipRight(finish(Exit.void), Effect.fail(Option.none())),
              onSome: (cause) =>
                sent === undefined
                  ? breaks(cause)
                  : Effect.matchCauseEffect(serving.goOn(cause, sent, goesOn), {
                      onSuccess: () => next,
                      onFailure: breaks
                    })
            })
        )
      let reading = fromServing()
      // Only one of which something is kept is gone on with.
      const next: Pull<A, E> = transcript === undefined ? reading : Effect.suspend(() => reading)

      const close: Close = (exit) => finish(asCallers(exit))
      return Effect.as(Scope.addFinalizerExit(scope, close), { ...first.served(), value: give(next, close) })
    })
  )

/** What a caller fails with is no failure of the tier: it has left. */
const asCallers = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> =>
  Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause) ? Exit.interrupt(FiberId.none) : exit
