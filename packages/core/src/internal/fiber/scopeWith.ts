import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"

/**
 * `Effect.scopeWith` in one run-loop iteration.
 *
 * @example
 * import { Effect, Scope } from "effect"
 * import { Thin } from "@understudy/core"
 *
 * const open = Thin.scopeWith((scope) => Effect.as(Scope.addFinalizer(scope, Effect.void), "open"))
 *
 * console.log(Effect.runSync(Effect.scoped(open))) // => open
 *
 * @since 0.1.0
 * @category context
 */
export const scopeWith = <A, E, R>(
  f: (scope: Scope.Scope) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.withFiberRuntime(({ currentContext }) =>
    f(Context.unsafeGet(currentContext as Context.Context<Scope.Scope>, Scope.Scope))
  )
