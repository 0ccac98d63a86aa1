/** The middle value; NaN of none. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return Number.isInteger(middle) ? (sorted[middle - 1]! + sorted[middle]!) / 2 : sorted[Math.floor(middle)]!
}

/** Three significant digits at most. */
export const short = (value: number): string =>
  Number.isNaN(value) ? "–" : value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2)

export const range = (values: ReadonlyArray<number>): string =>
  `${short(Math.min(...values))}–${short(Math.max(...values))}`

export const spread = (values: ReadonlyArray<number>): string =>
  values.length === 0 ? "–" : `${short(median(values))} (${range(values)})`

/** The quartiles. */
export const quartiles = (values: ReadonlyArray<number>): readonly [number, number] => {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.round((sorted.length - 1) * share)]!
  return [at(0.25), at(0.75)]
}
