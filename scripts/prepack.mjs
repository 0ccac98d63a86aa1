// Before a package is packed: without a build there would be no program in it.
import { existsSync } from "node:fs"

if (!existsSync("dist/index.js")) {
  console.error("nothing is built yet: `npm run build` first")
  process.exit(1)
}
