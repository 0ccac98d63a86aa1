import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

const grace = Duration.seconds(2)

/**
 * Ends a stream, and well, a moment after it has all that matters. Some upstreams then neither say so nor hang up,
 * and what they might still send, a count of tokens, is not worth a caller's wait.
 */
export const endSoonAfter = <A, E>(stream: Stream.Stream<A, E>, hasAll: () => boolean): Stream.Stream<A, E> =>
  Stream.fromPull(
    Effect.map(Stream.toPull(stream), (pull) => {
      let endsAt: bigint | undefined
      const pullInTime = Effect.flatMap(Clock.currentTimeNanos, (now) => {
        endsAt ??= now + Duration.unsafeToNanos(grace)
        return Effect.timeoutFail(pull, { duration: Duration.nanos(endsAt - now), onTimeout: Option.none })
      })
      return Effect.suspend(() => (hasAll() ? pullInTime : pull))
    })
  )
