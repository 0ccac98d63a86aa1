// `npm run bench`: what a policy costs in process, then what the gateway costs between its callers and an upstream.
// `-- policy` or `-- gateway` before the options runs one of the two; `--quick` takes both a few minutes.
// `-- laboratory` measures the simulator instead, which takes no options.
//   --only NAME                a contender, a scenario or a group of scenarios; may be repeated
//   --rounds N                 in place of the rounds of each
//   --json FILE                every sample
//   --against COMMIT           policy: also the engine of that commit, as the contender `base`
//   --profile NAME SCENARIO    where one contender spends its time; policy: with --sync, --fiber
import { execFileSync } from "node:child_process"
import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import { parseArgs } from "node:util"
import { bundle as bundleGateway } from "./lib/bundle.mjs"
import { install, root } from "./lib/install.mjs"
import { portkey } from "./lib/portkey.mjs"

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

const policy = async (args) => {
  const { values } = parseArgs({ args, strict: false, options: { against: { type: "string" } } })
  const base = []
  if (values.against !== undefined) {
    const archive = execFileSync("git", ["archive", values.against, "packages/core/src"], { cwd: root })
    execFileSync("tar", ["-x", "-C", out], { input: archive })
    base.push(contender("base", "ours", { "@understudy/core": join(out, "packages/core/src") }))
  }
  await Promise.all([
    bundle("policy", `export { main } from "./main.ts"`),
    ...readdirSync(join(bench, "contenders")).map((file) => contender(basename(file, ".ts"))),
    ...base
  ])
  const { main } = await import(join(out, "policy.mjs"))
  await main(args, out)
}

const gateway = async (args) => {
  await Promise.all([
    bundle("gateway", `export { main } from "./gateway/main.ts"`),
    ...["mock", "raw", "probe"].map((name) => bundle(name, `import "./gateway/${name}.ts"`))
  ])
  const { main } = await import(join(out, "gateway.mjs"))
  await main(args, {
    out,
    ours: await bundleGateway({ outdir: join(out, "ours"), sourcemap: true }),
    portkey: portkey()
  })
}

const laboratory = async () => {
  await bundle("laboratory", `export { main } from "./laboratory.ts"`)
  const { main } = await import(join(out, "laboratory.mjs"))
  await main()
}

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const [word, ...options] = process.argv.slice(2)
switch (word) {
  case "policy":
    await policy(options)
    break
  case "gateway":
    await gateway(options)
    break
  case "laboratory":
    await laboratory()
    break
  default:
    await policy(process.argv.slice(2))
    await gateway(process.argv.slice(2))
}
