import type { Labels, SpanIds } from "@understudy/core/Attempt"
import type { Exemplar } from "../Metrics.ts"

/** Only grows. */
export class Counter {
  readonly labels: Labels
  value = 0

  constructor(labels: Labels) {
    this.labels = labels
  }
}

/** In seconds: what OpenTelemetry advises for models. */
export const bounds: ReadonlyArray<number> = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92
]

/** How often each length of time was seen, with the last span that was seen in each bucket. */
export class Histogram {
  readonly labels: Labels
  readonly counts: Array<number> = Array(bounds.length + 1).fill(0)
  readonly exemplars: Array<Exemplar | undefined> = Array(bounds.length + 1).fill(undefined)
  sum = 0

  constructor(labels: Labels) {
    this.labels = labels
  }

  observe(seconds: number, span: SpanIds | undefined, now: () => number): void {
    let bucket = 0
    while (bucket < bounds.length && seconds > bounds[bucket]!) bucket++
    this.counts[bucket]!++
    this.sum += seconds
    if (span?.sampled) this.exemplars[bucket] = { span, value: seconds, at: now() }
  }
}

/** How many more entries there may be. */
export interface Room {
  left: number
}

/** What stands for all values that there was no room for. */
export const other = "_OTHER"

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
