// `npm test`: everything that needs no more than Node and npm.
import { install } from "./lib/install.mjs"
import { quick } from "./lib/quick.mjs"
import { finish, step, vitest } from "./lib/steps.mjs"

install()
await quick()
await step("reference", process.execPath, "scripts/reference/main.mjs", "--check")
await step("build", "tsc", "-b", "packages/gateway")
await vitest([])
finish()
