import * as Cause from "effect/Cause"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Committed } from "./committed.ts"
import * as engine from "./engine.ts"
import type { Pull } from "./handover.ts"
import type { AllTiersFailed, Ladder, Served, Transcript } from "./ladder.ts"
import type { Listening } from "./observer.ts"

/**
 * Runs a ladder of streams to its commit point. The stream that comes of it is the serving tier's, and where that
 * breaks off and another tier goes on with it, that one's.
 */
export const given = <A, E, E2, R>(
  ladder: Ladder<Pull<A, E>, E2, R>,
  listener?: Listening
): Effect.Effect<
  Served<Stream.Stream<A, E>, E2>,
  E2 | AllTiersFailed<E2>,
  Exclude<R, Scope.Scope> | Scope.Scope
> =>
  engine.run(ladder, true, listener, (first) =>
    Effect.flatMap(Effect.scope, (scope) => {
      let serving = first
      // The ladder keeps it with the tiers of whose elements it is made.
      let transcript = first.transcript as Transcript<A, unknown> | undefined
      let sent: unknown = transcript?.empty
      let broken: Exit.Exit<never, unknown> | undefined
      let finished = false

      const close = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
        Effect.suspend(() => {
          if (finished) return Effect.void
          finished = true
          return serving.finish(broken ?? asCallers(exit))
        })

      const breaks = (cause: Cause.Cause<E>): Effect.Effect<never, Option.Option<E>> => {
        broken = Exit.failCause(cause)
        return Effect.failCause(Cause.map(cause, Option.some))
      }

      const goesOn = (next: Committed<Pull<A, E>, E2>): void => {
        serving = next
        transcript = next.transcript as Transcript<A, unknown> | undefined
        if (transcript === undefined) sent = undefined
      }

      const keep = (chunk: Chunk.Chunk<A>): Chunk.Chunk<A> => {
        if (transcript === undefined) return chunk
        for (const element of chunk) sent = sent === undefined ? sent : transcript.add(sent, element)
        return chunk
      }

      // One layer for all there is to do at every chunk: a stream pays for each of its layers.
      const next: Pull<A, E> = Effect.suspend(() =>
        Effect.matchCauseEffect(serving.value, {
          onSuccess: (chunk) => Effect.succeed(keep(chunk)),
          onFailure: (cause) =>
            Option.match(Cause.flipCauseOption(cause), {
              onNone: () => Effect.fail(Option.none()),
              onSome: (cause) =>
                sent === undefined
                  ? breaks(cause)
                  : Effect.matchCauseEffect(serving.goOn(cause, sent, goesOn), {
                      onSuccess: () => next,
                      onFailure: breaks
                    })
            })
        })
      )

      // The run ends as its stream does, which may be long before the scope around it is left.
      return Effect.as(Scope.addFinalizerExit(scope, close), {
        ...first.served(),
        value: Stream.ensuringWith(Stream.repeatEffectChunkOption(next), close)
      })
    })
  )

/** What a caller fails with is no failure of the tier: it has left. */
const asCallers = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> =>
  Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause) ? Exit.interrupt(FiberId.none) : exit
