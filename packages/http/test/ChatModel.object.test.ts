import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Schema, TestClock } from "effect"
import { ChatModel } from "../src/index.ts"
import { type Asked, hi, says, scripted } from "./chatModels.ts"

const Weather = Schema.Struct({ city: Schema.String, degrees: Schema.NumberFromString })
const weather = says({ content: '{"city":"Oslo","degrees":"-3"}' })

/** The names of the formats that were asked for, and whether they are strict. */
const formats = (asked: ReadonlyArray<Asked>) =>
  asked.map(({ response_format: format }) => [format?.json_schema?.["name"], format?.json_schema?.["strict"]])

/** Whoever decodes it goes down with it. */
interface Tree extends Schema.Schema.Type<typeof Leaf> {
  readonly kids: ReadonlyArray<Tree>
}
const Leaf = Schema.Struct({ name: Schema.optional(Schema.String) })
const Tree = Schema.Struct({
  ...Leaf.fields,
  kids: Schema.Array(Schema.suspend((): Schema.Schema<Tree> => Tree))
}).annotations({ identifier: "Tree" })
const tree = (levels: number) => '{"kids":['.repeat(levels / 2) + "]}".repeat(levels / 2)

describe("ChatModel: an object", () => {
  it.effect("is decoded, beside all there is of the answer", () =>
    Effect.gen(function* () {
      const { asked, chat } = scripted({ large: [weather] })
      const { servedBy, text, value } = yield* (yield* chat).completeObject({ ...hi, schema: Weather })
      assert.deepStrictEqual(value, { city: "Oslo", degrees: -3 })
      assert.deepStrictEqual([servedBy.tier, text], ["primary", '{"city":"Oslo","degrees":"-3"}'])
      assert.deepStrictEqual(formats(asked), [["answer", true]])
    })
  )

  it.effect("is called what it is", () =>
    Effect.gen(function* () {
      class Report extends Schema.Class<Report>("app/Report")({ city: Schema.String }) {}
      const { asked, chat } = scripted({ large: [weather] })
      const { completeObject } = yield* chat
      const { value } = yield* completeObject({ ...hi, schema: Report })
      assert.instanceOf(value, Report)
      yield* completeObject({ ...hi, schema: Report, name: "mine", strict: false })
      assert.deepStrictEqual(formats(asked), [
        ["app_Report", true],
        ["mine", false]
      ])
    })
  )

  it.effect("that does not fit is tried again, then asked of the next tier, and no breaker counts it", () =>
    Effect.gen(function* () {
      const bad = [says({ content: "The weather is fine." }), says({ content: null, refusal: "No." })]
      const { calls, chat } = scripted(
        { large: [...bad, ...bad, weather], small: [weather] },
        { retry: { times: 1, base: "1s", jitter: "none" }, breaker: { consecutive: 1 } }
      )
      const { completeObject } = yield* chat
      const ask = Effect.gen(function* () {
        const fiber = yield* Effect.fork(completeObject({ ...hi, schema: Weather }))
        yield* TestClock.adjust("1 second")
        const { attempts, servedBy } = yield* Fiber.join(fiber)
        return [servedBy.tier, attempts.map(({ errorType, outcome }) => errorType ?? outcome)]
      })
      const fallenBack = ["standby", ["invalid_output", "invalid_output", "success"]]
      assert.deepStrictEqual(
        [yield* ask, yield* ask, yield* ask],
        [fallenBack, fallenBack, ["primary", ["success"]]]
      )
      assert.deepStrictEqual(calls, { large: 5, small: 2 })
    })
  )

  it.effect("that fits nowhere is an error without a word of it", () =>
    Effect.gen(function* () {
      const { chat } = scripted({
        large: [says({ content: "secret" })],
        small: [says({ content: "secret" })]
      })
      const error = yield* Effect.flip((yield* chat).completeObject({ ...hi, schema: Weather }))
      assert.strictEqual(error.message, "all tiers failed after 2 attempts")
      assert.notInclude(inspect(error, { depth: 9 }), "secret")
    })
  )

  it.effect("that is nested too deep is one that does not fit", () =>
    Effect.gen(function* () {
      const { chat } = scripted({
        large: [says({ content: tree(20_000) })],
        small: [says({ content: tree(512) })]
      })
      const { attempts, servedBy } = yield* (yield* chat).completeObject({ ...hi, schema: Tree })
      assert.deepStrictEqual(
        [servedBy.tier, ...attempts.map(({ errorType }) => errorType)],
        ["standby", "invalid_output", undefined]
      )
    })
  )

  it.effect("may need services to be decoded", () =>
    Effect.gen(function* () {
      class Unit extends Context.Tag("Unit")<Unit, string>() {}
      const Degrees = Schema.transformOrFail(Schema.String, Schema.String, {
        decode: (degrees) => Effect.map(Unit, (unit) => degrees + unit),
        encode: Effect.succeed
      })
      const { chat } = scripted({ large: [weather] })
      const { completeObject } = yield* chat
      const asked = completeObject({ ...hi, schema: Schema.Struct({ degrees: Degrees }) })
      assert.deepStrictEqual((yield* Effect.provideService(asked, Unit, "C")).value, { degrees: "-3C" })
    })
  )
})

describe("ChatModel.decodeArguments", () => {
  const decode = (json: string) =>
    Effect.either(
      ChatModel.decodeArguments(Schema.Struct({ city: Schema.optional(Schema.String) }))({
        id: "c1",
        name: "weather",
        arguments: json
      })
    )

  it.effect("takes none for an empty object, and says what does not fit", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* decode(" "), yield* decode("{}"))
      assert.deepInclude(yield* decode('{"city":"Oslo"}'), { right: { city: "Oslo" } })
      for (const json of ['{"city":7}', '{"city', "[]"]) {
        assert.strictEqual((yield* decode(json))._tag, "Left")
      }
    })
  )

  it.effect("refuses what is nested too deep, and says so", () =>
    Effect.gen(function* () {
      const decode = (json: string) =>
        ChatModel.decodeArguments(Tree)({ id: "c1", name: "plant", arguments: json })
      assert.hasAllKeys(yield* decode(tree(512)), ["kids"])
      const error = yield* Effect.flip(decode(tree(20_000)))
      assert.strictEqual(error.message, "Expected JSON of at most 512 levels, actual is deeper; nest it less")
    })
  )
})
