/**
 * Recent counts: one value for each slice of time in which something happened, oldest first. A slice is dropped as a
 * whole, so that nothing older than the window counts and at most one slice is dropped early.
 */
export type Rolling<A> = ReadonlyArray<Slice<A>>

/**
 * The counts of one slice of a window; slices are numbered from 1970, so that they are the same in every process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Slice<out A> {
  readonly index: number
  readonly value: A
}

/** The slices of a window. */
export const slices = 20

/** The number of the slice that a time lies in, counted from time 0. */
export const sliceAt = (now: number, window: number): number => Math.floor(now / (window / slices))

/** The window as of a slice. */
export const live = <A>(self: Rolling<A>, index: number): Array<Slice<A>> =>
  self.filter((slice) => slice.index > index - slices)

/** The value of the newest slice, created with `begin` if needed. Slices that are too old by then are dropped. */
export const at = <A>(self: Array<Slice<A>>, index: number, begin: () => A): A => {
  const newest = self.at(-1)
  if (newest?.index === index) return newest.value
  self.splice(0, self.length - live(self, index).length)
  const value = begin()
  self.push({ index, value })
  return value
}

/** The sum of two windows of the same length. */
export const merge = <A>(self: Rolling<A>, that: Rolling<A>, add: (a: A, b: A) => A): Array<Slice<A>> => {
  const values = new Map(self.map(({ index, value }) => [index, value]))
  for (const { index, value } of that) {
    const known = values.get(index)
    values.set(index, known === undefined ? value : add(known, value))
  }
  return [...values].map(([index, value]) => ({ index, value })).toSorted((a, b) => a.index - b.index)
}
