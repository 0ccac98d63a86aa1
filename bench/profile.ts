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
  path.replace(/^.*node_modules\/(?:\.pnpm\/[^/]+\/node_modules\/)?/, "").replace(/^(?:\.\.\/)+/, "")

const partOf = (where: string): string => {
  if (where.startsWith("(")) return where
  if (where.startsWith("packages/")) return "@understudy/core"
  if (where.startsWith("effect/")) return "effect"
  return where.startsWith("node:") ? "node" : where.split("/")[0]!
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
  const whereIs = ({ columnNumber, functionName, lineNumber, url }: Node["callFrame"]): string => {
    if (url === "") return functionName.startsWith("(") ? functionName : "(native)"
    if (!url.startsWith("file:")) return url
    const entry = mapOf(fileURLToPath(url)).findEntry(lineNumber, columnNumber)
    return "originalSource" in entry
      ? `${shortPath(entry.originalSource)}:${entry.originalLine + 1}`
      : basename(url)
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
      const where = whereIs(frame)
      const label = where.startsWith("(")
        ? frame.functionName
        : `${frame.functionName || "(anonymous)"}  ${where}`
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
