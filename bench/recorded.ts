import { readFileSync, writeFileSync } from "node:fs"

/** A figure of ours beside another's: of CPU time or memory, for those of the clock move with the machine. */
export interface Ratio {
  readonly name: string
  readonly value: number
  /** Whether more is better. */
  readonly more: boolean
}

/** What may be lost before it counts: a median of a few rounds moves by nearly as much. */
const allowed = 0.75

const goodness = ({ more }: Ratio, value: number): number => (more ? value : 1 / value)

/** Writes the ratios down, beside those of others that were not measured. */
export const record = (file: string, ratios: ReadonlyArray<Ratio>): void => {
  const all = { ...read(file), ...Object.fromEntries(ratios.map(({ name, value }) => [name, round(value)])) }
  writeFileSync(file, `${JSON.stringify(all, undefined, 2)}\n`)
}

/** A line for each ratio that has fallen by more than a quarter below what was written down. */
export const fallen = (file: string, ratios: ReadonlyArray<Ratio>): ReadonlyArray<string> => {
  const recorded = read(file)
  return ratios.flatMap((ratio) => {
    const before = recorded[ratio.name]
    return before !== undefined && !(goodness(ratio, ratio.value) >= allowed * goodness(ratio, before))
      ? [`${ratio.name}: ${round(ratio.value)}, recorded ${before}`]
      : []
  })
}

const read = (file: string): Readonly<Record<string, number>> => JSON.parse(readFileSync(file, "utf8"))

const round = (value: number): number => Number(value.toPrecision(3))
