import { it } from "@effect/vitest"
import { FastCheck } from "effect"

/** How many cases a law is tried with; `npm run test:laws` asks for many more. */
export const runs = Number(process.env["LAW_RUNS"] ?? 1000)

/** A law as a test of its own. A failure prints the seed and the path that replay it. */
export const law = <Ts extends [unknown, ...Array<unknown>]>(
  name: string,
  arbitraries: { readonly [K in keyof Ts]: FastCheck.Arbitrary<Ts[K]> },
  predicate: (...values: Ts) => void | Promise<void>
): void => {
  let cases = 0
  const property = FastCheck.asyncProperty<Ts>(...arbitraries, async (...values) => {
    // The test runner takes a process for dead that does not listen to it for a minute.
    if (++cases % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    await predicate(...values)
  })
  it(name, () => FastCheck.assert(property, { numRuns: runs }), 20_000 + 100 * runs)
}
