import { createHash } from "node:crypto"

/** A number from 0 to 1 that follows from the seed and these words alone, in whatever order anybody asks. */
export const chance = (seed: number, ...words: ReadonlyArray<string | number>): number =>
  createHash("sha256")
    .update(JSON.stringify([seed, ...words]))
    .digest()
    .readUInt32BE() /
  2 ** 32

/** One of these, each as often as its weight says. */
export const pick = <A>(weighted: ReadonlyArray<readonly [A, number]>, at: number): A => {
  let left = at * weighted.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [one, weight] of weighted) {
    left -= weight
    if (left < 0) return one
  }
  throw new Error("nothing to pick from")
}
