import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const root = join(import.meta.dirname, "../..")

/** What the sources of a package may import, besides its own files. Nothing may import the gateway. */
const drawn: Readonly<Record<string, RegExp>> = {
  core: /^effect(\/|$)/,
  http: /^(effect|@effect\/platform|@understudy\/core)(\/|$)/,
  otel: /^(effect|@opentelemetry\/[\w-]+|@understudy\/core)(\/|$)/,
  gateway: /^(effect|@effect\/platform|@understudy\/(core|http|otel)|undici|yaml|node:[\w/]+)(\/|$)/
}

/** What a package offers to those alone who ask for that entry point. */
const asked: Readonly<Record<string, RegExp>> = { "core/src/testing": /^(effect|fast-check)(\/|$)/ }

const sources = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.includes("node_modules"))
    .map((path) => join(root, folder, path))

/** Docstrings and texts show imports too, but none of their lines begins like this. */
const importsOf = (path: string): ReadonlyArray<string> =>
  [
    ...readFileSync(path, "utf8").matchAll(
      /^(?:import|export)\s(?:[\w\s*{},]*?from )?"([^"]+)"|^(?! +\*).*\bimport\("([^"]+)"\)/gm
    )
  ].flatMap(([, from, lazy]) => from ?? lazy ?? [])

describe("imports run only as drawn", () => {
  for (const name of readdirSync(join(root, "packages"))) {
    it(`of ${name}`, () => {
      const allowed = drawn[name]
      assert(allowed !== undefined, `draw the package ${name} here and in docs/architecture.md`)
      const files = sources(`packages/${name}/src`)
      assert.isAbove(files.length, 0)
      const strays = files.flatMap((file) => {
        const path = relative(join(root, "packages"), file)
        const [, more] = Object.entries(asked).find(([folder]) => path.startsWith(folder)) ?? []
        return importsOf(file)
          .filter((from) => !from.startsWith(".") && !allowed.test(from) && !more?.test(from))
          .map((from) => `${path} imports ${from}`)
      })
      assert.deepStrictEqual(strays, [])
    })
  }

  it("of tests and programs into no package's internals but their own", () => {
    const strays = sources("test").flatMap((file) =>
      importsOf(file)
        .filter((from) => /packages\/\w+\/src\/internal/.test(from))
        .map((from) => `${relative(root, file)} imports ${from}`)
    )
    assert.deepStrictEqual(strays, [])
  })
})
