import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { DeadlineExceeded } from "../../Deadline.ts"
import { Handover, type Pull } from "./handover.ts"
import { letGo } from "./letGo.ts"

/**
 * A tier's stream ended before its first element that counts. For a model that is no answer: the tier has failed.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { FallbackStream } from "@understudy/core"
 *
 * const silent = FallbackStream.tier({ name: "silent", stream: Stream.empty })
 * const error = await Effect.runPromise(Effect.flip(Stream.runDrain(silent)))
 *
 * console.log(error._tag) // => EmptyStream
 *
 * @since 0.1.0
 * @category errors
 */
export class EmptyStream extends Data.TaggedError("EmptyStream") {
  override get message(): string {
    return "the stream ended before its first content"
  }
}

/**
 * Reads a stream up to its first content and gives back all of it, read and unread; the stream lives on in the
 * scope. One fiber reads, so that a single watchdog can end the stream instead of a race at every element.
 */
export const commit = <A, E, R>(options: {
  readonly stream: Stream.Stream<A, E, R>
  readonly isContent: (element: A) => boolean
  readonly idle: number
  readonly maxStream: number
}): Effect.Effect<Pull<A, E | DeadlineExceeded>, E | EmptyStream, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const { idle, isContent, maxStream } = options
    const clock = yield* Effect.clock
    const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
    const handover = new Handover<A, E | DeadlineExceeded>()
    // Silence is the stream's only while it is listened to, not while what it has said waits for the caller.
    let silence = 0
    let listeningSince: number | undefined = now()
    const silentFor = (at: number) => silence + (listeningSince === undefined ? 0 : at - listeningSince)

    const give = (chunk: Chunk.Chunk<A>): Effect.Effect<void> => {
      const isSaid = Chunk.some(chunk, isContent)
      silence = isSaid ? 0 : silentFor(now())
      listeningSince = undefined
      return Effect.map(handover.give(chunk, isSaid), () => {
        listeningSince = now()
      })
    }
    const reading = Stream.toPull(options.stream).pipe(
      Effect.flatMap((pull) => {
        // Not `forever`, which gives way to others at every turn.
        const all: Effect.Effect<never, Option.Option<E>, R> = Effect.flatMap(pull, (chunk) =>
          Effect.flatMap(give(chunk), () => all)
        )
        return all
      }),
      // What it holds is let go by whoever reads it, and so not before it is read no more.
      Effect.scoped,
      Effect.catchAllCause((cause) => Effect.sync(() => handover.end(cause))),
      Effect.interruptible
    )
    let overdue = false
    const reader = yield* Effect.acquireRelease(Effect.forkDaemon(reading), (reader) =>
      overdue ? letGo(reader) : Fiber.interrupt(reader)
    )

    // No watchdog yet: nothing but the stream itself can have failed.
    const begun = handover.begun as Effect.Effect<boolean, E>
    if (!(yield* begun)) return yield* new EmptyStream()

    const endsAt = now() + maxStream
    const watch = Effect.gen(function* () {
      for (;;) {
        const at = now()
        const left = { idle: idle - silentFor(at), maxStream: endsAt - at }
        const bound = left.maxStream <= left.idle ? "maxStream" : "idle"
        if (left[bound] < nanosecond) {
          const limit = Duration.millis(bound === "idle" ? idle : maxStream)
          overdue = true
          handover.end(Cause.fail(Option.some(new DeadlineExceeded({ bound, limit }))))
          return yield* Effect.fiberIdWith((id) => Fiber.interruptAsFork(reader, id))
        }
        yield* Effect.sleep(Duration.millis(left[bound]))
      }
    })
    if (Math.min(idle, maxStream) < Number.POSITIVE_INFINITY) {
      yield* Effect.forkScoped(Effect.interruptible(watch))
    }

    return handover.take
  })

/** What is left of less than that is rounding; to sleep for it could take no time at all. */
const nanosecond = 1e-6
