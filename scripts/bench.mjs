// `npm run bench`: what a policy costs in process, then what the gateway costs between its callers and an upstream.
// `-- policy` or `-- gateway` before the options runs one of the two; `--quick` takes both a few minutes.
// `-- laboratory` measures the simulator instead, and `-- telemetry` what it costs to be seen: the latter may be quick.
// `-- check` runs both and fails where a ratio is far below the recorded one; with `--record` it writes them down.
//   --only NAME                a contender, a scenario or a group of scenarios; may be repeated
//   --rounds N                 in place of the rounds of each
//   --json FILE                every sample
//   --against COMMIT           also the sources of that commit, as the contender `base`
//   --profile NAME SCENARIO    where one contender spends its time; policy: with --sync, --fiber
import { execFileSync } from "node:child_process"
import { mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs"
import { basename, join } from "node:path"
import { parseArgs } from "node:util"
import { bundleForNode, gateway as bundleGateway } from "./lib/bundle.mjs"
import { install, root } from "./lib/install.mjs"
import { portkey } from "./lib/portkey.mjs"

install()
const bench = join(root, "bench")
const out = join(bench, "dist")

const bundle = (name, contents, alias = {}) =>
  bundleForNode({
    stdin: { contents, resolveDir: bench, loader: "ts" },
    outfile: join(out, `${name}.mjs`),
    alias,
    sourcemap: true
  })

const contender = (name, file = name, alias = undefined) =>
  bundle(
    name,
    `import contender from "./contenders/${file}.ts"; import { work } from "./worker.ts"; await work(contender)`,
    alias
  )

/** The sources of the commit that is to be measured beside, if there is one: what to resolve packages to. */
const sourcesOfBase = (args) => {
  const { values } = parseArgs({ args, strict: false, options: { against: { type: "string" } } })
  if (values.against === undefined) return undefined
  const archive = execFileSync("git", ["archive", values.against, "packages"], { cwd: root, maxBuffer: 1e8 })
  execFileSync("tar", ["-x", "-C", out], { input: archive })
  const packages = join(out, "packages")
  for (const name of readdirSync(packages)) {
    symlinkSync(join(root, "packages", name, "node_modules"), join(packages, name, "node_modules"))
  }
  return Object.fromEntries(
    readdirSync(packages).map((name) => [`@understudy/${name}`, join(packages, name, "src")])
  )
}

const policy = async (args) => {
  const base = sourcesOfBase(args)
  await Promise.all([
    bundle("policy", `export { main } from "./main.ts"`),
    ...readdirSync(join(bench, "contenders")).map((file) => contender(basename(file, ".ts"))),
    base && contender("base", "ours", base)
  ])
  const { main } = await import(join(out, "policy.mjs"))
  return main(args, out)
}

const gateway = async (args) => {
  await Promise.all([
    bundle("gateway", `export { main } from "./gateway/main.ts"`),
    ...["mock", "raw", "probe"].map((name) => bundle(name, `import "./gateway/${name}.ts"`))
  ])
  const base = sourcesOfBase(args)
  // As it is shipped; what looks for where the time goes is told names.
  const options = { sourcesContent: true, minify: !args.includes("--profile") }
  await bundleGateway({ ...options, outdir: join(out, "ours") })
  if (base !== undefined) {
    const entryPoints = [join(base["@understudy/gateway"], "main.ts")]
    await bundleGateway({ ...options, entryPoints, outdir: join(out, "base"), alias: base })
  }
  const { main } = await import(join(out, "gateway.mjs"))
  return main(args, {
    out,
    ours: join(out, "ours/main.mjs"),
    base: base && join(out, "base/main.mjs"),
    portkey: portkey()
  })
}

const alone = async (name, args) => {
  await bundle(name, `export { main } from "./${name}.ts"`)
  const { main } = await import(join(out, `${name}.mjs`))
  await main(args)
}

/** Fails where a ratio has fallen by more than a quarter below what `--record` wrote down. */
const check = async (args) => {
  // One process may be half as fast as the next one of the same code: a single round says nothing.
  const ratios = [...(await policy(["--quick", "--rounds", "3"])), ...(await gateway(["--quick"]))]
  await bundle("recorded", `export { fallen, record } from "./recorded.ts"`)
  const { fallen, record } = await import(join(out, "recorded.mjs"))
  const file = join(bench, "recorded.json")
  if (args.includes("--record")) return record(file, ratios)
  const lines = fallen(file, ratios)
  for (const line of lines) console.error(`slower than recorded: ${line}`)
  process.exitCode = lines.length === 0 ? 0 : 1
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
  case "telemetry":
    await alone(word, options)
    break
  case "check":
    await check(options)
    break
  default:
    await policy(process.argv.slice(2))
    await gateway(process.argv.slice(2))
}
