import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"

/** Effect's own representation, for comparison. */
const made: unknown = Effect.interruptible(Effect.void)

const flags =
  typeof made === "object" &&
  made !== null &&
  "_op" in made &&
  made._op === "UpdateRuntimeFlags" &&
  "effect_instruction_i0" in made &&
  "effect_instruction_i1" in made &&
  typeof made.effect_instruction_i1 === "function" &&
  made.effect_instruction_i1(0) === Effect.void
    ? made.effect_instruction_i0
    : undefined

/** The run-loop instruction that changes a fiber's flags; if Effect's representation differs, Effect's own is used. */
class Interruptible<A, E, R> extends Effectable.Class<A, E, R> {
  private readonly self: Effect.Effect<A, E, R>

  constructor(self: Effect.Effect<A, E, R>) {
    super()
    this.self = self
  }

  effect_instruction_i1(): Effect.Effect<A, E, R> {
    return this.self
  }

  override commit(): Effect.Effect<A, E, R> {
    return Effect.interruptible(this.self)
  }
}

if (flags !== undefined) {
  Object.assign(Interruptible.prototype, { _op: "UpdateRuntimeFlags", effect_instruction_i0: flags })
}

/**
 * `Effect.interruptible` in a fifth of the memory, which is held as long as the effect runs.
 *
 * @example
 * import { Effect } from "effect"
 * import { Thin } from "@understudy/core"
 *
 * const flags = Effect.uninterruptible(Thin.interruptible(Effect.checkInterruptible(Effect.succeed)))
 *
 * console.log(Effect.runSync(flags)) // => true
 *
 * @since 0.1.0
 * @category interruption
 */
export const interruptible = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  new Interruptible(self)
