import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

type State =
  | { readonly _tag: "Open"; readonly finalizers: Map<object, Scope.Scope.Finalizer> }
  | { readonly _tag: "Closed"; readonly exit: Exit.Exit<unknown, unknown> }

interface Added {
  readonly finalizer: Scope.Scope.Finalizer
  readonly before: Added | undefined
}

/**
 * A full Effect `Scope` that is created synchronously and allocates no table until it is forked.
 *
 * @since 0.1.0
 * @category models
 */
export interface ThinScope extends Scope.CloseableScope {
  /** `Scope.close`, started at once. If the scope is empty it is already complete, and this is an `Exit`. */
  readonly closing: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown>
}

/**
 * Makes a scope synchronously.
 *
 * @example
 * import { Console, Effect, Exit, Scope } from "effect"
 * import { Thin } from "@understudy/core"
 *
 * const scope = Thin.makeScope()
 * const opened = Scope.addFinalizer(scope, Console.log("closed"))
 * const used = Effect.flatMap(opened, () => scope.closing(Exit.void))
 *
 * Effect.runSync(used) // => closed
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeScope = (): ThinScope => new Listed()

class Listed implements ThinScope {
  declare readonly [Scope.ScopeTypeId]: Scope.ScopeTypeId
  declare readonly [Scope.CloseableScopeTypeId]: Scope.CloseableScopeTypeId
  declare readonly pipe: Scope.CloseableScope["pipe"]
  private known: State | undefined
  private last: Added | undefined

  get strategy(): ExecutionStrategy.ExecutionStrategy {
    return ExecutionStrategy.sequential
  }

  get state(): State {
    if (this.known === undefined) {
      const finalizers: Array<Scope.Scope.Finalizer> = []
      for (let added = this.last; added !== undefined; added = added.before)
        finalizers.unshift(added.finalizer)
      this.known = { _tag: "Open", finalizers: new Map(finalizers.map((finalizer) => [{}, finalizer])) }
      this.last = undefined
    }
    return this.known
  }

  set state(state: State) {
    this.known = state
  }

  addFinalizer(finalizer: Scope.Scope.Finalizer): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.known === undefined) {
        this.last = { finalizer, before: this.last }
        return Effect.void
      }
      if (this.known._tag === "Closed") return finalizer(this.known.exit)
      this.known.finalizers.set({}, finalizer)
      return Effect.void
    })
  }

  closing(exit: Exit.Exit<unknown, unknown>): Effect.Effect<unknown> {
    if (this.known !== undefined) return Scope.close(this, exit)
    this.known = { _tag: "Closed", exit }
    const { last } = this
    this.last = undefined
    if (last === undefined) return Exit.void
    return last.before === undefined ? last.finalizer(exit) : finalize(last, exit)
  }
}

/** Runs finalizers in reverse order; their failures are combined after all have run. */
const finalize = (
  { before, finalizer }: Added,
  exit: Exit.Exit<unknown, unknown>,
  failed?: Cause.Cause<never>
): Effect.Effect<unknown> => {
  const then = (failed: Cause.Cause<never> | undefined): Effect.Effect<unknown> => {
    if (before !== undefined) return finalize(before, exit, failed)
    return failed === undefined ? Exit.void : Exit.failCause(failed)
  }
  return Effect.matchCauseEffect(finalizer(exit), {
    onSuccess: () => then(failed),
    onFailure: (cause) => then(failed === undefined ? cause : Cause.sequential(failed, cause))
  })
}

Object.setPrototypeOf(Listed.prototype, Object.getPrototypeOf(Effect.runSync(Scope.make())))
