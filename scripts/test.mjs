// `npm test`: everything that needs no more than Node and npm.
import { install } from "./lib/install.mjs"
import { finish, step, vitest } from "./lib/steps.mjs"

install()
await import("./examples.mjs")
await step("types", "tsc", "--noEmit", "-p", "tsconfig.json")
await step("format and lint", "biome", "check", "--error-on-warnings", ".")
await step("reference", process.execPath, "scripts/reference/main.mjs", "--check")
await step("build", "tsc", "-b", "packages/gateway")
await vitest([])
finish()
