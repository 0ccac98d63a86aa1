import { step } from "./steps.mjs"

/** What takes seconds: the types, those of the examples in docstrings and guides too, and the linter. */
export const quick = async () => {
  await import("../examples.mjs")
  await step("types", "tsc", "--noEmit", "-p", "tsconfig.json")
  await step("format and lint", "biome", "check", "--error-on-warnings", ".")
}
