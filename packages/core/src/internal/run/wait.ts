import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as FiberId from "effect/FiberId"

type Register = (resume: (effect: Effect.Effect<void>) => void) => void

/** What Effect itself makes of a wait, to compare with. */
const made: unknown = (Effect.async((_) => {}) as { readonly commit?: () => unknown }).commit?.()

const isAsKnown =
  typeof made === "object" &&
  made !== null &&
  "_op" in made &&
  made._op === "Async" &&
  "effect_instruction_i0" in made &&
  typeof made.effect_instruction_i0 === "function" &&
  "effect_instruction_i1" in made

/** What a fiber suspends itself with; of an Effect that has come to do it otherwise, what that does. */
class Wait extends Effectable.Class<void> {
  readonly _op = isAsKnown ? "Async" : "Commit"
  readonly effect_instruction_i0: Register
  readonly effect_instruction_i1: FiberId.FiberId = FiberId.none

  constructor(register: Register) {
    super()
    this.effect_instruction_i0 = register
  }

  override commit(): Effect.Effect<void> {
    return Effect.async(this.effect_instruction_i0)
  }
}

/**
 * `Effect.async` without a turn of the run loop and the closures by which that lets others clean up: an attempt waits
 * but once, and for 700 bytes less.
 */
export const wait = (register: Register): Effect.Effect<void> => new Wait(register)
