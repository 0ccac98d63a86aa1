import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { bundle } from "../../scripts/lib/bundle.mjs"

export const root = join(import.meta.dirname, "../..")

/** Not `execFileSync`: the test runner takes a process for dead that does not listen to it for a minute. */
export const run = async (command: string, args: ReadonlyArray<string>, cwd: string): Promise<string> => {
  const running = promisify(execFile)(command, args, { cwd, encoding: "utf8" })
  running.child.stdin?.end()
  return (await running).stdout
}

export const bin = (name: string): string => join(root, "node_modules/.bin", name)

export const typescript59: string = join(root, "scripts/reference/node_modules/.bin/tsc")

const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

const pnpm = (args: ReadonlyArray<string>, cwd: string) => run("npx", ["--yes", packageManager, ...args], cwd)

/** The packages as they would be published, by the path of each; all, unless some are named. */
export const pack = async (
  names: ReadonlyArray<string> = readdirSync(join(root, "packages"))
): Promise<ReadonlyArray<string>> => {
  const work = mkdtempSync(join(tmpdir(), "understudy-pack-"))
  await run(bin("tsc"), ["-b", "packages/gateway"], root)
  await bundle()
  for (const name of names) {
    await pnpm(["pack", "--pack-destination", work], join(root, "packages", name))
  }
  return readdirSync(work).map((file) => join(work, file))
}

const main = `import { Effect } from "effect"
import { Fallback, Tier } from "@understudy/core"
import * as Backoff from "@understudy/core/Backoff"
import { Config } from "@understudy/gateway"
import { Sandbox } from "@understudy/http"
import { Telemetry } from "@understudy/otel"
const primary = Tier.make({ name: "a", effect: Effect.fail("down"), backoff: Backoff.none })
const standby = Tier.make({ name: "b", effect: Effect.succeed("answer") })
console.log(await Effect.runPromise(Fallback.orElse(primary, standby)))
console.log(typeof Sandbox.make, typeof Telemetry.layer, typeof Config.parse)
await import("@understudy/core/internal/engine").catch((error) => console.log(error.code))
`

/** What \`main.js\` of a consumer prints. */
export const prints = "answer\nfunction function function\nERR_PACKAGE_PATH_NOT_EXPORTED\n"

/** What the guides tell those to install who import the gateway's modules, besides our own packages. */
const peers = { "@effect/platform": "0.97.2", effect: "3.22.4", undici: "7.30.2", yaml: "2.9.1" }

const emptyFolder = (): string => {
  const folder = join(mkdtempSync(join(tmpdir(), "understudy-use-")), "consumer")
  mkdirSync(folder)
  return folder
}

const npmInstall = (args: ReadonlyArray<string>, folder: string) =>
  run(
    "npm",
    ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--strict-peer-deps", ...args],
    folder
  )

/** A fresh project with one package and what that brings. */
export const alone = async (tarball: string): Promise<string> => {
  const folder = emptyFolder()
  await npmInstall([tarball], folder)
  return folder
}

/** A fresh project outside this workspace, with the packages and what the two examples of a user have. */
export const consumer = async (tarballs: ReadonlyArray<string>, manager: "npm" | "pnpm"): Promise<string> => {
  const folder = emptyFolder()
  const packages = Object.fromEntries(
    tarballs.map((file) => [file.replace(/^.*understudy-(\w+)-[^/]*$/, "@understudy/$1"), `file:${file}`])
  )
  const project = {
    type: "module",
    dependencies: { ...packages, ...peers },
    devDependencies: { "@types/node": "20.19.43" },
    // Until they are published one finds the other nowhere else.
    pnpm: { overrides: packages }
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify(project))
  writeFileSync(join(folder, "main.js"), main)
  await (manager === "npm"
    ? npmInstall([], folder)
    : pnpm(["install", "--ignore-scripts", "--config.strict-peer-dependencies=true"], folder))
  return folder
}
