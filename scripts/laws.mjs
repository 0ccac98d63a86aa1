// `npm run test:laws`: every law at 100,000 cases, or at LAW_RUNS. A failure prints the seed that replays it.
import { install } from "./lib/install.mjs"
import { finish, vitest } from "./lib/steps.mjs"

install()
await vitest(["packages/core/test"], { LAW_RUNS: process.env.LAW_RUNS ?? "100000" })
finish()
