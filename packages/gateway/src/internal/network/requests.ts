import * as Thin from "@understudy/core/Thin"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Scope from "effect/Scope"
import * as Turns from "./turns.ts"

/** The requests under way. */
interface Requests {
  /** A connection has come that a request may come by. */
  readonly accepted: () => void
  /** Answers one in a fiber and a scope of its own. */
  readonly start: (
    answer: Effect.Effect<void, never, Scope.Scope>,
    onEnd: (exit: Exit.Exit<unknown>) => void
  ) => Fiber.RuntimeFiber<unknown>
  readonly count: Effect.Effect<number>
  readonly awaitNone: Effect.Effect<void>
  readonly interruptAll: Effect.Effect<void>
}

/** Those that are under way when the scope closes are interrupted. */
export const make: Effect.Effect<Requests, never, Scope.Scope> = Effect.withFiberRuntime(
  (around, { runtimeFlags }) => {
    const all = new All()
    const turns = Turns.make()
    // All of them have one scheduler: Effect's own has a queue for every fiber that ever waits.
    const locals = Thin.localsOf(around, turns)
    const context = around.currentContext as Context.Context<Scope.Scope>
    // What answers can be interrupted, the closing of its scope cannot.
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
        // The fiber begins with its scope: to put one into a fiber that runs, as `Effect.scoped` does, costs a few fibers.
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
 * In no order, and no `Set`: of one that has grown old V8 keeps every table that it has ever had until a whole
 * collection, with all that was in it, and so requests that are long over.
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
