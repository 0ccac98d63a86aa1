import { assert, describe, it } from "@effect/vitest"
import { Duration, Either, FastCheck, JSONSchema, Schema } from "effect"
import { Policy } from "../src/index.ts"

const millis = (text: string): number => Duration.toMillis(Schema.decodeSync(Policy.DurationText)(text))

describe("Policy.Name", () => {
  it.each(["primary", "gpt-4.1", "llama3.2:1b", "tier one", "a"])("accepts %j", (name) =>
    assert.isTrue(Schema.is(Policy.Name)(name))
  )
  it.each(["", " a", "a ", "a\nb", "é", "a\u0000"])("refuses %j, which no header could carry", (name) =>
    assert.isFalse(Schema.is(Policy.Name)(name))
  )
})

describe("Policy.DurationText", () => {
  it.each([
    ["20s", 20_000],
    ["250ms", 250],
    ["4m", 240_000],
    ["1h", 3_600_000],
    ["1m30s", 90_000],
    ["1.5s", 1_500],
    ["0.5ms", 0.5],
    ["1h0m1s", 3_601_000],
    ["0s", 0],
    ["20 seconds", 20_000],
    ["1.5 minutes", 90_000],
    ["2 days", 172_800_000],
    ["1 nano", 0.000001]
  ])("%s is %d ms", (text, expected) => assert.strictEqual(millis(text), expected))

  it.each([
    "",
    "20",
    "s",
    "-5s",
    "-5 seconds",
    "20 s",
    " 20s",
    "20s ",
    "5s1m",
    "1s1s",
    "1,5s",
    "1e3s",
    "Infinity",
    "infinity",
    "2 parsecs",
    "20S",
    `${"9".repeat(400)}s`
  ])("refuses %j", (text) => {
    const decoded = Schema.decodeEither(Policy.DurationText)(text)
    assert.isTrue(Either.isLeft(decoded))
    if (Either.isLeft(decoded)) {
      assert.strictEqual(decoded.left.message, 'expected a duration such as 20s or "20 seconds"')
    }
  })

  it.each([
    [Duration.zero, "0s"],
    [Duration.millis(250), "250ms"],
    [Duration.millis(1_500), "1.5s"],
    [Duration.seconds(90), "1m30s"],
    [Duration.hours(36), "36h"],
    [Duration.millis(3_600_001), "1h1ms"],
    [Duration.micros(1_500n), "1.5ms"]
  ])("%s encodes to %s", (duration, text) =>
    assert.strictEqual(Schema.encodeSync(Policy.DurationText)(duration), text)
  )

  it("does not encode what has no end", () =>
    assert.isTrue(Either.isLeft(Schema.encodeEither(Policy.DurationText)(Duration.infinity))))

  it("law: its JSON Schema takes what it decodes, and nothing else", () => {
    const { pattern } = JSONSchema.make(Policy.DurationText) as JSONSchema.JsonSchema7String
    const part = FastCheck.constantFrom(
      "",
      "1",
      "25",
      ".",
      "0.5",
      " ",
      "-",
      "h",
      "m",
      "s",
      "ms",
      "day",
      "seconds",
      "x"
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.array(part, { maxLength: 6 }), (parts) => {
        const text = parts.join("")
        const decoded = Schema.decodeEither(Policy.DurationText)(text)
        assert.strictEqual(new RegExp(pattern ?? "").test(text), Either.isRight(decoded), text)
      }),
      { numRuns: 2_000 }
    )
  })

  it("law: decodes what it encodes, to the nanosecond", () =>
    FastCheck.assert(
      FastCheck.property(FastCheck.bigInt({ min: 0n, max: 10n ** 15n }), (nanos) => {
        const duration = Duration.nanos(nanos)
        const text = Schema.encodeSync(Policy.DurationText)(duration)
        assert.isTrue(Duration.equals(Schema.decodeSync(Policy.DurationText)(text), duration), text)
      })
    ))
})
