import type * as Attempt from "../../Attempt.ts"

/** In milliseconds. */
const bounds: ReadonlyArray<number> = Array.from({ length: 14 }, (_, power) => 10 * 2 ** power)

/**
 * The bucket bounds of {@link Attempt.Pace}, in seconds: from 0.01 to 81.92, each twice the one before.
 *
 * @example
 * import { Attempt } from "@understudy/core"
 *
 * console.log(Attempt.paceBounds.slice(0, 4)) // => [ 0.01, 0.02, 0.04, 0.08 ]
 *
 * @since 0.1.0
 * @category models
 */
export const paceBounds: ReadonlyArray<number> = bounds.map((millis) => millis / 1000)

/** Measures the pace of a stream as it arrives. */
export class Pace {
  private readonly counts: Array<number> = Array(bounds.length + 1).fill(0)
  private millis = 0
  private begun = false

  /** Records pieces that arrived together, `after` milliseconds after the ones before. */
  came(pieces: number, after: number): void {
    if (this.begun) {
      let bucket = 0
      while (bucket < bounds.length && after > bounds[bucket]!) bucket++
      this.counts[bucket]!++
      this.millis += after
    }
    this.begun = true
    this.counts[0]! += pieces - 1
  }

  get soFar(): Attempt.Pace {
    return { counts: [...this.counts], seconds: this.millis / 1000 }
  }
}
