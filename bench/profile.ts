import { readFileSync } from "node:fs"
import { SourceMap, type SourceMapPayload } from "node:module"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"

interface Node {
  readonly id: number
  readonly callFrame: {
    readonly functionName: string
    readonly url: string
    readonly lineNumber: number
    readonly columnNumber: number
  }
}

interface Profile {
  readonly nodes: ReadonlyArray<Node>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

const shown = 30

/** Where the source of a function is, shortened to what tells files apart. */
const shortPath = (path: string): string =>
  path
    .replace(/^.*node_modules\/(?:\.pnpm\/[^/]+\/node_modules\/)?/, "")
    .replace(/^(?:\.\.\/)+(?=packages\/)/, "")
    .replace(/^\.\.\//, "bench/")

const partOf = (where: string): string => {
  if (where.startsWith("(")) return where
  if (where.startsWith("packages/")) return "@understudy/core"
  return where.startsWith("node:") ? "node" : where.split("/")[0]!
}

/** The beginning of the line on which a function begins: most have no name. */
const lineOf = (map: SourceMap, source: string, line: number): string => {
  const index = map.payload.sources.indexOf(source)
  const text = map.payload.sourcesContent?.[index]?.split("\n")[line]?.trim() ?? ""
  return text.length > 70 ? `${text.slice(0, 70)}…` : text
}

/** The functions that took most of the time themselves, as a table; idle time is left out. */
export const hottest = (file: string, out: string): string => {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, "utf8")) as Profile
  const maps = new Map<string, SourceMap>()
  const mapOf = (path: string) => {
    const known = maps.get(path)
    if (known !== undefined) return known
    const payload = JSON.parse(readFileSync(join(out, `${basename(path)}.map`), "utf8")) as SourceMapPayload
    const map = new SourceMap(payload)
    maps.set(path, map)
    return map
  }
  const whereIs = ({ columnNumber, functionName, lineNumber, url }: Node["callFrame"]) => {
    if (url === "") return { where: functionName.startsWith("(") ? functionName : "(native)", text: "" }
    if (!url.startsWith("file:")) return { where: url, text: "" }
    const map = mapOf(fileURLToPath(url))
    const entry = map.findEntry(lineNumber, columnNumber)
    if (!("originalSource" in entry)) return { where: basename(url), text: "" }
    const { originalLine, originalSource } = entry
    return {
      where: `${shortPath(originalSource)}:${originalLine + 1}`,
      text: functionName === "" ? lineOf(map, originalSource, originalLine) : functionName
    }
  }

  const frames = new Map(nodes.map(({ callFrame, id }) => [id, callFrame]))
  const own = new Map<string, number>()
  const parts = new Map<string, number>()
  const names = new Map<number, { readonly label: string; readonly part: string }>()
  let total = 0
  for (const [i, id] of samples.entries()) {
    const frame = frames.get(id)!
    if (frame.functionName === "(idle)") continue
    let name = names.get(id)
    if (name === undefined) {
      const { text, where } = whereIs(frame)
      const label = where.startsWith("(") ? frame.functionName : `${where}  ${text || frame.functionName}`
      name = { label, part: partOf(where) }
      names.set(id, name)
    }
    const took = timeDeltas[i]!
    total += took
    own.set(name.label, (own.get(name.label) ?? 0) + took)
    parts.set(name.part, (parts.get(name.part) ?? 0) + took)
  }
  const lines = (counts: ReadonlyMap<string, number>) =>
    [...counts]
      .toSorted((a, b) => b[1] - a[1])
      .slice(0, shown)
      .map(([label, took]) => `${((100 * took) / total).toFixed(1).padStart(5)} %  ${label}`)
      .join("\n")
  return `By part, of ${(total / 1e6).toFixed(1)} s busy\n${lines(parts)}\n\nBy function, self time\n${lines(own)}`
}
