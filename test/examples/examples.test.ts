import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { format } from "node:util"
import { describe, expect, it, vi } from "vitest"
import "../../scripts/examples.mjs"

const folder = join(import.meta.dirname, "generated")

describe("examples print what they say", () => {
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name), "utf8")
    const [source = ""] = text.split("\n")
    it(source.slice(3), async () => {
      const printed: Array<string> = []
      const log = vi.spyOn(console, "log").mockImplementation((...args) => void printed.push(format(...args)))
      try {
        await import(join(folder, name))
      } finally {
        log.mockRestore()
      }
      const said = [...text.matchAll(/\/\/ => (.*)$/gm)].map((match) => match[1])
      expect(printed).toEqual(said)
    })
  }
})
