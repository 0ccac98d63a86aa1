import * as Deadline from "@understudy/core/Deadline"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

const grace = Duration.seconds(2)

/**
 * Reads on only for a moment, now that there is all that matters, and then says that it was the end. Some upstreams
 * neither say so nor hang up, and what they might still send, a count of tokens, is not worth a caller's wait.
 */
export const endSoon = <E>(
  read: Effect.Effect<Uint8Array | undefined, E>
): Effect.Effect<Uint8Array | undefined, E> => {
  let endsAt: bigint | undefined
  return Effect.flatMap(Clock.currentTimeNanos, (now) => {
    endsAt ??= now + Duration.unsafeToNanos(grace)
    return Effect.map(Deadline.timeoutOption(read, Duration.nanos(endsAt - now)), Option.getOrUndefined)
  })
}
