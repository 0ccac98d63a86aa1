import { assert, describe, it } from "@effect/vitest"
import { at, live, merge, type Rolling, type Slice, sliceAt, slices } from "../src/internal/health/rolling.ts"

/** One call in each of these slices. */
const called = (...indexes: ReadonlyArray<number>): Rolling<number> => {
  const window: Array<Slice<{ calls: number }>> = []
  for (const index of indexes) at(window, index, () => ({ calls: 0 })).calls++
  return window.map(({ index, value }) => ({ index, value: value.calls }))
}

describe("what has been counted lately", () => {
  it("a time lies in the twentieth of the window that it has begun", () => {
    assert.deepStrictEqual(
      [0, 49, 50, 999, 1_000].map((now) => sliceAt(now, 1_000)),
      [0, 0, 1, 19, 20]
    )
  })

  it("counts once more in the newest slice, and anew in a later one", () => {
    assert.deepStrictEqual(called(3, 3, 5, 5, 5), [
      { index: 3, value: 2 },
      { index: 5, value: 3 }
    ])
  })

  it("slices leave one at a time, in a window that goes on and in one that nobody looked at", () => {
    const window = called(0, 1, 5)
    const left = (index: number) => live(window, index).map((slice) => slice.index)
    assert.deepStrictEqual([5, 19, 20, 21, 24, 25].map(left), [[0, 1, 5], [0, 1, 5], [1, 5], [5], [5], []])
    assert.deepStrictEqual(called(0, 1, 5, 21), called(5, 21))
  })

  it("of two windows each slice is what both have counted in it, oldest first", () => {
    const sum = (a: number, b: number) => a + b
    const both = [
      { index: 2, value: 1 },
      { index: 3, value: 2 },
      { index: 5, value: 3 },
      { index: 7, value: 1 }
    ]
    assert.deepStrictEqual(merge(called(3, 3, 5), called(2, 5, 5, 7), sum), both)
    assert.deepStrictEqual(merge(called(2, 5, 5, 7), called(3, 3, 5), sum), both)
  })

  it("never keeps more than its slices", () => {
    const window = called(...Array.from({ length: 300 }, (_, call) => Math.floor(call / 3)))
    assert.deepStrictEqual([window.length, window[0]?.index, window.at(-1)?.index], [slices, 80, 99])
  })
})
