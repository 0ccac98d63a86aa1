import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { DeadlineExceeded } from "../../Deadline.ts"
import { after, isOver, timeOf } from "../fiber/timer.ts"
import { Handover } from "./handover.ts"
import { Pace } from "./pace.ts"
import type { Opening, Pull } from "./pull.ts"
import { type Attempting, Underway } from "./underway.ts"

/**
 * A tier's stream ended before its first content. That counts as a failure of the tier.
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

interface Bounds {
  /** The longest silence between two pieces of content, in milliseconds. */
  readonly idle: number
  /** The longest time from its first content to its end, in milliseconds. */
  readonly maxStream: number
}

/**
 * An attempt at a stream. Its answer is the stream, from the first element, once the first content has arrived. The
 * attempt's own fiber reads it, so that one watchdog can end the stream, in place of a race per element.
 */
export const commit = <A, E, R>(
  open: Opening<A, E, R>,
  isContent: (element: A) => boolean,
  bounds: Bounds
): Effect.Effect<Pull<A, E | DeadlineExceeded>, E | EmptyStream, R | Scope.Scope> =>
  Effect.withFiberRuntime((fiber) => {
    const clock = Context.get(fiber.getFiberRef(DefaultServices.currentServices), Clock.Clock)
    // Only attempts run this.
    const attempt = Context.get(fiber.currentContext, Underway)!
    const reading = new Reading<A, E>(attempt, clock, isContent, bounds)
    return Effect.flatMap(open, (pull) => {
      // Not `Effect.forever`, which yields in every iteration.
      const all: Effect.Effect<never, Option.Option<E>, R> = Effect.flatMap(pull, (chunk) =>
        reading.give(chunk) ? all : Effect.zipRight(reading.room, all)
      )
      return Effect.catchAllCause(all, (cause) => reading.end(cause))
    })
  })

/**
 * The share of `maxStream` that elements may wait for the caller without counting: a chunk larger than the buffer
 * always waits a moment, however fast the caller is.
 */
const negligible = 0.01

class Reading<A, E> {
  private readonly attempt: Attempting
  private readonly clock: Clock.Clock
  private readonly isContent: (element: A) => boolean
  private readonly bounds: Bounds
  private readonly handover = new Handover<A, E | DeadlineExceeded>()
  private readonly pace = new Pace()
  private endsAt: number | undefined
  /** Silence counts only while the stream is being read, not while elements wait for the caller. */
  private silence = 0
  private listeningSince: number | undefined
  /** How long a full buffer has waited for the caller. */
  private unread = 0
  private unreadSince: number | undefined
  private cancelWatch: (() => void) | undefined
  private watchesSilence = false

  constructor(attempt: Attempting, clock: Clock.Clock, isContent: (element: A) => boolean, bounds: Bounds) {
    this.attempt = attempt
    this.clock = clock
    this.isContent = isContent
    this.bounds = bounds
    this.listeningSince = this.now()
  }

  /** Returns whether there is room for more. */
  give(chunk: Chunk.Chunk<A>): boolean {
    const at = this.now()
    let pieces = 0
    for (const element of Chunk.toReadonlyArray(chunk)) if (this.isContent(element)) pieces++
    this.silence = this.silentFor(at)
    if (pieces > 0) {
      this.pace.came(pieces, this.silence)
      this.silence = 0
    }
    const hasRoom = this.handover.give(chunk, pieces > 0)
    this.listeningSince = hasRoom ? at : undefined
    this.unreadSince = hasRoom ? undefined : at
    if (pieces > 0 && this.endsAt === undefined) this.begin(at)
    return hasRoom
  }

  readonly room: Effect.Effect<void> = Effect.map(this.handover.room, () => {
    const at = this.now()
    this.listeningSince = at
    this.unread = this.unreadFor(at)
    this.unreadSince = undefined
    if (this.watchesSilence) return
    this.cancelWatch?.()
    this.watch()
  })

  /** The normal end of a stream must not fail its scope, so that its connection can be reused. */
  end(cause: Cause.Cause<Option.Option<E>>): Effect.Effect<never, E | EmptyStream> {
    // Releasing its resources may take long, which does not count as silence.
    this.listeningSince = undefined
    return Option.match(Cause.flipCauseOption(cause), {
      // After it has begun, nobody reads this error.
      onNone: () => (this.endsAt === undefined ? new EmptyStream() : (Exit.void as Exit.Exit<never>)),
      onSome: Exit.failCause
    })
  }

  private begin(at: number): void {
    const { attempt, bounds, handover, pace } = this
    this.endsAt = at + bounds.maxStream
    attempt.begins(handover.take, pace, (exit) => {
      this.cancelWatch?.()
      handover.end(exit as Exit.Exit<void, E>)
    })
    // A bound of zero is exceeded now.
    this.watch()
  }

  private watch(): void {
    const { attempt, bounds, clock, handover } = this
    const at = this.now()
    // While the stream is not being read, silence does not grow, so it is not watched.
    this.watchesSilence = this.listeningSince !== undefined
    const left = {
      idle: this.watchesSilence ? bounds.idle - this.silentFor(at) : Number.POSITIVE_INFINITY,
      maxStream: this.endsAt! - at
    }
    const bound = left.maxStream <= left.idle ? "maxStream" : "idle"
    if (left[bound] === Number.POSITIVE_INFINITY) return
    if (!isOver(left[bound])) {
      this.cancelWatch = after(clock, left[bound], () => this.watch())
      return
    }
    const limit = Duration.millis(bounds[bound])
    const unread = Duration.millis(bound === "maxStream" ? this.unreadFor(at) : 0)
    const isCallers = Duration.toMillis(unread) > bounds[bound] * negligible
    handover.end(Exit.fail(new DeadlineExceeded({ bound, limit, ...(isCallers && { unread }) })))
    attempt.overruns()
  }

  private unreadFor(at: number): number {
    return this.unread + (this.unreadSince === undefined ? 0 : at - this.unreadSince)
  }

  private silentFor(at: number): number {
    return this.silence + (this.listeningSince === undefined ? 0 : at - this.listeningSince)
  }

  private now(): number {
    return timeOf(this.clock)
  }
}
