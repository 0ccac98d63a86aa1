import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const docs = join(import.meta.dirname, "../../docs")
const guide = readFileSync(join(docs, "architecture.md"), "utf8")

describe("docs/architecture.md", () => {
  for (const [, name = "", path = "", line = ""] of guide.matchAll(/\[`(\w+)`\]\(([^)#]+)#L(\d+)\)/g)) {
    it(`finds ${name} in line ${line} of ${path.replace("../packages/", "")}`, () => {
      const lines = readFileSync(join(docs, path), "utf8").split("\n")
      const isDeclared = new RegExp(`^((export )?(const|class) |  (private |const )?)${name}\\b`)
      const now = lines.findIndex((each) => isDeclared.test(each)) + 1
      assert.match(lines[Number(line) - 1] ?? "", isDeclared, `it is in line ${now}`)
    })
  }
})
