import { it } from "@effect/vitest"
import { FastCheck } from "effect"

/** How many cases a law is tried with; `npm run test:laws` asks for many more. */
export const runs = Number(process.env["LAW_RUNS"] ?? 1000)

const { LAW_PATH, LAW_SEED } = process.env

/** A law that fails prints the seed and the path that replay it, given as `LAW_SEED` and `LAW_PATH`. */
export const parameters: { readonly numRuns: number; readonly seed?: number; readonly path?: string } = {
  numRuns: runs,
  ...(LAW_SEED !== undefined && { seed: Number(LAW_SEED) }),
  ...(LAW_PATH !== undefined && { path: LAW_PATH })
}

/** A law as a test of its own. */
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
  it(name, () => FastCheck.assert(property, parameters), 20_000 + 100 * runs)
}
