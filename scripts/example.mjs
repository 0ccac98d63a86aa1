// `npm run example -- NAME`: runs a program of examples/.
import { readdirSync } from "node:fs"
import { basename, join } from "node:path"
import { programs } from "./lib/bundle.mjs"
import { install, root } from "./lib/install.mjs"

install()
const folder = join(root, "examples")
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".ts"))
  .map((file) => basename(file, ".ts"))
const [name] = process.argv.slice(2)
if (!names.includes(name)) {
  console.error(`npm run example -- NAME, one of ${names.join(", ")}`)
  process.exit(1)
}
const outdir = join(folder, "dist")
await programs([join(folder, `${name}.ts`)], { outdir })
await import(join(outdir, `${name}.mjs`))
