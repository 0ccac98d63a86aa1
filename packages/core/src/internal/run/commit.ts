import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Scope from "effect/Scope"
import { DeadlineExceeded } from "../../Deadline.ts"
import { Handover } from "./handover.ts"
import { letGo } from "./letGo.ts"
import { Pace } from "./pace.ts"
import type { Opening, Pull } from "./pull.ts"
import { AttemptScope } from "./scope.ts"
import { after } from "./timer.ts"
import { Underway } from "./underway.ts"

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
  readonly open: Opening<A, E, R>
  readonly isContent: (element: A) => boolean
  readonly idle: number
  readonly maxStream: number
}): Effect.Effect<Pull<A, E | DeadlineExceeded>, E | EmptyStream, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.flatMap(Effect.zip(Effect.clock, Underway), ([clock, attempt]) => {
    const { idle, isContent, maxStream } = options
    const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
    const handover = new Handover<A, E | DeadlineExceeded>()
    const pace = new Pace()
    // Silence is the stream's only while it is listened to, not while what it has said waits for the caller.
    let silence = 0
    let listeningSince: number | undefined = now()
    const silentFor = (at: number) => silence + (listeningSince === undefined ? 0 : at - listeningSince)

    const listening = Effect.map(handover.room, () => {
      listeningSince = now()
    })
    const give = (chunk: Chunk.Chunk<A>): boolean => {
      const at = now()
      let pieces = 0
      for (const element of Chunk.toReadonlyArray(chunk)) if (isContent(element)) pieces++
      silence = silentFor(at)
      if (pieces > 0) {
        pace.came(pieces, silence)
        silence = 0
      }
      const hasRoom = handover.give(chunk, pieces > 0)
      listeningSince = hasRoom ? at : undefined
      return hasRoom
    }
    const reading = Effect.flatMap(options.open, (pull) => {
      // Not `forever`, which gives way to others at every turn.
      const all: Effect.Effect<never, Option.Option<E>, R> = Effect.flatMap(pull, (chunk) =>
        give(chunk) ? all : Effect.zipRight(listening, all)
      )
      // Its end is no failure, for what it holds least of all: a connection is good for another one.
      return Effect.catchAllCause(all, endOf)
    })
    // What it holds is let go by whoever reads it, and so not before it is read no more.
    const held = new AttemptScope()
    const letItGo = (exit: Exit.Exit<void, E>): Effect.Effect<void> =>
      Effect.map(Effect.exit(held.closing(exit)), (closed) =>
        handover.end(Exit.zipWith(exit, closed, { onSuccess: () => {}, onFailure: Cause.sequential }))
      )

    let overdue = false
    let cancelWatch = () => {}
    const watch = (reader: Fiber.RuntimeFiber<void>, endsAt: number): void => {
      const at = now()
      const left = { idle: idle - silentFor(at), maxStream: endsAt - at }
      const bound = left.maxStream <= left.idle ? "maxStream" : "idle"
      if (left[bound] === Number.POSITIVE_INFINITY) return
      if (left[bound] >= nanosecond) {
        cancelWatch = after(clock, left[bound], () => watch(reader, endsAt))
        return
      }
      const limit = Duration.millis(bound === "idle" ? idle : maxStream)
      overdue = true
      handover.end(Exit.fail(new DeadlineExceeded({ bound, limit })))
      reader.unsafeInterruptAsFork(FiberId.none)
    }
    const stop = (reader: Fiber.RuntimeFiber<void>) =>
      Effect.suspend(() => {
        cancelWatch()
        return overdue ? letGo(reader) : Fiber.interrupt(reader)
      })

    // No watchdog yet: nothing but the stream itself can have failed.
    const begun = handover.begun as Effect.Effect<boolean, E>
    const started = Effect.withFiberRuntime<
      Fiber.RuntimeFiber<void>,
      never,
      Exclude<R, Scope.Scope> | Scope.Scope
    >((fiber, { runtimeFlags }) => {
      const around = fiber.currentContext as Context.Context<R | Scope.Scope>
      // The fiber begins with its scope: to put one into a fiber that runs, as `Effect.scoped` does, costs a few fibers.
      const reader = Runtime.runFork(
        Runtime.make({
          context: Context.add(around, Scope.Scope, held),
          fiberRefs: fiber.getFiberRefs(),
          runtimeFlags: RuntimeFlags.disable(runtimeFlags, RuntimeFlags.Interruption)
        }),
        Effect.matchCauseEffect(Effect.interruptible(reading), {
          onFailure: (cause) => letItGo(Exit.failCause(cause)),
          onSuccess: () => letItGo(Exit.void)
        })
      )
      return Effect.as(Scope.addFinalizer(Context.get(around, Scope.Scope), stop(reader)), reader)
    })
    return Effect.flatMap(Effect.uninterruptible(started), (reader) =>
      Effect.flatMap(begun, (hasBegun) => {
        if (!hasBegun) return new EmptyStream()
        if (attempt !== undefined) attempt.pace = pace
        watch(reader, now() + maxStream)
        return Effect.succeed(handover.take)
      })
    )
  })

const endOf = <E>(cause: Cause.Cause<Option.Option<E>>): Exit.Exit<void, E> =>
  Option.match(Cause.flipCauseOption(cause), { onNone: () => Exit.void, onSome: Exit.failCause })

/** What is left of less than that is rounding; to sleep for it could take no time at all. */
const nanosecond = 1e-6
