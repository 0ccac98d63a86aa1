import { assert } from "@effect/vitest"

/** The cells of the rows of the table whose first column has this head; in a guide or in a docstring. */
export const table = (text: string, head: string): ReadonlyArray<ReadonlyArray<string>> => {
  const lines = text.split("\n").map((line) => line.replace(/^ \* /, ""))
  const start = lines.findIndex((line) => line.startsWith("|") && cells(line)[0] === head)
  assert.isAbove(start, -1, `no table of ${head}`)
  const end = lines.findIndex((line, index) => index > start && !line.startsWith("|"))
  return lines.slice(start + 2, end).map(cells)
}

const cells = (line: string): ReadonlyArray<string> =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim())

export const code = (text: string): string => `\`${text}\``
