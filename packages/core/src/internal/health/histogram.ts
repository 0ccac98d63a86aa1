/**
 * The count of each latency, in bins that grow by a constant ratio: a value read back from a bin is within
 * {@link relativeError} of the recorded one. Source: DDSketch, Masson, Rim and Lee, VLDB 2019.
 */
export type Histogram = Map<number, number>

const relativeError = 0.01

/** The range of recorded latencies, in milliseconds; values outside are clamped to it. */
const shortest = 1
const longest = 86_400_000

const ratio = (1 + relativeError) / (1 - relativeError)

const binOf = (millis: number): number =>
  Math.ceil(Math.log(Math.min(longest, Math.max(shortest, millis))) / Math.log(ratio))

export const add = (self: Histogram, millis: number): void => count(self, binOf(millis), 1)

/** The sum of several histograms. */
export const merge = (histograms: Iterable<Histogram>): Histogram => {
  const all: Histogram = new Map()
  for (const histogram of histograms) {
    for (const [bin, more] of histogram) count(all, bin, more)
  }
  return all
}

const count = (self: Histogram, bin: number, more: number): void => {
  self.set(bin, (self.get(bin) ?? 0) + more)
}

/**
 * Percentiles by nearest rank; `undefined` if the histogram is empty.
 */
export const percentiles = <const P extends ReadonlyArray<number>>(
  histograms: ReadonlyArray<Histogram>,
  percents: P
): { readonly [Index in keyof P]: number } | undefined => {
  const bins = [...merge(histograms)].sort(([a], [b]) => a - b)
  const total = bins.reduce((sum, [, count]) => sum + count, 0)
  if (total === 0) return undefined
  return percents.map((percent) => valueAt(bins, Math.ceil((percent * total) / 100))) as never
}

/** The geometric middle of the bin that contains the value of this rank. */
const valueAt = (bins: ReadonlyArray<readonly [bin: number, count: number]>, rank: number): number => {
  let left = rank
  let reached = 0
  for (const [bin, count] of bins) {
    reached = bin
    left -= count
    if (left <= 0) break
  }
  return (2 * ratio ** reached) / (ratio + 1)
}
