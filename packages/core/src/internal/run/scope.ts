import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

type State =
  | { readonly _tag: "Open"; readonly finalizers: Map<object, Scope.Scope.Finalizer> }
  | { readonly _tag: "Closed"; readonly exit: Exit.Exit<unknown, unknown> }

/**
 * The scope of an attempt: one of Effect's, with all that those can do, but that it has no state before something is
 * opened in it. Most attempts open nothing, or a connection, and close it with no effect but that one's.
 */
export class AttemptScope implements Scope.CloseableScope {
  declare readonly [Scope.ScopeTypeId]: Scope.ScopeTypeId
  declare readonly [Scope.CloseableScopeTypeId]: Scope.CloseableScopeTypeId
  declare readonly pipe: Scope.CloseableScope["pipe"]
  private known: State | undefined

  get strategy(): ExecutionStrategy.ExecutionStrategy {
    return ExecutionStrategy.sequential
  }

  get state(): State {
    this.known ??= { _tag: "Open", finalizers: new Map() }
    return this.known
  }

  set state(state: State) {
    this.known = state
  }

  /** `Scope.close`, which has happened already where there is nothing to wait for: an `Exit` then. */
  closing(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    const { known } = this
    if (known !== undefined && (known._tag === "Closed" || known.finalizers.size > 1)) {
      return Scope.close(this, exit)
    }
    this.known = { _tag: "Closed", exit }
    const [only] = known?.finalizers.values() ?? []
    return only === undefined ? Exit.void : only(exit)
  }
}

Object.setPrototypeOf(AttemptScope.prototype, Object.getPrototypeOf(Effect.runSync(Scope.make())))
