// `npm run bench`: bundles each contender on its own, so that none loads what another needs, and compares them.
//   --quick                    about a minute, one round
//   --only NAME                a contender, a scenario or a group of scenarios; may be repeated
//   --rounds N                 in place of the rounds of each group
//   --json FILE                every sample
//   --against COMMIT           also the engine of that commit, as the contender `base`
//   --profile NAME SCENARIO    where one contender spends its time; with --sync, --fiber
import { execFileSync } from "node:child_process"
import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import { parseArgs } from "node:util"
import { install, root } from "./lib/install.mjs"

install()
const { build } = await import("esbuild")
const bench = join(root, "bench")
const out = join(bench, "dist")

const bundle = (name, contents, alias = {}) =>
  build({
    stdin: { contents, resolveDir: bench, loader: "ts" },
    outfile: join(out, `${name}.mjs`),
    bundle: true,
    alias,
    platform: "node",
    target: "node20",
    format: "esm",
    sourcemap: true,
    logLevel: "error",
    // CommonJS packages inside the bundle call require.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);'
    }
  })

const contender = (name, file = name, alias = undefined) =>
  bundle(
    name,
    `import contender from "./contenders/${file}.ts"; import { work } from "./worker.ts"; await work(contender)`,
    alias
  )

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const { values } = parseArgs({ strict: false, options: { against: { type: "string" } } })
const base = []
if (values.against !== undefined) {
  const archive = execFileSync("git", ["archive", values.against, "packages/core/src"], { cwd: root })
  execFileSync("tar", ["-x", "-C", out], { input: archive })
  base.push(contender("base", "ours", { "@understudy/core": join(out, "packages/core/src") }))
}
await Promise.all([
  bundle("main", `export { main } from "./main.ts"`),
  ...readdirSync(join(bench, "contenders")).map((file) => contender(basename(file, ".ts"))),
  ...base
])
const { main } = await import(join(out, "main.mjs"))
await main(process.argv.slice(2), out)
