import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Quirks } from "@understudy/http"
import { code, table } from "./guide.ts"

const guide = readFileSync(join(import.meta.dirname, "../../docs/providers.md"), "utf8")

describe("docs/providers.md", () => {
  it("says of every dialect what is known of it", () => {
    const [, listed = ""] = /^_The books_ are ([^;]*);/m.exec(guide) ?? []
    const books = [...listed.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name)
    const leavesOut = (drop: ReadonlyArray<string>) => {
      if (drop.length === 0) return ""
      assert.includeMembers([...drop], books)
      return ["the books", ...drop.filter((name) => !books.includes(name)).map(code)].join(", ")
    }
    const expected = Object.entries(Quirks.presets).map(([name, { drop = [], errors = [], rename = {} }]) => [
      code(name),
      leavesOut(drop),
      Object.entries(rename)
        .map(([from, to]) => `${code(from)} is ${code(to)}`)
        .join(", "),
      errors
        .map(({ status = [], text }) => `${status}${text === undefined ? "" : " that says so"}`)
        .join(", ")
    ])
    assert.deepStrictEqual(table(guide, "dialect"), expected)
  })

  it("shows a provider of one's own in 30 lines", () => {
    const [own = ""] = /^const plain = [\s\S]*?^\}$/m.exec(guide) ?? []
    assert.include(own, "stream:")
    assert.isAtMost(own.split("\n").length, 30)
  })
})
