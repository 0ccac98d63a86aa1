import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, sep } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const root = join(import.meta.dirname, "../..")

interface Source {
  readonly path: string
  readonly text: string
}

const sources: ReadonlyArray<Source> = ["packages", "test", "bench", "scripts"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(ts|mjs)$/.test(path) && !/(^|[\\/])(node_modules|dist)[\\/]/.test(path))
    .map((path) => join(root, folder, path))
    .map((path) => ({ path, text: readFileSync(path, "utf8") }))
)

const isInternal = ({ path }: Source): boolean => relative(root, path).split(sep)[3] === "internal"

const list = (names: string): ReadonlyArray<string> =>
  names
    .replace(/\/\*.*?\*\//gs, "")
    .split(",")
    .map((name) => name.trim().replace(/^type /, ""))
    .filter((name) => name !== "")

/** The names under which others may ask for what a file has. */
const exportsOf = ({ text }: Source): ReadonlyArray<string> => [
  ...[
    ...text.matchAll(
      /^export (?:abstract )?(?:const|class|interface|type|function\*?) (\w+)|^export \* as (\w+)/gm
    )
  ].flatMap(([, name, whole]) => name ?? whole ?? []),
  ...[...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names]) =>
    list(names!).map((name) => name.split(" as ").at(-1)!)
  )
]

/** What a file asks others for. Of a file that it imports while it runs, whatever it has a word for. */
const asked = ({ path, text }: Source): ReadonlyArray<string> => {
  const of = (from: string, names: Iterable<string>) =>
    Array.from(names, (name) => `${relative(root, join(dirname(path), from))} ${name}`)
  const now = text.matchAll(/^(?:import|export) (?:type )?(?:\{([^}]*)\}|\* as (\w+)) from "(\.[^"]+)"/gm)
  const later = text.matchAll(/\bimport\("(\.[^"]+)"\)/g)
  return [
    ...[...now].flatMap(([, names, whole, from]) =>
      of(
        from!,
        whole === undefined
          ? list(names!).map((name) => name.split(" as ")[0]!)
          : Array.from(text.matchAll(new RegExp(`\\b${whole}\\.(\\w+)`, "g")), ([, name]) => name!)
      )
    ),
    ...[...later].flatMap(([, from]) => of(from!, new Set(text.match(/\w+/g))))
  ]
}

describe("what is internal", () => {
  it("is exported only where another file asks for it", () => {
    const wanted = new Set(sources.flatMap(asked))
    const offered = sources
      .filter(isInternal)
      .flatMap((source) => exportsOf(source).map((name) => `${relative(root, source.path)} ${name}`))
    assert.isAbove(offered.length, 0)
    assert.deepStrictEqual(
      offered.filter((name) => !wanted.has(name)),
      []
    )
  })
})
