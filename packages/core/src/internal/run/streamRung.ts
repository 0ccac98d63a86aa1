import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { constTrue } from "effect/Function"
import type * as Scope from "effect/Scope"
import type { DeadlineExceeded } from "../../Deadline.ts"
import { commit, type EmptyStream } from "./commit.ts"
import type { Transcript } from "./ladder.ts"
import type { Opening, Pull } from "./pull.ts"
import type { Continuation } from "./rung.ts"

/** The result of an attempt at a stream: the elements so far and to come. */
export type Begun<A, E> = Pull<A, E | DeadlineExceeded>

/** Safe: the engine passes a transcript's state only to tiers with the same transcript. */
export const continuation = <A, E, R, S, R2>(
  options: {
    readonly transcript?: Transcript<A, S> | undefined
    readonly resume?: ((sent: S) => Opening<A, E, R2>) | undefined
  },
  attempt: (open: Opening<A, E, R2>) => Effect.Effect<Begun<A, E>, E | EmptyStream, R>
): Continuation<Begun<A, E>, E | EmptyStream, R> => {
  const { resume } = options
  return {
    transcript: options.transcript as Transcript<never, unknown> | undefined,
    resume: resume && ((sent) => attempt(Effect.suspend(() => resume(sent as S))))
  }
}

/** An attempt at a stream, which succeeds at its first content. */
export const committed = <A, E, R>({
  idle = Duration.infinity,
  isContent = constTrue,
  maxStream = Duration.infinity,
  open
}: {
  readonly open: Opening<A, E, R>
  readonly isContent?: ((element: A) => boolean) | undefined
  readonly idle?: Duration.DurationInput | undefined
  readonly maxStream?: Duration.DurationInput | undefined
}): Effect.Effect<Begun<A, E>, E | EmptyStream, Exclude<R, Scope.Scope>> =>
  commit(open, isContent, {
    idle: Duration.toMillis(idle),
    maxStream: Duration.toMillis(maxStream)
  }) as Effect.Effect<Begun<A, E>, E | EmptyStream, Exclude<R, Scope.Scope>>
