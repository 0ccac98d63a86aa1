import { it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"

/** A test of what always holds; one that fails prints its seed. */
export const law = <A>(
  name: string,
  cases: FastCheck.Arbitrary<A>,
  holds: (one: A) => Effect.Effect<void, unknown>
): void =>
  it(name, () =>
    FastCheck.assert(
      FastCheck.asyncProperty(cases, (one) => Effect.runPromise(holds(one))),
      { numRuns: 300 }
    )
  )
