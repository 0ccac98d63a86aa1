import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as FiberId from "effect/FiberId"

type Register<A, E> = (resume: (effect: Effect.Effect<A, E>) => void) => void

/** Effect's own representation of a wait, for comparison. */
const made: unknown = (Effect.async((_) => {}) as { readonly commit?: () => unknown }).commit?.()

const isAsKnown =
  typeof made === "object" &&
  made !== null &&
  "_op" in made &&
  made._op === "Async" &&
  "effect_instruction_i0" in made &&
  typeof made.effect_instruction_i0 === "function" &&
  "effect_instruction_i1" in made

/** The run-loop instruction that suspends a fiber; if Effect's representation differs, Effect's own is used. */
class Wait<A, E> extends Effectable.Class<A, E> {
  readonly _op = isAsKnown ? "Async" : "Commit"
  readonly effect_instruction_i0: Register<A, E>
  readonly effect_instruction_i1: FiberId.FiberId = FiberId.none

  constructor(register: Register<A, E>) {
    super()
    this.effect_instruction_i0 = register
  }

  override commit(): Effect.Effect<A, E> {
    return Effect.async(this.effect_instruction_i0)
  }
}

/**
 * `Effect.async` without clean-up: one run-loop iteration and 700 bytes of closures less. After an interruption the
 * callback is ignored, so `register` must have nothing to undo.
 *
 * @example
 * import { Effect } from "effect"
 * import { Thin } from "@understudy/core"
 *
 * const later = Thin.wait<string>((resume) => queueMicrotask(() => resume(Effect.succeed("here"))))
 *
 * console.log(await Effect.runPromise(later)) // => here
 *
 * @since 0.1.0
 * @category constructors
 */
export const wait = <A = void, E = never>(
  register: (resume: (effect: Effect.Effect<A, E>) => void) => void
): Effect.Effect<A, E> => new Wait(register)
