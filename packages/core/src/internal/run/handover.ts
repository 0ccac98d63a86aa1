import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { wait } from "../fiber/wait.ts"
import type { Pull } from "./pull.ts"

/** How many elements may lie ready for whoever takes them before no more are read. */
const capacity = 16

/**
 * Where the fiber that reads a stream leaves what it has read for the one that takes it. Plain and synchronous but for
 * their waits: a `Mailbox` would cost several times what a chunk is worth.
 */
export class Handover<A, E> {
  private ready = Chunk.empty<A>()
  private ended: Exit.Exit<void, E> | undefined
  private hasBegun = false
  private taker = nobody
  private giver = nobody

  /** Whether there is room for more, which before the first content there always is: {@link room} waits for it. */
  give(chunk: Chunk.Chunk<A>, isContent: boolean): boolean {
    this.ready = Chunk.isEmpty(this.ready) ? chunk : Chunk.appendAll(this.ready, chunk)
    this.hasBegun ||= isContent
    this.taker()
    return this.hasRoom()
  }

  /** No more will come than is here. The first end counts. */
  end(exit: Exit.Exit<void, E>): void {
    this.ended ??= exit
    this.taker()
  }

  /** All that is here, once there is any. */
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
      // Nobody has to take back the call for one that has left: what it was for is still here then.
      this.taker = () => {
        this.taker = nobody
        resume(Chunk.isEmpty(this.ready) ? take : taking)
      }
    })
    return take
  }

  readonly room: Effect.Effect<void> = wait((resume) => {
    // The giver may have given way to others since, and all of it been taken.
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
