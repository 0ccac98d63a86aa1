import { assert, describe, it } from "@effect/vitest"
import { FastCheck, Schema } from "effect"
import { quantile } from "../../src/internal/testing/latency.ts"
import { LatencyFile } from "../../src/internal/testing/latencyFile.ts"
import { law } from "../law.ts"

const latency = Schema.decodeUnknownSync(LatencyFile)

describe("a latency", () => {
  it("is what it says at the percentiles that it names", () => {
    const points = { p10: "200ms", p50: "800ms", p95: "3s", p99: "20s" }
    for (const [share, millis] of [
      [0.1, 200],
      [0.5, 800],
      [0.95, 3_000],
      [0.99, 20_000]
    ] as const) {
      assert.approximately(quantile(latency(points), share), millis, millis * 1e-6)
    }
  })

  it("of two percentiles is the log-normal one through both", () => {
    // The deviate of 0.975 is 1.959964, that of 0.8413447 is 1.
    const drawn = latency({ p50: "1s", p95: "5s" })
    const sigma = Math.log(5) / 1.6448536269514722
    assert.approximately(quantile(drawn, 0.8413447460685429), 1_000 * Math.exp(sigma), 1e-3)
    assert.approximately(quantile(drawn, 0.975), 1_000 * Math.exp(1.959963984540054 * sigma), 1e-2)
    assert.approximately(quantile(drawn, 0.001), 1_000 * Math.exp(-3.090232306167813 * sigma), 1e-3)
  })

  it("is even in a range, and always the same where it is one", () => {
    assert.strictEqual(quantile(latency("300ms..900ms"), 0.25), 450)
    assert.strictEqual(quantile(latency("1.5s"), 0.99), 1_500)
  })

  const share = FastCheck.double({ min: 0, max: 1, noNaN: true })

  law("never shrinks and never ends", [share, share], (one, other) => {
    const drawn = latency({ p50: "800ms", p90: "2s", p99: "9s" })
    const [low, high] = [Math.min(one, other), Math.max(one, other)]
    assert.isAtMost(quantile(drawn, low), quantile(drawn, high))
    assert.isAbove(quantile(drawn, low), 0)
    assert.isTrue(Number.isFinite(quantile(drawn, high)))
  })

  it("that cannot be is refused", () => {
    for (const wrong of [
      "3s..1s",
      "fast",
      "1s..",
      {},
      { p50: "1s" },
      { p50: "3s", p95: "1s" },
      { p50: "0s", p95: "1s" }
    ]) {
      assert.throws(() => latency(wrong), undefined, undefined, JSON.stringify(wrong))
    }
  })

  it("is written as it was read", () => {
    for (const written of ["800ms", "300ms..900ms", { p50: "1s", p95: "5s" }]) {
      assert.deepStrictEqual(Schema.encodeSync(LatencyFile)(latency(written)), written)
    }
  })
})
