import { expect } from "vitest"

// Set up before the tests of every package, and of no use to the others.
if (expect.getState().testPath?.startsWith(import.meta.dirname)) {
  const { watch } = await import("./leftovers.ts")
  watch()
}
