import { Counts, Latencies } from "./counts.ts"

/** What came to pass in a stretch of time. */
export class Slice {
  /** By model. */
  readonly due = new Counts()
  readonly served = new Counts()
  readonly tokens = new Counts()
  readonly latencies = new Map<string, Latencies>()
  /** By route. */
  readonly answered = new Counts()
  readonly fallbacks = new Counts()
  /** By `route / tier`, or who else gave no answer. */
  readonly routed = new Counts()
  /** By type. */
  readonly errors = new Counts()

  latency(model: string, millis: number): void {
    const known = this.latencies.get(model) ?? new Latencies()
    this.latencies.set(model, known)
    known.add(millis)
  }

  merge(other: Slice): void {
    for (const what of ["due", "served", "tokens", "answered", "fallbacks", "routed", "errors"] as const) {
      this[what].merge(other[what])
    }
    for (const [model, latencies] of other.latencies) {
      const known = this.latencies.get(model) ?? new Latencies()
      this.latencies.set(model, known)
      known.merge(latencies)
    }
  }
}

const minute = 60_000
const lengths = [1, 5, 15, 60, 360, 1_440, 10_080].map((minutes) => minutes * minute)

/** The most slices that can be told apart in a plot. */
const most = 170

/**
 * Time in slices of a minute, an hour, a day: the shortest of which so few cover it all. Which they are depends on the first
 * and the last time alone, and not on the order in which they come.
 */
export class Timeline {
  private slices = new Map<number, Slice>()
  private length = lengths[0]!
  private first = Number.POSITIVE_INFINITY
  private last = Number.NEGATIVE_INFINITY

  at(time: number): Slice {
    this.first = Math.min(this.first, time)
    this.last = Math.max(this.last, time)
    while (this.indexOf(this.last) - this.indexOf(this.first) >= most) this.coarsen()
    const index = this.indexOf(time)
    const known = this.slices.get(index) ?? new Slice()
    this.slices.set(index, known)
    return known
  }

  /** The first and the last time. */
  get span(): { readonly from: number; readonly to: number } {
    return { from: this.first, to: this.last }
  }

  /** Every slice from the first to the last, also those in which nothing was. */
  read(): {
    readonly length: number
    readonly slices: ReadonlyArray<{ readonly at: number; readonly slice: Slice }>
  } {
    if (this.slices.size === 0) return { length: this.length, slices: [] }
    const from = this.indexOf(this.first)
    const slices = Array.from({ length: this.indexOf(this.last) - from + 1 }, (_, index) => ({
      at: (from + index) * this.length,
      slice: this.slices.get(from + index) ?? new Slice()
    }))
    return { length: this.length, slices }
  }

  private indexOf(time: number): number {
    return Math.floor(time / this.length)
  }

  private coarsen(): void {
    const before = [...this.slices]
    const shorter = this.length
    this.length = lengths.find((length) => length > shorter) ?? shorter * 2
    this.slices = new Map()
    for (const [index, slice] of before) {
      const merged = this.indexOf(index * shorter)
      const known = this.slices.get(merged)
      if (known === undefined) this.slices.set(merged, slice)
      else known.merge(slice)
    }
  }
}
