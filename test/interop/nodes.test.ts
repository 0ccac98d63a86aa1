import { assert, describe, it } from "@effect/vitest"
import { consumer, pack, prints, run } from "../packages/packed.ts"

describe("the packed packages, installed with pnpm", () => {
  const folder = pack().then((tarballs) => consumer(tarballs, "pnpm"))

  for (const version of [22, 24, 26]) {
    it(`run on Node ${version}`, { timeout: 300_000 }, async () => {
      const node = (args: ReadonlyArray<string>, cwd: string) =>
        run("npx", ["--yes", `node@${version}`, ...args], cwd)
      const cwd = await folder
      assert.match(await node(["--version"], cwd), new RegExp(`^v${version}\\.`))
      assert.strictEqual(await node(["main.js"], cwd), prints)
      const checked = await node(["node_modules/@understudy/gateway/dist/bundle/main.mjs", "check"], cwd)
      assert.include(checked, "the embedded sandbox policy is valid.")
    })
  }
})
