import { assert, describe, it } from "@effect/vitest"
import { Duration, Either, ParseResult, Schema } from "effect"
import { Backoff, CircuitBreaker, Health, Policy } from "../src/index.ts"

const tier = (fields: object = {}) => ({ tiers: [{ name: "primary", ...fields }] })

/** What a decoder refuses first: where, and in which words. */
const refusal = (input: unknown): string =>
  Either.match(Policy.decodeUnknown(input), {
    onLeft: (error) => {
      const [first] = ParseResult.ArrayFormatter.formatErrorSync(error)
      return `${first?.path.join(".")}: ${first?.message}`
    },
    onRight: () => "accepted"
  })

describe("Policy", () => {
  it("fills in every default", () => {
    const duration = {
      timeout: Duration.seconds(30),
      idle: Duration.minutes(4),
      maxStream: Duration.minutes(15)
    }
    assert.deepStrictEqual(Either.getOrThrow(Policy.decodeUnknown(tier())), {
      deadline: Duration.seconds(60),
      maxTiers: undefined,
      tiers: [
        {
          name: "primary",
          ...duration,
          attemptTimeout: duration.timeout,
          firstToken: duration.timeout,
          backoff: {
            times: 2,
            base: Duration.millis(250),
            factor: 2,
            max: Duration.seconds(4),
            jitter: "full"
          },
          maxRetryAfter: Duration.seconds(5),
          retryTimeouts: false,
          breaker: {
            ...CircuitBreaker.config(),
            trip: [{ _tag: "Consecutive", failures: 5 }],
            openFor: Duration.seconds(20),
            factor: 1,
            maxOpenFor: Duration.minutes(5),
            jitter: 0.1,
            probes: 1
          }
        }
      ]
    })
  })

  it("has the defaults of Backoff and CircuitBreaker", () => {
    const [{ backoff, breaker }] = Either.getOrThrow(Policy.decodeUnknown(tier())).tiers
    assert.deepStrictEqual(backoff, Backoff.exponential())
    assert.deepStrictEqual(breaker, CircuitBreaker.config())
  })

  it("takes every setting of a file", () => {
    const retry = {
      times: 3,
      base: "1s",
      factor: 3,
      max: "9s",
      jitter: "none",
      maxRetryAfter: "8s",
      onTimeout: true
    }
    const breaker = { consecutive: 2, openFor: "3s", factor: 2, maxOpenFor: "1m", jitter: 0, probes: 4 }
    const hedge = { after: "2s" }
    const times = {
      hedge,
      timeout: "20s",
      attemptTimeout: "12s",
      firstToken: "10s",
      idle: "1m",
      maxStream: "2m"
    }
    const file = { deadline: "45s", maxTiers: 1, ...tier({ ...times, retry, breaker }) }
    const policy = Either.getOrThrow(Policy.decodeUnknown(file))
    assert.strictEqual(policy.maxTiers, 1)
    assert.deepStrictEqual(policy.deadline, Duration.seconds(45))
    assert.deepStrictEqual(policy.tiers[0], {
      name: "primary",
      timeout: Duration.seconds(20),
      attemptTimeout: Duration.seconds(12),
      firstToken: Duration.seconds(10),
      idle: Duration.minutes(1),
      maxStream: Duration.minutes(2),
      backoff: { times: 3, base: Duration.seconds(1), factor: 3, max: Duration.seconds(9), jitter: "none" },
      maxRetryAfter: Duration.seconds(8),
      retryTimeouts: true,
      breaker: {
        ...CircuitBreaker.config(),
        trip: [CircuitBreaker.consecutive(2)],
        openFor: Duration.seconds(3),
        factor: 2,
        maxOpenFor: Duration.minutes(1),
        jitter: 0,
        probes: 4
      },
      hedge: { after: Duration.seconds(2) }
    })
    assert.deepStrictEqual<unknown>(Schema.encodeSync(Policy.Policy)(policy), file)
  })

  it("an alert is off unless there is one, and is of a tier that exists", () => {
    const alert = (fields: object) => ({ ...tier(), alert: { tier: "primary", ...fields } })
    assert.isUndefined(Either.getOrThrow(Policy.decodeUnknown(tier())).alert)
    const policy = Either.getOrThrow(Policy.decodeUnknown(alert({})))
    const { run: _, ...defaults } = Health.alert({ tier: "primary" })
    assert.deepStrictEqual(policy.alert, defaults)
    assert.deepStrictEqual(Schema.encodeSync(Policy.Policy)(policy).alert, {
      tier: "primary",
      successBelow: 0.95,
      over: "5m",
      atLeast: 20
    })
    assert.strictEqual(
      refusal(alert({ tier: "standby" })),
      "alert.tier: no tier of this name; name one of the policy's tiers"
    )
    assert.strictEqual(refusal(alert({ over: "0s" })), "alert.over: expected a duration longer than nothing")
    assert.strictEqual(
      refusal(alert({ successBelow: 95 })),
      "alert.successBelow: Expected a number from 0 to 1, actual 95"
    )
    assert.strictEqual(
      refusal(alert({ atLeast: 0 })),
      "alert.atLeast: Expected an integer of 1 or more, actual 0"
    )
    assert.match(refusal(alert({ below: 1 })), /^alert\.below: is unexpected/)
  })

  it("attemptTimeout and firstToken follow the tier's own timeout", () => {
    const [primary] = Either.getOrThrow(Policy.decodeUnknown(tier({ timeout: "7s" }))).tiers
    assert.deepStrictEqual(primary.attemptTimeout, Duration.seconds(7))
    assert.deepStrictEqual(primary.firstToken, Duration.seconds(7))
  })

  it("what it encodes decodes to the same policy", () => {
    const policy = Either.getOrThrow(Policy.decodeUnknown(tier({ timeout: "7s" })))
    assert.deepStrictEqual(Either.getOrThrow(Policy.decode(Schema.encodeSync(Policy.Policy)(policy))), policy)
  })

  it.each([
    ["no tier", { tiers: [] }, "tiers.0: expected at least one tier"],
    ["no tiers", {}, "tiers: is missing"],
    [
      "two tiers of one name",
      { tiers: [{ name: "a" }, { name: "b" }, { name: "a" }] },
      "tiers.2.name: duplicate tier name; give every tier its own name"
    ],
    ["no name", { tiers: [{}] }, "tiers.0.name: is missing"],
    [
      "times",
      tier({ retry: { times: -1 } }),
      "tiers.0.retry.times: Expected an integer of 0 or more, actual -1"
    ],
    [
      "fractions of a retry",
      tier({ retry: { times: 1.5 } }),
      "tiers.0.retry.times: Expected an integer of 0 or more, actual 1.5"
    ],
    [
      "a shrinking wait",
      tier({ retry: { factor: 0.9 } }),
      "tiers.0.retry.factor: Expected a number of 1 or more, actual 0.9"
    ],
    [
      "an infinite factor",
      tier({ breaker: { factor: Number.POSITIVE_INFINITY } }),
      "tiers.0.breaker.factor: Expected a number of 1 or more, actual Infinity"
    ],
    [
      "jitter over 1",
      tier({ breaker: { jitter: 1.1 } }),
      "tiers.0.breaker.jitter: Expected a number from 0 to 1, actual 1.1"
    ],
    [
      "no probe",
      tier({ breaker: { probes: 0 } }),
      "tiers.0.breaker.probes: Expected an integer of 1 or more, actual 0"
    ],
    [
      "a breaker that is never closed",
      tier({ breaker: { consecutive: 0 } }),
      "tiers.0.breaker.consecutive: Expected an integer of 1 or more, actual 0"
    ],
    ["maxTiers", { ...tier(), maxTiers: 0 }, "maxTiers: Expected an integer of 1 or more, actual 0"],
    [
      "a number for a duration",
      tier({ timeout: 20 }),
      'tiers.0.timeout: expected a duration such as 20s or "20 seconds"'
    ]
  ])("refuses %s", (_, input, expected) => assert.strictEqual(refusal(input), expected))

  it("an unknown key is an error at every level, whatever the decoder's options", () => {
    assert.match(refusal({ ...tier(), timout: "1s" }), /^timout: is unexpected/)
    assert.match(refusal(tier({ timout: "1s" })), /^tiers\.0\.timout: is unexpected/)
    assert.match(refusal(tier({ retry: { time: 1 } })), /^tiers\.0\.retry\.time: is unexpected/)
    const lenient = Schema.decodeUnknownEither(Policy.Policy, { onExcessProperty: "ignore" })
    assert.isTrue(Either.isLeft(lenient(tier({ timout: "1s" }))))
  })

  it("struct: further fields of a tier come through, both ways", () => {
    const Route = Policy.struct({ model: Schema.String, weight: Schema.NumberFromString })
    const route = Schema.decodeUnknownSync(Route)(tier({ model: "large", weight: "2" }))
    assert.strictEqual(route.tiers[0].model, "large")
    assert.strictEqual(route.tiers[0].weight, 2)
    assert.deepStrictEqual(route.tiers[0].timeout, Duration.seconds(30))
    const { model, weight, timeout } = Schema.encodeSync(Route)(route).tiers[0]
    assert.deepStrictEqual({ model, weight, timeout }, { model: "large", weight: "2", timeout: "30s" })
  })
})
