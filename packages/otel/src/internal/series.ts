import { type Labels, paceBounds, type SpanIds } from "@understudy/core/Attempt"
import type { Exemplar, HistogramPoint } from "../Metrics.ts"

/** Only grows. */
export class Counter {
  readonly labels: Labels
  value = 0

  constructor(labels: Labels) {
    this.labels = labels
  }
}

/** What OpenTelemetry advises for models, and the pace of streams is counted by. */
export const seconds = paceBounds

/** The same for tokens. */
export const tokens: ReadonlyArray<number> = Array.from({ length: 14 }, (_, power) => 4 ** power)

/** How often each value was seen, with the last span that was seen in each bucket. */
export class Histogram {
  readonly bounds: ReadonlyArray<number>
  readonly counts: Array<number>
  readonly exemplars: Array<Exemplar | undefined>
  sum = 0

  constructor(bounds: ReadonlyArray<number>) {
    this.bounds = bounds
    this.counts = Array(bounds.length + 1).fill(0)
    this.exemplars = Array(bounds.length + 1).fill(undefined)
  }

  get count(): number {
    return this.counts.reduce((all, one) => all + one)
  }

  observe(value: number, span: SpanIds | undefined, now: () => number): void {
    const { bounds } = this
    let bucket = 0
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++
    this.counts[bucket]!++
    this.sum += value
    if (span?.sampled) this.exemplars[bucket] = { span, value, at: now() }
  }

  /** Many values, that have been counted by the same bounds. */
  add(counts: ReadonlyArray<number>, sum: number): void {
    for (let bucket = 0; bucket < counts.length; bucket++) this.counts[bucket]! += counts[bucket]!
    this.sum += sum
  }
}

/** What several histograms of the same bounds have seen together. */
export const point = (
  labels: HistogramPoint["labels"],
  histograms: ReadonlyArray<Pick<HistogramPoint, "counts" | "sum" | "exemplars">>
): HistogramPoint => {
  const [first] = histograms
  return {
    labels,
    counts:
      first?.counts.map((_, bucket) => histograms.reduce((all, { counts }) => all + counts[bucket]!, 0)) ??
      [],
    sum: histograms.reduce((all, { sum }) => all + sum, 0),
    exemplars:
      first?.exemplars.map((_, bucket) => latest(histograms.map(({ exemplars }) => exemplars[bucket]))) ?? []
  }
}

const latest = (exemplars: ReadonlyArray<Exemplar | undefined>): Exemplar | undefined =>
  exemplars.reduce((last, one) =>
    one !== undefined && (last === undefined || one.at >= last.at) ? one : last
  )

/** How many more entries there may be. */
export interface Room {
  left: number
}

/** What stands for all values that there was no room for. */
const other = "_OTHER"

/** The entry of a key, which is made where there is none; all share one once there is no more room. */
export const entry = <V>(map: Map<string, V>, key: string, room: Room, make: (key: string) => V): V => {
  const known = map.get(key) ?? (room.left > 0 ? undefined : map.get(other))
  if (known !== undefined) return known
  const name = room.left > 0 ? key : other
  room.left--
  const made = make(name)
  map.set(name, made)
  return made
}
