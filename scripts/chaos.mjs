// `npm run test:chaos`: a long run of chaos, and then a soak. `-- --seed 7` has other faults, `--soak 60` is in seconds.
import { parseArgs } from "node:util"
import { install } from "./lib/install.mjs"
import { finish, vitest } from "./lib/steps.mjs"

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    soak: { type: "string", default: "600" }
  }
})

install()
const size = { CHAOS_SEED: values.seed, CHAOS_CALLERS: "300", CHAOS_REQUESTS: "20" }
await vitest(["--config", "vitest.chaos.config.ts"], { ...size, SOAK_SECONDS: values.soak })
finish()
