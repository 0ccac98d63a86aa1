import type { Quantiles } from "../../testing/Simulation.ts"

/** A histogram of times with three significant digits. */
export class Times {
  private readonly counts = new Map<number, number>()
  private total = 0
  private sum = 0
  private longest = 0

  add(millis: number): void {
    const rounded = toThreeDigits(millis)
    this.counts.set(rounded, (this.counts.get(rounded) ?? 0) + 1)
    this.total++
    this.sum += millis
    this.longest = Math.max(this.longest, millis)
  }

  /** `undefined` if there are no values. */
  quantiles(): Quantiles | undefined {
    if (this.total === 0) return undefined
    const longest = Math.round(this.longest * 1000) / 1000
    const sorted = [...this.counts].sort(([one], [other]) => one - other)
    const at = (share: number) => {
      let left = Math.ceil(share * this.total)
      const [time] = sorted.find(([, count]) => {
        left -= count
        return left <= 0
      })!
      return Math.min(time, longest)
    }
    return {
      mean: Math.min(toThreeDigits(this.sum / this.total), longest),
      p50: at(0.5),
      p95: at(0.95),
      p99: at(0.99),
      max: longest
    }
  }
}

const toThreeDigits = (millis: number): number => {
  if (millis < 1) return Math.round(millis * 1000) / 1000
  const unit = 10 ** (Math.floor(Math.log10(millis)) - 2)
  return unit < 1 ? Math.round(millis / unit) / Math.round(1 / unit) : Math.round(millis / unit) * unit
}
