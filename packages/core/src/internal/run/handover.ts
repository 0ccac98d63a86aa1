import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { wait } from "../fiber/wait.ts"
import type { Pull } from "./pull.ts"

/** How many elements are buffered before reading pauses. */
const capacity = 16

/**
 * The buffer between the fiber that reads a stream and the one that consumes it. Plain and synchronous except for their
 * waits: a `Mailbox` would cost several times as much per chunk.
 */
export class Handover<A, E> {
  private ready = Chunk.empty<A>()
  private ended: Exit.Exit<void, E> | undefined
  private hasBegun = false
  private taker = nobody
  private giver = nobody

  /**
   * Returns whether there is room for more, which is always the case before the first content; {@link room} waits for
   * it.
   */
  give(chunk: Chunk.Chunk<A>, isContent: boolean): boolean {
    this.ready = Chunk.isEmpty(this.ready) ? chunk : Chunk.appendAll(this.ready, chunk)
    this.hasBegun ||= isContent
    this.taker()
    return this.hasRoom()
  }

  /** Ends the buffer; what it holds can still be taken. Only the first call counts. */
  end(exit: Exit.Exit<void, E>): void {
    this.ended ??= exit
    this.taker()
  }

  /** Takes everything buffered, waiting until there is something. */
  get take(): Pull<A, E> {
    const taking = Effect.sync(() => {
      const { ready } = this
      this.ready = Chunk.empty()
      this.giver()
      return ready
    })
    const take: Pull<A, E> = wait((resume) => {
      const here = Chunk.isEmpty(this.ready) ? this.ended && pulled(this.ended) : taking
      if (here !== undefined) return resume(here)
      // An interrupted taker need not be unregistered: the elements stay in the buffer.
      this.taker = () => {
        this.taker = nobody
        resume(Chunk.isEmpty(this.ready) ? take : taking)
      }
    })
    return take
  }

  readonly room: Effect.Effect<void> = wait((resume) => {
    // The buffer may have been emptied since.
    if (this.hasRoom()) return resume(Effect.void)
    this.giver = () => {
      this.giver = nobody
      resume(Effect.void)
    }
  })

  private hasRoom(): boolean {
    return !this.hasBegun || this.ready.length < capacity
  }
}

const nobody = (): void => {}

const pulled = <E>(ended: Exit.Exit<void, E>): Exit.Exit<never, Option.Option<E>> =>
  Exit.isSuccess(ended) ? Exit.fail(Option.none()) : Exit.failCause(Cause.map(ended.cause, Option.some))
