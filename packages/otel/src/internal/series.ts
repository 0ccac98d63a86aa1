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

/** The bounds that OpenTelemetry recommends for models, also used for the pace of streams. */
export const seconds = paceBounds

/** The recommended bounds for tokens. */
export const tokens: ReadonlyArray<number> = Array.from({ length: 14 }, (_, power) => 4 ** power)

/** A histogram with the last span of each bucket. */
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

  /** Adds values that were counted with the same bounds. */
  add(counts: ReadonlyArray<number>, sum: number): void {
    for (let bucket = 0; bucket < counts.length; bucket++) this.counts[bucket]! += counts[bucket]!
    this.sum += sum
  }
}

/** The sum of several histograms with the same bounds. */
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

/** The label value for everything beyond the limit. */
const other = "_OTHER"

/** The entry of a key, created if missing; once the limit is reached, all new keys share one. */
export const entry = <V>(map: Map<string, V>, key: string, room: Room, make: (key: string) => V): V => {
  const known = map.get(key) ?? (room.left > 0 ? undefined : map.get(other))
  if (known !== undefined) return known
  const name = room.left > 0 ? key : other
  room.left--
  const made = make(name)
  map.set(name, made)
  return made
}
