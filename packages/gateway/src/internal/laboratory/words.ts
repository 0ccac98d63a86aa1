import { clock } from "../drawing/figures.ts"

/** A time in milliseconds, as exactly as anybody cares: `860 ms`, `4.08 s`, `3m20s`. */
export const time = (millis: number): string => {
  if (millis < 1_000) return `${Math.round(millis)} ms`
  if (millis < 60_000) return `${Number((millis / 1_000).toPrecision(3))} s`
  return clock(millis)
}

/** Rows under each other; the columns named are flush right, the first rows are not. */
export const table = (
  rows: ReadonlyArray<ReadonlyArray<string>>,
  right: ReadonlyArray<number> = []
): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          right.includes(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)
        )
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

export const indented = (text: string): string => text.replace(/^(?=.)/gm, "  ")
