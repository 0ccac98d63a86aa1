import * as Cause from "effect/Cause"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { DeadlineExceeded } from "../Deadline.ts"
import type { Committed } from "./committed.ts"
import * as engine from "./engine.ts"
import type { AllTiersFailed, Ladder, Served, Transcript } from "./ladder.ts"

type Begun<A, E> = Stream.Stream<A, E | DeadlineExceeded>

/**
 * Runs a ladder of streams to its commit point. The stream that comes of it is the serving tier's, and where that
 * breaks off and another tier goes on with it, that one's.
 */
export const given = <A, E, E2, R>(
  ladder: Ladder<Begun<A, E>, E2, R>
): Effect.Effect<Served<Begun<A, E>, E2>, E2 | AllTiersFailed<E2>, Exclude<R, Scope.Scope> | Scope.Scope> =>
  engine.run(ladder, true, (first) =>
    Effect.flatMap(Effect.scope, (scope) => {
      let serving = first
      let broken: Exit.Exit<never, unknown> | undefined
      let finished = false

      const close = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
        Effect.suspend(() => {
          if (finished) return Effect.void
          finished = true
          return serving.finish(broken ?? asCallers(exit))
        })

      const breaks = <F>(cause: Cause.Cause<F>): Exit.Exit<never, F> => {
        const exit = Exit.failCause(cause)
        broken = exit
        return exit
      }

      const read = (committed: Committed<Begun<A, E>, E2>, before: unknown): Begun<A, E> => {
        serving = committed
        // The ladder keeps it with the tiers of whose elements it is made.
        const transcript = committed.transcript as Transcript<A, unknown> | undefined
        let sent = transcript && (before ?? transcript.empty)
        const keep = (chunk: Chunk.Chunk<A>): Chunk.Chunk<A> => {
          for (const element of chunk) sent = sent === undefined ? sent : transcript?.add(sent, element)
          return chunk
        }
        const stream = transcript === undefined ? committed.value : Stream.mapChunks(committed.value, keep)
        return Stream.catchAllCause(stream, (cause) => {
          const next =
            sent === undefined
              ? Effect.failCause(cause)
              : committed.goOn(cause, sent, (next) => read(next, sent))
          return Stream.unwrap(Effect.catchAllCause(next, breaks))
        })
      }

      // The run ends as its stream does, which may be long before the scope around it is left.
      return Effect.as(Scope.addFinalizerExit(scope, close), {
        ...first.served(),
        value: Stream.ensuringWith(read(first, undefined), close)
      })
    })
  )

/** What a caller fails with is no failure of the tier: it has left. */
const asCallers = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> =>
  Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause) ? Exit.interrupt(FiberId.none) : exit
