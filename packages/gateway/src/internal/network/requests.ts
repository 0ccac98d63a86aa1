import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Scope from "effect/Scope"

/** The requests under way. */
export interface Requests {
  /** Answers one in a fiber and a scope of its own. */
  readonly start: (answer: Effect.Effect<void, never, Scope.Scope>) => Fiber.RuntimeFiber<void>
  readonly count: Effect.Effect<number>
  readonly awaitNone: Effect.Effect<void>
  readonly interruptAll: Effect.Effect<void>
}

/** Those that are under way when the scope closes are interrupted. */
export const make: Effect.Effect<Requests, never, Scope.Scope> = Effect.gen(function* () {
  const fibers = yield* FiberSet.make<void>()
  const { context, fiberRefs, runtimeFlags } = yield* Effect.runtime()
  // What answers can be interrupted, the closing of its scope cannot.
  const flags = RuntimeFlags.disable(runtimeFlags, RuntimeFlags.Interruption)
  return {
    start: (answer) => {
      const scope = Effect.runSync(Scope.make())
      const own = Runtime.make({
        // The fiber begins with its scope: to put one into a fiber that runs, as `Effect.scoped` does, costs a few fibers.
        context: Context.add(context, Scope.Scope, scope),
        fiberRefs,
        runtimeFlags: flags
      })
      const fiber = Runtime.runFork(
        own,
        Effect.matchCauseEffect(Effect.interruptible(answer), {
          onFailure: (cause) => {
            const exit = Exit.failCause(cause)
            return Effect.zipRight(Scope.close(scope, exit), exit)
          },
          onSuccess: () => Scope.close(scope, Exit.void)
        })
      )
      FiberSet.unsafeAdd(fibers, fiber)
      return fiber
    },
    count: FiberSet.size(fibers),
    awaitNone: FiberSet.awaitEmpty(fibers),
    interruptAll: FiberSet.clear(fibers)
  }
})
