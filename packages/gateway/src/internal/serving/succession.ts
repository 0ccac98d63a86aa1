import * as Thin from "@understudy/core/Thin"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

/** One of a kind that is in use, and takes its time to go when another one takes its place. */
interface Succession<A> {
  /** Who is in office. */
  readonly current: () => A
  /** The same, who stays until the scope closes even if another one comes meanwhile. */
  readonly use: Effect.Effect<A, never, Scope.Scope>
  /** Whoever is in use goes when the last user has gone. */
  readonly replace: <E, R>(next: Effect.Effect<A, E, R>) => Effect.Effect<void, E, Exclude<R, Scope.Scope>>
}

interface Reign<A> {
  readonly value: A
  readonly scope: Scope.CloseableScope
  users: number
}

/** Begins with the first one; the end of the scope is that of whoever is there then, used or not. */
export const make = <A, E, R>(
  first: Effect.Effect<A, E, R>
): Effect.Effect<Succession<A>, E, R | Scope.Scope> =>
  Effect.gen(function* () {
    // All go where the first one began: whatever began since may still need whoever came later.
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
        // Before it enters, so that nothing can come between the two.
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
