import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** What comes next of a stream: it fails with `None` at the end. */
export type Pull<A, E> = Effect.Effect<Chunk.Chunk<A>, Option.Option<E>>

/** How many elements may lie ready for whoever takes them before no more are read. */
const capacity = 16

/**
 * Where the fiber that reads a stream leaves what it has read for the one that takes it. Plain and synchronous but for
 * their waits: a `Mailbox` would cost several times what a chunk is worth.
 */
export class Handover<A, E> {
  private ready = Chunk.empty<A>()
  private ended: Cause.Cause<Option.Option<E>> | undefined
  private hasBegun = false
  private taker = () => {}
  private giver = () => {}

  /** Waits until there is room; before the first content there always is. */
  give(chunk: Chunk.Chunk<A>, isContent: boolean): Effect.Effect<void> {
    this.ready = Chunk.appendAll(this.ready, chunk)
    this.hasBegun ||= isContent
    this.taker()
    return this.isFull() ? this.room : Effect.void
  }

  /** No more will come than is here. The first end counts. */
  end(cause: Cause.Cause<Option.Option<E>>): void {
    this.ended ??= cause
    this.taker()
  }

  /** Waits for the first content; `false` where the stream ended without. */
  get begun(): Effect.Effect<boolean, E> {
    return this.waited(() => {
      if (this.hasBegun) return Effect.succeed(true)
      if (this.ended === undefined) return undefined
      return Option.match(Cause.flipCauseOption(this.ended), {
        onNone: () => Effect.succeed(false),
        onSome: Effect.failCause
      })
    })
  }

  /** All that is here, once there is any. */
  get take(): Pull<A, E> {
    return this.waited(() => {
      const { ended, ready } = this
      if (Chunk.isEmpty(ready)) return ended && Effect.failCause(ended)
      this.ready = Chunk.empty()
      this.giver()
      return Effect.succeed(ready)
    })
  }

  private isFull(): boolean {
    return this.hasBegun && this.ready.length >= capacity
  }

  private readonly room = Effect.async<void>((resume) => {
    this.giver = () => {
      this.giver = () => {}
      resume(Effect.void)
    }
  })

  private waited<B, F>(look: () => Effect.Effect<B, F> | undefined): Effect.Effect<B, F> {
    return Effect.suspend(
      () =>
        look() ??
        Effect.async<B, F>((resume) => {
          this.taker = () => {
            const seen = look()
            if (seen === undefined) return
            this.taker = () => {}
            resume(seen)
          }
          return Effect.sync(() => {
            this.taker = () => {}
          })
        })
    )
  }
}
