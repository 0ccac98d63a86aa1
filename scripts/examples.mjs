// Writes every example of the docstrings and guides as a program of its own, so that the type-checker reads it and
// the tests run it. An example says what it prints: `console.log(x) // => text`.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { basename, dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const out = join(root, "test/examples/generated")

const filesBelow = (dir, extension) =>
  readdirSync(dir).flatMap((name) => {
    const path = join(dir, name)
    if (statSync(path).isDirectory()) return filesBelow(path, extension)
    return name.endsWith(extension) ? [path] : []
  })

const lineOf = (text, index) => text.slice(0, index).split("\n").length

const ofDocstrings = (path) => {
  const text = readFileSync(path, "utf8")
  return [...text.matchAll(/^[ \t]*\* @example\n((?:[ \t]*\*(?! @)(?:[^/\n].*)?\n)+)/gm)].map((match) => ({
    name: `${basename(path, ".ts")}-${lineOf(text, match.index)}`,
    source: `${relative(root, path)}:${lineOf(text, match.index)}`,
    code: match[1].replace(/^[ \t]*\* ?/gm, "")
  }))
}

const ofGuide = (path) => {
  const text = readFileSync(path, "utf8")
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => ({
    name: `${basename(path, ".md")}-${lineOf(text, match.index)}`,
    source: `${relative(root, path)}:${lineOf(text, match.index)}`,
    code: match[1]
  }))
}

const packages = readdirSync(join(root, "packages"))
const examples = [
  ...packages.flatMap((name) =>
    filesBelow(join(root, "packages", name, "src"), ".ts")
      .flatMap(ofDocstrings)
      .map((example) => ({ ...example, name: `${name}-${example.name}` }))
  ),
  ...packages
    .map((name) => join(root, "packages", name, "README.md"))
    .filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined)
    .flatMap((path) => ofGuide(path).map((e) => ({ ...e, name: `${basename(dirname(path))}-${e.name}` }))),
  ...ofGuide(join(root, "README.md")),
  ...filesBelow(join(root, "docs"), ".md").flatMap(ofGuide)
]

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
for (const { name, source, code } of examples) {
  writeFileSync(join(out, `${name}.ts`), `// ${source}\n${code}\nexport {}\n`)
}
