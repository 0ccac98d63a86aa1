/** A min-heap. */
export class Heap<A> {
  private items: Array<A> = []
  private readonly before: (one: A, other: A) => boolean

  constructor(before: (one: A, other: A) => boolean) {
    this.before = before
  }

  get size(): number {
    return this.items.length
  }

  push(item: A): void {
    this.items.push(item)
    this.rise(this.items.length - 1, item)
  }

  pop(): A | undefined {
    const [first] = this.items
    const last = this.items.pop()
    if (this.items.length > 0 && last !== undefined) this.sink(0, last)
    return first
  }

  /** Drops all others. */
  keep(wanted: (item: A) => boolean): void {
    this.items = this.items.filter(wanted)
    for (let at = (this.items.length >> 1) - 1; at >= 0; at--) this.sink(at, this.items[at]!)
  }

  private rise(from: number, item: A): void {
    const { before, items } = this
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(item, items[parent]!)) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = item
  }

  private sink(from: number, item: A): void {
    const { before, items } = this
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      const other = child + 1
      if (other < items.length && before(items[other]!, items[child]!)) child = other
      if (!before(items[child]!, item)) break
      items[at] = items[child]!
      at = child
    }
    items[at] = item
  }
}
