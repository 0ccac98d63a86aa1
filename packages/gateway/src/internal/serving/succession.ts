import * as Thin from "@understudy/core/Thin"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

/** A resource that can be replaced while it is in use, and is released after its last use. */
interface Succession<A> {
  /** The current one. */
  readonly current: () => A
  /** The current one, kept until the scope closes even if it is replaced meanwhile. */
  readonly use: Effect.Effect<A, never, Scope.Scope>
  /** Replaces the current one, which is released after its last use. */
  readonly replace: <E, R>(next: Effect.Effect<A, E, R>) => Effect.Effect<void, E, Exclude<R, Scope.Scope>>
}

interface Reign<A> {
  readonly value: A
  readonly scope: Scope.CloseableScope
  users: number
}

/** Starts with the first one. Closing the scope releases whatever is left, in use or not. */
export const make = <A, E, R>(
  first: Effect.Effect<A, E, R>
): Effect.Effect<Succession<A>, E, R | Scope.Scope> =>
  Effect.gen(function* () {
    // All are released where the first one was acquired, since whatever was acquired after that may still use the later
    // ones.
    const all = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const begin = <E, R>(next: Effect.Effect<A, E, R>) =>
      Effect.gen(function* () {
        const scope = yield* Scope.fork(all, all.strategy)
        const value = yield* Effect.onError(Scope.extend(next, scope), (cause) =>
          Scope.close(scope, Exit.failCause(cause))
        )
        return { value, scope, users: 0 }
      })
    let current: Reign<A> = yield* begin(first)
    const endIfDone = (reign: Reign<A>) =>
      reign !== current && reign.users === 0 ? Scope.close(reign.scope, Exit.void) : Effect.void
    return {
      current: () => current.value,
      use: Thin.scopeWith((scope) => {
        let served: Reign<A> | undefined
        const leaves = () =>
          Effect.suspend(() => {
            if (served === undefined) return Effect.void
            served.users--
            return endIfDone(served)
          })
        // Registered before it enters, so that nothing can come in between.
        return Effect.map(Scope.addFinalizerExit(scope, leaves), () => {
          served = current
          served.users++
          return served.value
        })
      }),
      replace: (next) =>
        Effect.uninterruptible(
          Effect.flatMap(begin(next), (reign) => {
            const before = current
            current = reign
            return endIfDone(before)
          })
        )
    }
  })
