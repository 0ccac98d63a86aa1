import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { Times } from "../../src/internal/testing/quantiles.ts"
import { law } from "../law.ts"

describe("times", () => {
  const millis = FastCheck.double({ min: 0, max: 1e8, noNaN: true })

  law(
    "are told to three digits, by nearest rank, and never beyond the longest",
    [FastCheck.array(millis, { minLength: 1, maxLength: 200 })],
    (all) => {
      const times = new Times()
      for (const each of all) times.add(each)
      const { max, p50, p95, p99 } = times.quantiles()!
      const sorted = [...all].sort((one, other) => one - other)
      assert.approximately(max, sorted.at(-1)!, 1e-3)
      for (const [share, found] of [
        [0.5, p50],
        [0.95, p95],
        [0.99, p99]
      ] as const) {
        const exact = sorted[Math.ceil(share * sorted.length) - 1]!
        assert.approximately(found, exact, Math.max(1e-3, exact * 0.005))
        assert.isAtMost(found, max)
      }
    }
  )

  it("that are round stay as they are, and none are nothing", () => {
    const times = new Times()
    assert.isUndefined(times.quantiles())
    for (const each of [800, 1_500, 12_300, 1_005]) times.add(each)
    assert.deepStrictEqual([times.quantiles()?.p50, times.quantiles()?.max], [1_010, 12_300])
    const one = new Times()
    one.add(1_005)
    assert.deepStrictEqual(one.quantiles(), { mean: 1_005, p50: 1_005, p95: 1_005, p99: 1_005, max: 1_005 })
  })
})
