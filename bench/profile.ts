import { existsSync, readFileSync } from "node:fs"
import { SourceMap, type SourceMapPayload } from "node:module"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
  readonly columnNumber: number
}

interface CpuProfile {
  readonly nodes: ReadonlyArray<{ readonly id: number; readonly callFrame: CallFrame }>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

interface HeapNode {
  readonly callFrame: CallFrame
  readonly selfSize: number
  readonly children: ReadonlyArray<HeapNode>
}

interface Cost {
  readonly frame: CallFrame
  readonly cost: number
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
  if (where.startsWith("packages/")) return `@understudy/${where.split("/")[1]}`
  return where.startsWith("node:") ? "node" : where.split("/")[0]!
}

/** The beginning of the line on which a function begins: most have no name. */
const lineOf = (map: SourceMap, source: string, line: number): string => {
  const index = map.payload.sources.indexOf(source)
  const text = map.payload.sourcesContent?.[index]?.split("\n")[line]?.trim() ?? ""
  return text.length > 70 ? `${text.slice(0, 70)}…` : text
}

/** Says of a function in a bundle which one it is in the sources. */
const namer = () => {
  const maps = new Map<string, SourceMap | undefined>()
  const mapOf = (path: string) => {
    if (maps.has(path)) return maps.get(path)
    const file = `${path}.map`
    const map = existsSync(file)
      ? new SourceMap(JSON.parse(readFileSync(file, "utf8")) as SourceMapPayload)
      : undefined
    maps.set(path, map)
    return map
  }
  return ({ columnNumber, functionName, lineNumber, url }: CallFrame) => {
    if (functionName.startsWith("(")) return { where: functionName, label: functionName }
    if (url === "") return { where: "(native)", label: functionName || "(native)" }
    if (!url.startsWith("file:")) return { where: url, label: `${url}  ${functionName}` }
    const map = mapOf(fileURLToPath(url))
    const entry = map?.findEntry(lineNumber, columnNumber)
    if (map === undefined || entry === undefined || !("originalSource" in entry)) {
      return { where: basename(url), label: `${basename(url)}  ${functionName}` }
    }
    const { originalLine, originalSource } = entry
    const where = shortPath(originalSource)
    const text = functionName || lineOf(map, originalSource, originalLine)
    return { where, label: `${where}:${originalLine + 1}  ${text}` }
  }
}

const tables = (costs: ReadonlyArray<Cost>, figure: (cost: number) => string): string => {
  const nameOf = namer()
  const functions = new Map<string, number>()
  const parts = new Map<string, number>()
  const add = (to: Map<string, number>, key: string, cost: number) => to.set(key, (to.get(key) ?? 0) + cost)
  for (const { cost, frame } of costs) {
    const { label, where } = nameOf(frame)
    add(functions, label, cost)
    add(parts, partOf(where), cost)
  }
  const lines = (counts: ReadonlyMap<string, number>) =>
    [...counts]
      .toSorted((a, b) => b[1] - a[1])
      .slice(0, shown)
      .map(([label, cost]) => `${figure(cost).padStart(10)}  ${label}`)
      .join("\n")
  return `${lines(parts)}\n\n${lines(functions)}`
}

/** The functions that took most of the time themselves; idle time is left out. */
export const hottest = (file: string): string => {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, "utf8")) as CpuProfile
  const frames = new Map(nodes.map(({ callFrame, id }) => [id, callFrame]))
  const took = new Map<number, number>()
  for (const [i, id] of samples.entries()) took.set(id, (took.get(id) ?? 0) + timeDeltas[i]!)
  const costs = [...took]
    .map(([id, cost]): Cost => ({ frame: frames.get(id)!, cost }))
    .filter(({ frame }) => frame.functionName !== "(idle)")
  const total = costs.reduce((sum, { cost }) => sum + cost, 0)
  const figure = (cost: number) => `${((100 * cost) / total).toFixed(1)} %`
  return `Time, by part and by function, of ${(total / 1e6).toFixed(1)} s busy\n\n${tables(costs, figure)}`
}

/** The functions that allocated most themselves, in bytes a run. */
export const largest = (file: string, runs: number): string => {
  const { head } = JSON.parse(readFileSync(file, "utf8")) as { readonly head: HeapNode }
  const costs: Array<Cost> = []
  const visit = ({ callFrame, children, selfSize }: HeapNode) => {
    costs.push({ frame: callFrame, cost: selfSize })
    for (const child of children) visit(child)
  }
  visit(head)
  const figure = (cost: number) => `${(cost / runs).toFixed(0)} B`
  return `Allocated a run, by part and by function, of ${runs} runs\n\n${tables(costs, figure)}`
}
