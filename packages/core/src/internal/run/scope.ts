import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

type State =
  | { readonly _tag: "Open"; readonly finalizers: Map<object, Scope.Scope.Finalizer> }
  | { readonly _tag: "Closed"; readonly exit: Exit.Exit<unknown, unknown> }

/**
 * The scope of an attempt: one of Effect's, with all that those can do, but that it has no state before a second thing is
 * opened in it. Most attempts open nothing, or a connection, and close it with no effect but that one's.
 */
export class AttemptScope implements Scope.CloseableScope {
  declare readonly [Scope.ScopeTypeId]: Scope.ScopeTypeId
  declare readonly [Scope.CloseableScopeTypeId]: Scope.CloseableScopeTypeId
  declare readonly pipe: Scope.CloseableScope["pipe"]
  private known: State | undefined
  private only: Scope.Scope.Finalizer | undefined

  get strategy(): ExecutionStrategy.ExecutionStrategy {
    return ExecutionStrategy.sequential
  }

  get state(): State {
    if (this.known === undefined) {
      this.known = { _tag: "Open", finalizers: new Map() }
      if (this.only !== undefined) this.known.finalizers.set({}, this.only)
    }
    return this.known
  }

  set state(state: State) {
    this.known = state
  }

  addFinalizer(finalizer: Scope.Scope.Finalizer): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.known === undefined && this.only === undefined) {
        this.only = finalizer
        return Effect.void
      }
      const { state } = this
      if (state._tag === "Closed") return finalizer(state.exit)
      state.finalizers.set({}, finalizer)
      return Effect.void
    })
  }

  /** `Scope.close`, which has happened already where there is nothing to wait for: an `Exit` then. */
  closing(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    if (this.known !== undefined) return Scope.close(this, exit)
    this.known = { _tag: "Closed", exit }
    return this.only === undefined ? Exit.void : this.only(exit)
  }
}

Object.setPrototypeOf(AttemptScope.prototype, Object.getPrototypeOf(Effect.runSync(Scope.make())))
