/** How often each name was seen. Names beyond the first thousand are counted as one. */
export class Counts {
  private readonly byName = new Map<string, number>()

  add(name: string, amount = 1): void {
    const counted = this.byName.size < most || this.byName.has(name) ? name : other
    this.byName.set(counted, this.of(counted) + amount)
  }

  of(name: string): number {
    return this.byName.get(name) ?? 0
  }

  merge(others: Counts): void {
    for (const [name, amount] of others.byName) this.add(name, amount)
  }

  /** The most frequent first. */
  entries(): ReadonlyArray<readonly [name: string, count: number]> {
    return [...this.byName].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  }

  total(): number {
    let sum = 0
    for (const amount of this.byName.values()) sum += amount
    return sum
  }
}

const other = "_OTHER"
const most = 1_000

/** Latencies in bins that grow by 2 %, counted in place: a log has more of them than memory should hold. */
export class Latencies {
  private readonly bins = new Map<number, number>()
  private count = 0

  add(millis: number): void {
    const bin = Math.ceil(Math.log(Math.max(0.1, millis)) / step)
    this.bins.set(bin, (this.bins.get(bin) ?? 0) + 1)
    this.count++
  }

  merge(others: Latencies): void {
    for (const [bin, count] of others.bins) this.bins.set(bin, (this.bins.get(bin) ?? 0) + count)
    this.count += others.count
  }

  /** A percentile, within 1 %; `null` if there are none. */
  percentile(percent: number): number | null {
    let left = Math.ceil((percent * this.count) / 100)
    for (const [bin, count] of [...this.bins].sort(([a], [b]) => a - b)) {
      left -= count
      if (left <= 0) return Math.round(Math.exp((bin - 0.5) * step) * 10) / 10
    }
    return null
  }
}

const step = Math.log(1.02)
