import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"

const root = join(import.meta.dirname, "../..")

/** Not `execFileSync`: the test runner takes a process for dead that does not listen to it for a minute. */
const run = async (command: string, args: ReadonlyArray<string>, cwd: string): Promise<string> => {
  const running = promisify(execFile)(command, args, { cwd, encoding: "utf8" })
  running.child.stdin?.end()
  return (await running).stdout
}

/** The packages as they would be published, in a fresh consumer that knows nothing of this workspace. */
describe("packed packages", () => {
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const work = mkdtempSync(join(tmpdir(), "understudy-pack-"))
  const consumer = join(work, "consumer")

  it("are well formed", { timeout: 120_000 }, async () => {
    await run(join(root, "node_modules/.bin/tsc"), ["-b", "packages/gateway"], root)
    for (const name of readdirSync(join(root, "packages"))) {
      const cwd = join(root, "packages", name)
      await run("npx", ["--yes", packageManager, "pack", "--pack-destination", work], cwd)
      const tarball = readdirSync(work).find((file) => file.startsWith(`understudy-${name}`))
      await run(join(root, "node_modules/.bin/publint"), [join(work, tarball as string), "--strict"], root)
    }
    expect(readdirSync(work).filter((file) => file.endsWith(".tgz"))).toHaveLength(4)
  })

  it("install with npm and run on plain Node, internals closed", { timeout: 300_000 }, async () => {
    mkdirSync(consumer)
    const tarballs = readdirSync(work).filter((file) => file.endsWith(".tgz"))
    const dependencies = Object.fromEntries(
      tarballs.map((file) => [file.replace(/^understudy-(\w+)-.*/, "@understudy/$1"), `file:../${file}`])
    )
    writeFileSync(
      join(consumer, "package.json"),
      JSON.stringify({ type: "module", dependencies: { ...dependencies, effect: "3.22.4" } })
    )
    await run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts"], consumer)
    writeFileSync(
      join(consumer, "main.js"),
      `import { Effect } from "effect"
import { Fallback, Tier } from "@understudy/core"
import * as Backoff from "@understudy/core/Backoff"
import { Sandbox } from "@understudy/http"
import { Telemetry } from "@understudy/otel"
const primary = Tier.make({ name: "a", effect: Effect.fail("down"), backoff: Backoff.none })
const standby = Tier.make({ name: "b", effect: Effect.succeed("answer") })
console.log(await Effect.runPromise(Fallback.orElse(primary, standby)), typeof Sandbox.make, typeof Telemetry.layer)
await import("@understudy/core/internal/engine").catch((error) => console.log(error.code))
`
    )
    expect(await run(process.execPath, ["main.js"], consumer)).toBe(
      "answer function function\nERR_PACKAGE_PATH_NOT_EXPORTED\n"
    )
    expect(await run("npx", ["understudy", "check"], consumer)).toContain(
      "the embedded sandbox policy is valid."
    )
  })
})
