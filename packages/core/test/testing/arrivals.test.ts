import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { arrivals } from "../../src/internal/testing/arrivals.ts"
import { Script } from "../../src/testing/index.ts"

const load = Schema.decodeSync(Script.Load)

describe("arrivals", () => {
  it("that are even come like a clock, the first at once", () => {
    assert.deepStrictEqual([...arrivals(load({ rate: 4, arrivals: "even" }), 1_000, 1)], [0, 250, 500, 750])
  })

  it("go on from one rate to the next where they were", () => {
    const bursts = [{ at: "1s", for: "500ms", rate: 10 }]
    assert.deepStrictEqual(
      [...arrivals(load({ rate: 2, arrivals: "even", bursts }), 2_500, 1)],
      [0, 500, 1_000, 1_100, 1_200, 1_300, 1_400, 1_500, 2_000]
    )
  })

  it("stop where a burst is of nothing", () => {
    const bursts = [{ at: "0s", for: "2s", rate: 0 }]
    const [first] = arrivals(load({ rate: 1, arrivals: "even", bursts }), 4_000, 1)
    assert.strictEqual(first, 2_000)
  })

  it("by chance are as many as their rate says, as far apart as chance has it, and the same for a seed", () => {
    const all = [...arrivals(load({ rate: 50 }), 3_600_000, 7)]
    // Five standard deviations of a Poisson number.
    assert.approximately(all.length, 180_000, 5 * Math.sqrt(180_000))
    const gaps = all.slice(1).map((at, index) => at - all[index]!)
    const longer = gaps.filter((gap) => gap > 20).length / gaps.length
    assert.approximately(longer, Math.exp(-1), 0.01)
    assert.deepStrictEqual([...arrivals(load({ rate: 50 }), 3_600_000, 7)], all)
    assert.notDeepEqual([...arrivals(load({ rate: 50 }), 3_600_000, 8)], all)
  })
})
