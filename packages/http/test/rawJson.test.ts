import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as RawJson from "../src/internal/rawJson.ts"
import { exact, jsonObject } from "./anthropicConversations.ts"
import { bytes, text } from "./scripted.ts"

describe("RawJson", () => {
  it("finds what JSON.parse finds, as it is written", () => {
    FastCheck.assert(
      FastCheck.property(jsonObject, jsonObject, (object, other) => {
        const members = RawJson.members(bytes(` ${object}\n`))
        const values = Array.from(members, ([key, value]) => [key, exact(text(value))])
        assert.deepStrictEqual(Object.fromEntries(values), exact(object))
        assert.deepStrictEqual(RawJson.items(bytes(`[ ${object} ,${other},1e400, "]"]`)).map(text), [
          object,
          other,
          "1e400",
          '"]"'
        ])
        const nested = bytes(`{"a":{"é":${other},"\\u00e9" : ${object} }}`)
        assert.strictEqual(RawJson.written(RawJson.at(nested, "a", "é")), object)
        assert.isUndefined(RawJson.at(nested, "a", "b", "c"))
      }),
      { numRuns: 1000 }
    )
  })

  it("finds nothing in what is something else", () => {
    for (const json of ["[]", "{}", "1", '"{"', "null", "", "[{}]"]) {
      assert.strictEqual(RawJson.members(bytes(json)).size, 0, json)
    }
    for (const json of ["[]", '{"a":1}', "1", '"["', ""]) {
      assert.deepStrictEqual(RawJson.items(bytes(json)), [], json)
    }
    assert.deepStrictEqual(RawJson.items(undefined), [])
  })

  it("puts together what it is given, and leaves out what is undefined", () => {
    const array = RawJson.array(["1.0", '"a"'])
    assert.strictEqual(RawJson.object({ a: array, b: undefined, "\n": "{}" }), '{"a":[1.0,"a"],"\\n":{}}')
    assert.deepStrictEqual([RawJson.text(undefined), RawJson.text("a\n")], [undefined, '"a\\n"'])
  })

  it("escapes half a surrogate pair and nothing else", () => {
    const json = '"\ud83d😀\udc00\ue000"'
    assert.strictEqual(RawJson.wellFormed(json), '"\\ud83d😀\\udc00\ue000"')
    assert.strictEqual(JSON.parse(RawJson.wellFormed(json)), JSON.parse(json))
  })
})
