import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as engine from "./engine.ts"
import type { AllTiersFailed, Ladder, Served } from "./ladder.ts"

/** A ladder whose attempts end with their answer, as the effect that runs it. */
export class FallbackEffect<A, E, R> extends Effectable.Class<A, E | AllTiersFailed<E>, R> {
  readonly ladder: Ladder<A, E, R>

  constructor(ladder: Ladder<A, E, R>) {
    super()
    this.ladder = ladder
  }

  override commit(): Effect.Effect<A, E | AllTiersFailed<E>, R> {
    return engine.run(this.ladder, false, ({ served }) => Effect.succeed(served.value)) as ReturnType<
      this["commit"]
    >
  }
}

export const served = <A, E, R>(
  ladder: Ladder<A, E, R>
): Effect.Effect<Served<A, E>, E | AllTiersFailed<E>, R> =>
  engine.run(ladder, false, ({ served }) => Effect.succeed(served)) as Effect.Effect<
    Served<A, E>,
    E | AllTiersFailed<E>,
    R
  >
