// `npm run release`: builds, and publishes each package whose version is not published yet. `-- --dry-run` packs them, and
// publishes none.
import { parseArgs } from "node:util"
import { install, pnpm } from "./lib/install.mjs"

const { values } = parseArgs({ options: { "dry-run": { type: "boolean" } } })

install()
pnpm(["run", "build"])
if (values["dry-run"])
  pnpm(["--recursive", "publish", "--dry-run", "--no-git-checks"], { npm_config_loglevel: "warn" })
else pnpm(["exec", "changeset", "publish"])
