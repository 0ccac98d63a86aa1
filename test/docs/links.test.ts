import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const root = join(import.meta.dirname, "../..")
const pages = [
  ...["README.md", "CONTRIBUTING.md", "examples/README.md"],
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
  ...readdirSync(join(root, "packages")).map((name) => `packages/${name}/README.md`)
].filter((page) => page.endsWith(".md"))

/** What a heading is called in an address. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-")

const anchorsOf = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchor(heading))

/** Code is no text: what looks like a link in it is none, but a path in it is one of this repository. */
const outside = (text: string): string => text.replaceAll(/^```[\s\S]*?^```$/gm, "")

describe("what a page points at is there", () => {
  for (const page of pages) {
    it(page, () => {
      const text = outside(readFileSync(join(root, page), "utf8"))
      const links = [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].flatMap(
        ([, to = "", part]) => {
          const target = to === "" ? join(root, page) : join(root, dirname(page), to)
          if (!existsSync(target)) return [to]
          const found = part === undefined || anchorsOf(readFileSync(target, "utf8")).includes(part)
          return found || /^L\d+$/.test(part) ? [] : [`${to}#${part}`]
        }
      )
      const paths = [...text.matchAll(/`((?:packages|test|bench|docs|scripts)\/[\w./-]+)`/g)].flatMap(
        ([, path = ""]) => (existsSync(join(root, path)) ? [] : [path])
      )
      assert.deepStrictEqual([...links, ...paths], [])
    })
  }
})
