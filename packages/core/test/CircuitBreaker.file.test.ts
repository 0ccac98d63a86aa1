import { assert, describe, it } from "@effect/vitest"
import { Duration, Either, JSONSchema, ParseResult, Schema } from "effect"
import { CircuitBreaker, Policy } from "../src/index.ts"

const tier = (breaker: object, fields: object = {}) => ({ tiers: [{ name: "primary", breaker, ...fields }] })

const decoded = (breaker: object, fields: object = {}) =>
  Either.getOrThrow(Policy.decodeUnknown(tier(breaker, fields))).tiers[0].breaker

const encoded = (breaker: object, fields: object = {}) => {
  const policy = Either.getOrThrow(Policy.decodeUnknown(tier(breaker, fields)))
  return Schema.encodeSync(Policy.Policy)(policy).tiers[0].breaker
}

const refusal = (breaker: object): string =>
  Either.match(Policy.decodeUnknown(tier(breaker)), {
    onLeft: (error) => {
      const [first] = ParseResult.ArrayFormatter.formatErrorSync(error)
      return `${first?.path.slice(3).join(".")}: ${first?.message}`
    },
    onRight: () => "accepted"
  })

const written = { openFor: "20s", factor: 1, maxOpenFor: "5m", jitter: 0.1, probes: 1 }

describe("a breaker in a file", () => {
  it("opens after five failures where nothing is said, and at what is said where something is", () => {
    const { consecutive, rate, slow } = CircuitBreaker
    assert.deepStrictEqual(decoded({}), CircuitBreaker.config())
    assert.deepStrictEqual(decoded({ consecutive: 3 }).trip, [consecutive(3)])
    assert.deepStrictEqual(decoded({ rate: { window: "1m" } }).trip, [rate({ window: "1 minute" })])
    assert.deepStrictEqual(
      decoded({ consecutive: 3, rate: { threshold: 0.2, size: 50 }, slow: { after: "5s" } }).trip,
      [consecutive(3), rate({ threshold: 0.2, size: 50 }), slow({ after: "5 seconds" })]
    )
  })

  it("is written out with its triggers' defaults; what is seldom said only where it is", () => {
    assert.deepStrictEqual<unknown>(encoded({}), { consecutive: 5, ...written })
    assert.deepStrictEqual<unknown>(encoded({ rate: { window: "1m" } }), {
      rate: { threshold: 0.5, minimumCalls: 10, window: "1m", buckets: 10 },
      ...written
    })
    const all = {
      consecutive: 2,
      rate: { threshold: 0.25, minimumCalls: 5, size: 40 },
      slow: { after: "3s", threshold: 1, minimumCalls: 4, window: "30s", buckets: 6 },
      ...written,
      successesToClose: 2,
      failuresToOpen: 3,
      resetAfter: "1m",
      lease: "1m30s",
      observeOnly: true
    }
    assert.deepStrictEqual<unknown>(encoded(all), all)
    assert.deepStrictEqual(decoded(encoded(all)!), decoded(all))
  })

  it("the lease of a probe is longer than the longest call of its tier", () => {
    const lease = (fields: object) => Duration.format(decoded({}, fields).lease)
    assert.strictEqual(lease({}), "5m")
    assert.strictEqual(lease({ attemptTimeout: "10m" }), "10m 1s")
    assert.strictEqual(lease({ timeout: "8m", attemptTimeout: "1m" }), "8m 1s")
    assert.deepStrictEqual<unknown>(encoded({}, { attemptTimeout: "10m" }), { consecutive: 5, ...written })
    assert.strictEqual(Duration.format(decoded({ lease: "5s" }, { attemptTimeout: "10m" }).lease), "5s")
  })

  it.each([
    [{ consecutive: 0 }, "consecutive: Expected an integer of 1 or more, actual 0"],
    [{ rate: { threshold: 2 } }, "rate.threshold: Expected a number from 0 to 1, actual 2"],
    [
      { rate: { size: 5, minimumCalls: 9 } },
      "rate.minimumCalls: minimumCalls must not exceed size, got 9 of 5"
    ],
    [{ rate: { size: 5, window: "1m" } }, "rate.size: give either size or window, not both"],
    [{ slow: { after: "1s", buckets: 5 } }, "slow.buckets: buckets go with a window, not with a size"],
    [{ slow: {} }, "slow.after: is missing"],
    [{ rate: { window: "0s" } }, "rate.window: expected a duration longer than nothing"],
    [{ lease: "0s" }, "lease: expected a duration longer than nothing"],
    [
      { rate: { windw: "1m" } },
      'rate.windw: is unexpected, expected: "threshold" | "minimumCalls" | "size" | "window" | "buckets"'
    ],
    [{ observeOnly: 1 }, "observeOnly: Expected boolean, actual 1"]
  ])("refuses %j", (breaker, expected) => assert.strictEqual(refusal(breaker), expected))

  it("of two rows the shorter is what it opens at", () => {
    const policy = Either.getOrThrow(Policy.decodeUnknown(tier({})))
    const breaker = CircuitBreaker.config({
      trip: [CircuitBreaker.consecutive(7), CircuitBreaker.consecutive(3)]
    })
    const two = { ...policy, tiers: [{ ...policy.tiers[0], breaker }] as const }
    assert.strictEqual(Schema.encodeSync(Policy.Policy)(two).tiers[0].breaker?.consecutive, 3)
  })

  it("two rates are for code: a file would lose one of them", () => {
    const policy = Either.getOrThrow(Policy.decodeUnknown(tier({})))
    const { rate } = CircuitBreaker
    const breaker = CircuitBreaker.config({ trip: [rate({ size: 10 }), rate({ window: "1 minute" })] })
    const two = { ...policy, tiers: [{ ...policy.tiers[0], breaker }] as const }
    assert.throws(() => Schema.encodeSync(Policy.Policy)(two), /a file takes one rate a breaker/)
  })

  it("has a JSON Schema", () => {
    const text = JSON.stringify(JSONSchema.make(Policy.Policy))
    for (const key of ["consecutive", "minimumCalls", "observeOnly"]) assert.include(text, `"${key}"`)
    for (const title of ["breaker", "rate", "slow"]) assert.include(text, `"title":"${title}"`)
    // Of both shares: never a size and a window, and no buckets without a window.
    for (const rule of ['"not":{"required":["size","window"]}', '"dependencies":{"buckets":["window"]}']) {
      assert.strictEqual(text.split(rule).length - 1, 2, rule)
    }
  })
})
