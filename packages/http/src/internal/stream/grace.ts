import * as Deadline from "@understudy/core/Deadline"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

const grace = Duration.seconds(2)

/**
 * Keeps reading a complete answer only for a moment, and then ends it. Some upstreams send no end and keep the
 * connection open, and what they might still send, a count of tokens, is not worth a caller's wait.
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
