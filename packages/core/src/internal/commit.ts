import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Mailbox from "effect/Mailbox"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Bound, DeadlineExceeded } from "../Deadline.ts"

/** The stream ended before its first element that counts. */
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
}): Effect.Effect<Stream.Stream<A, E | DeadlineExceeded>, E | EmptyStream, R | Scope.Scope> =>
  Effect.gen(function* () {
    const { idle, isContent, maxStream } = options
    const clock = yield* Effect.clock
    const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
    const mailbox = yield* Mailbox.make<A, E | DeadlineExceeded>({ capacity: 16 })
    // While the reader waits for the caller to take what it has, the silence is not the stream's.
    let quietSince: number | undefined = now()

    const reader = yield* options.stream.pipe(
      Stream.runForEachChunk((chunk) => {
        const arrived = now()
        const quiet = Chunk.some(chunk, isContent) ? 0 : arrived - (quietSince ?? arrived)
        quietSince = undefined
        return Effect.map(mailbox.offerAll(chunk), () => {
          quietSince = now() - quiet
        })
      }),
      Mailbox.into(mailbox),
      Effect.interruptible,
      Effect.forkScoped
    )

    // No watchdog yet: nothing but the stream itself can fail the mailbox.
    const takeAll = mailbox.takeAll as Effect.Effect<readonly [Chunk.Chunk<A>, boolean], E>
    let head = Chunk.empty<A>()
    while (true) {
      const [chunk, done] = yield* takeAll
      head = Chunk.appendAll(head, chunk)
      if (Chunk.some(chunk, isContent)) break
      if (done) return yield* new EmptyStream()
    }

    const endsAt = now() + maxStream
    const overdue = (at: number): Bound | undefined =>
      at >= endsAt ? "maxStream" : at >= (quietSince ?? at) + idle ? "idle" : undefined
    const watch = Effect.gen(function* () {
      for (;;) {
        const at = now()
        const bound = overdue(at)
        if (bound !== undefined) {
          const limit = Duration.millis(bound === "idle" ? idle : maxStream)
          yield* mailbox.fail(new DeadlineExceeded({ bound, limit }))
          return yield* Fiber.interruptFork(reader)
        }
        yield* Effect.sleep(Duration.millis(Math.min(endsAt, (quietSince ?? at) + idle) - at))
      }
    })
    if (Math.min(idle, maxStream) < Number.POSITIVE_INFINITY) {
      yield* Effect.forkScoped(Effect.interruptible(watch))
    }

    return Stream.concat(Stream.fromChunk(head), Mailbox.toStream(mailbox))
  })
