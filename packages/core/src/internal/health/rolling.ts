/**
 * What has been counted lately: one value for each slice of time in which something was, oldest first. A slice
 * leaves as a whole, so that what is older than the window never counts and no more than a slice is let go early.
 */
export type Rolling<A> = ReadonlyArray<Slice<A>>

/**
 * What was counted in one slice of a window; slices are numbered from 1970 on, and so the same in every process.
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

/** The window as it is in a slice, however long nobody looked. */
export const live = <A>(self: Rolling<A>, index: number): Array<Slice<A>> =>
  self.filter((slice) => slice.index > index - slices)

/** What a slice that is not before the newest is counted in, and begins as. What is too old by then leaves. */
export const at = <A>(self: Array<Slice<A>>, index: number, begin: () => A): A => {
  const newest = self.at(-1)
  if (newest?.index === index) return newest.value
  self.splice(0, self.length - live(self, index).length)
  const value = begin()
  self.push({ index, value })
  return value
}

/** What two windows of the same length have counted together. */
export const merge = <A>(self: Rolling<A>, that: Rolling<A>, add: (a: A, b: A) => A): Array<Slice<A>> => {
  const values = new Map(self.map(({ index, value }) => [index, value]))
  for (const { index, value } of that) {
    const known = values.get(index)
    values.set(index, known === undefined ? value : add(known, value))
  }
  return [...values].map(([index, value]) => ({ index, value })).toSorted((a, b) => a.index - b.index)
}
