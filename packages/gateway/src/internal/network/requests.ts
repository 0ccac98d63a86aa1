import * as Thin from "@understudy/core/Thin"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Scope from "effect/Scope"
import * as Turns from "./turns.ts"

/** The requests in flight. */
interface Requests {
  /** A connection has been accepted. */
  readonly accepted: () => void
  /** Answers a request in its own fiber and scope. */
  readonly start: (
    answer: Effect.Effect<void, never, Scope.Scope>,
    onEnd: (exit: Exit.Exit<unknown>) => void
  ) => Fiber.RuntimeFiber<unknown>
  readonly count: Effect.Effect<number>
  readonly awaitNone: Effect.Effect<void>
  readonly interruptAll: Effect.Effect<void>
}

/** Interrupts the requests in flight when the scope closes. */
export const make: Effect.Effect<Requests, never, Scope.Scope> = Effect.withFiberRuntime(
  (around, { runtimeFlags }) => {
    const all = new All()
    const turns = Turns.make()
    // They share one scheduler, since Effect's own keeps a queue for every waiting fiber.
    const locals = Thin.localsOf(around, turns)
    const context = around.currentContext as Context.Context<Scope.Scope>
    // The handler is interruptible, the closing of its scope is not.
    const flags = RuntimeFlags.disable(runtimeFlags, RuntimeFlags.Interruption)
    const interruptAll = Effect.suspend(() => Fiber.interruptAll(all.fibers()))
    const start: Requests["start"] = (answer, onEnd) => {
      const scope = Thin.makeScope()
      const fiber = locals.fork(
        Effect.matchCauseEffect(Thin.interruptible(answer), {
          onFailure: (cause) => {
            const exit = Exit.failCause(cause)
            return Effect.zipRight(scope.closing(exit), exit)
          },
          onSuccess: () => scope.closing(Exit.void)
        }),
        // The fiber starts with its scope: adding one to a running fiber, as `Effect.scoped` does, costs as much as a
        // few fibers.
        Thin.contextWith(context, Scope.Scope, scope),
        flags
      )
      all.add(fiber, onEnd)
      return fiber
    }
    return Effect.as(
      Effect.addFinalizer(() => interruptAll),
      {
        accepted: turns.accepted,
        start,
        count: Effect.sync(() => all.count),
        awaitNone: all.none,
        interruptAll
      }
    )
  }
)

interface Place {
  readonly fiber: Fiber.RuntimeFiber<unknown>
  index: number
}

/**
 * An unordered list and not a `Set`: once a Set is in the old generation, its former tables stay alive until a full
 * collection, and with them requests that ended long ago.
 */
class All {
  private readonly places: Array<Place> = []
  private onNone = (): void => {}

  readonly none: Effect.Effect<void> = Effect.async((resume) => {
    if (this.places.length === 0) resume(Effect.void)
    else this.onNone = () => resume(Effect.void)
  })

  get count(): number {
    return this.places.length
  }

  fibers(): ReadonlyArray<Fiber.RuntimeFiber<unknown>> {
    return this.places.map(({ fiber }) => fiber)
  }

  add(fiber: Fiber.RuntimeFiber<unknown>, onEnd: (exit: Exit.Exit<unknown>) => void): void {
    const place = { fiber, index: this.places.length }
    this.places.push(place)
    fiber.addObserver((exit) => {
      this.remove(place)
      onEnd(exit)
    })
  }

  private remove(place: Place): void {
    const last = this.places.pop()
    if (last !== undefined && last !== place) {
      last.index = place.index
      this.places[last.index] = last
    }
    if (this.places.length === 0) this.onNone()
  }
}
