import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { version } from "../src/internal/version.ts"

it("the program calls itself by the version of its package", () => {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8")
  assert.strictEqual(version, JSON.parse(text).version)
})
