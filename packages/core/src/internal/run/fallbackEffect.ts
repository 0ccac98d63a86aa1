import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type { Committed } from "./committed.ts"
import * as engine from "./engine.ts"
import type { AllTiersFailed, Ladder, Served } from "./ladder.ts"
import type { Listening } from "./observer.ts"

/** A ladder whose attempts end with their answer, as the effect that runs it. */
export class FallbackEffect<A, E, R> extends Effectable.Class<A, E | AllTiersFailed<E>, R> {
  readonly ladder: Ladder<A, E, R>
  private run: Effect.Effect<A, E | AllTiersFailed<E>, R> | undefined

  constructor(ladder: Ladder<A, E, R>) {
    super()
    this.ladder = ladder
  }

  override commit(): Effect.Effect<A, E | AllTiersFailed<E>, R> {
    this.run ??= engine.answer(this.ladder) as ReturnType<this["commit"]>
    return this.run
  }
}

export const served = <A, E, R>(
  ladder: Ladder<A, E, R>,
  listener?: Listening
): Effect.Effect<Served<A, E>, E | AllTiersFailed<E>, R> =>
  engine.run(ladder, false, listener, servedOf<A, E>) as Effect.Effect<Served<A, E>, E | AllTiersFailed<E>, R>

const servedOf = <A, E>(committed: Committed<A, E>): Effect.Effect<Served<A, E>> =>
  Effect.succeed(committed.served())
