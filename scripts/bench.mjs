// `npm run bench`: bundles each contender on its own, so that none loads what another needs, and compares them.
//   --quick                    about a minute, one round
//   --only NAME                a contender, a scenario or a group of scenarios; may be repeated
//   --rounds N                 in place of the rounds of each group
//   --json FILE                every sample
//   --profile NAME SCENARIO    where one contender spends its time; with --sync, --spans, --fiber
import { readdirSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import { install, root } from "./lib/install.mjs"

install()
const { build } = await import("esbuild")
const bench = join(root, "bench")
const out = join(bench, "dist")

const bundle = (name, contents) =>
  build({
    stdin: { contents, resolveDir: bench, loader: "ts" },
    outfile: join(out, `${name}.mjs`),
    bundle: true,
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

rmSync(out, { recursive: true, force: true })
const contenders = readdirSync(join(bench, "contenders")).map((file) => basename(file, ".ts"))
await Promise.all([
  bundle("main", `export { main } from "./main.ts"`),
  ...contenders.map((name) =>
    bundle(
      name,
      `import contender from "./contenders/${name}.ts"; import { work } from "./worker.ts"; await work(contender)`
    )
  )
])
const { main } = await import(join(out, "main.mjs"))
await main(process.argv.slice(2), out)
