import { cpSync, mkdtempSync, readdirSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "vitest"
import { bin, root, run } from "./packed.ts"

it("the changesets make a release, and every package has its version", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "understudy-release-"))
  const members = ["test", "bench", "examples", "scripts/reference"]
  const packages = readdirSync(join(root, "packages")).map((name) => `packages/${name}`)
  const manifests = ["", ...packages, ...members].map((path) => join(path, "package.json"))
  for (const path of ["pnpm-workspace.yaml", ".changeset", ...manifests]) {
    cpSync(join(root, path), join(folder, path), { recursive: true })
  }
  await run("git", ["init", "--quiet", "."], folder)
  await run(bin("changeset"), ["version"], folder)
  const versions = packages.map(
    (path) => JSON.parse(readFileSync(join(folder, path, "package.json"), "utf8")).version
  )
  // What nobody imports, with what may be beside it, is no reason for a 1.0.
  assert.match(versions[0], /^0\.\d+\.\d+$/)
  assert.deepStrictEqual([...new Set(versions)], [versions[0]])
})

it("nothing is packed that was not built", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "understudy-release-"))
  cpSync(join(root, "scripts/prepack.mjs"), join(folder, "scripts/prepack.mjs"))
  const core = join(folder, "packages/core")
  cpSync(join(root, "packages/core/package.json"), join(core, "package.json"))
  const packed = run("npm", ["pack", "--dry-run"], core)
  const { stderr } = await packed.then(
    () => assert.fail("it was packed"),
    (error) => error
  )
  assert.include(stderr, "nothing is built yet")
})
