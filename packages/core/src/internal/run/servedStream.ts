import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { scopeWith } from "../fiber/scopeWith.ts"
import type { Committed } from "./committed.ts"
import * as engine from "./engine.ts"
import type { AllTiersFailed, Ladder, Served, Transcript } from "./ladder.ts"
import type { Listening } from "./observer.ts"
import type { Pull } from "./pull.ts"

/** Ends a run whose stream is no longer read, with the exit of the stream or of its reader. */
export type Close = (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>

/**
 * Runs a ladder of streams to its commit point. The stream passed to `give` is the serving tier's, followed by that of
 * the next tier if the first breaks off and the next continues it. The run ends with its stream, or with the scope at
 * the latest.
 */
export const servedStream = <A, E, E2, R, B>(
  ladder: Ladder<Pull<A, E>, E2, R>,
  give: (pull: Pull<A, E>, close: Close) => B,
  listener?: Listening
): Effect.Effect<Served<B, E2>, E2 | AllTiersFailed<E2>, Exclude<R, Scope.Scope> | Scope.Scope> =>
  engine.run(ladder, true, listener, (first) =>
    scopeWith((scope) => {
      let serving = first
      // A transcript is only shared by tiers with the same elements.
      let transcript = first.transcript as Transcript<A, unknown> | undefined
      let sent: unknown = transcript?.empty
      let finished = false
      let continuing: Fiber.Fiber<unknown, E> | undefined

      const finish = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
        Effect.uninterruptible(
          Effect.suspend(() => {
            if (finished) return Effect.void
            finished = true
            // Further pulls fail in the same way.
            sent = undefined
            const stopped = continuing === undefined ? Effect.void : Fiber.interrupt(continuing)
            return Effect.flatMap(stopped, () => serving.finish(exit))
          })
        )

      const breaks = (cause: Cause.Cause<E>): Effect.Effect<never, Option.Option<E>> =>
        Effect.zipRight(finish(Exit.failCause(cause)), Effect.failCause(Cause.map(cause, Option.some)))

      const onContinue = (next: Committed<Pull<A, E>, E2>): void => {
        serving = next
        transcript = next.transcript as Transcript<A, unknown> | undefined
        if (transcript === undefined) sent = undefined
        reading = fromServing()
      }

      /** In its own fiber, since the scope may close while another one reads. */
      const continueAfter = (cause: Cause.Cause<E>): Effect.Effect<unknown, E> =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(
            Effect.forkDaemon(Effect.interruptible(serving.continueFrom(cause, sent, onContinue))),
            (fiber) => {
              continuing = fiber
              return Effect.onInterrupt(restore(Fiber.join(fiber)), () => Fiber.interrupt(fiber))
            }
          )
        )

      const kept = (pull: Pull<A, E>, { add }: Transcript<A, unknown>): Pull<A, E> =>
        Effect.map(pull, (chunk) => {
          for (const element of chunk) sent = sent === undefined ? sent : add(sent, element)
          return chunk
        })

      // As few layers as possible, and made once: every chunk passes through each of them.
      const fromServing = (): Pull<A, E> =>
        Effect.catchAllCause(
          transcript === undefined ? serving.value : kept(serving.value, transcript),
          (cause) =>
            Option.match(Cause.flipCauseOption(cause), {
              onNone: () => Effect.zipRight(finish(Exit.void), Effect.fail(Option.none())),
              onSome: (cause) =>
                sent === undefined
                  ? breaks(cause)
                  : Effect.matchCauseEffect(continueAfter(cause), {
                      onSuccess: () => next,
                      onFailure: breaks
                    })
            })
        )
      let reading = fromServing()
      // Only a stream with a transcript can be continued.
      const next: Pull<A, E> = transcript === undefined ? reading : Effect.suspend(() => reading)

      const close: Close = (exit) => finish(asCallers(exit))
      return Effect.as(Scope.addFinalizerExit(scope, close), { ...first.served(), value: give(next, close) })
    })
  )

/** A failure of the caller is no failure of the tier: it counts as having left. */
const asCallers = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> =>
  Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause) ? Exit.interrupt(FiberId.none) : exit
