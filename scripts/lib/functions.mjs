import { readFile } from "node:fs/promises"
import { basename } from "node:path"

/**
 * Makes functions of the arrows that Effect's modules, yaml's and ours consist of: of a function V8 looks for the end until
 * somebody calls it, and an arrow it reads as if it were called. A plugin of esbuild.
 */
export const functions = {
  name: "functions",
  setup: ({ esbuild, onLoad }) => {
    onLoad({ filter: /[\\/](dist[\\/]esm|yaml[\\/]browser)[\\/].*\.js$/ }, async ({ path }) => ({
      contents: await withFunctions(await readFile(path, "utf8"))
    }))
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(await readFile(path, "utf8"), {
        loader: "ts",
        sourcefile: basename(path),
        sourcemap: "inline",
        sourcesContent: false
      })
      return { contents: await withFunctions(code) }
    })
  }
}

/** In place of the outermost arrows alone: what is inside of one is read when it is called. No line moves. */
export const withFunctions = async (source) => {
  const { parse } = await import("acorn")
  let written = ""
  let end = 0
  for (const arrow of arrowsIn(parse(source, { ecmaVersion: "latest", sourceType: "module" }))) {
    written += source.slice(end, arrow.start) + functionOf(arrow, source)
    end = arrow.end
  }
  return written + source.slice(end)
}

const arrowsIn = (node) => {
  if (node.type === "ArrowFunctionExpression") return !node.async && isFree(node) ? [node] : []
  return /Function/.test(node.type) ? [] : partsOf(node).flatMap(arrowsIn)
}

/** Whether nothing in it would mean something else in a function. */
const isFree = (node) =>
  !/^(This|Super|MetaProperty)/.test(node.type) &&
  node.name !== "arguments" &&
  partsOf(node)
    .filter(({ type }) => !/^Function/.test(type))
    .every(isFree)

const partsOf = (node) =>
  Object.values(node)
    .flat()
    .filter((part) => typeof part?.type === "string")

const functionOf = ({ body, end, params, start }, source) => {
  const arrow = source.indexOf("=>", params.at(-1)?.end ?? start)
  const head = source.slice(start, arrow).trim()
  const rest = source.slice(arrow + 2, end)
  return `function${head.startsWith("(") ? head : `(${head})`}${body.type === "BlockStatement" ? rest : `{return(${rest})}`}`
}
