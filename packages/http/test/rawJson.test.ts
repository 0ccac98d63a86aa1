import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as RawJson from "../src/internal/bytes/rawJson.ts"
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

  it("puts another value in the place of one, wherever that is, and leaves every other byte", () => {
    FastCheck.assert(
      FastCheck.property(jsonObject, jsonObject, (object, other) => {
        const nested = (value: string) =>
          ` {"a":[ ${object} ,{"b" : ${value}, "c":${object},"\\u0062":${value} }],"b":${object}}\n`
        const updated = RawJson.update(bytes(nested(object)), ["a", 1, "b"], (value) => {
          assert.strictEqual(text(value), object)
          return bytes(other)
        })
        assert.strictEqual(text(updated), nested(other))
      }),
      { numRuns: 1000 }
    )
    const nowhere = '{"a":[1,{"b":2}],"0":3}'
    for (const path of [["b"], ["a", "0"], ["a", 2], [0], ["0", "x"]] as const) {
      assert.strictEqual(text(RawJson.update(bytes(nowhere), path, () => bytes("9"))), nowhere)
    }
  })

  it("puts an item behind the last one, and members in the place of those of their names", () => {
    const appended: Readonly<Record<string, string>> = {
      "[]": "[9]",
      " [ ] ": " [9 ] ",
      "[1 , 2 ]\n": "[1 , 2,9 ]\n",
      "1": "1",
      null: "null",
      "": ""
    }
    for (const [json, expected] of Object.entries(appended)) {
      assert.strictEqual(text(RawJson.append(bytes(json), "9")), expected)
    }
    FastCheck.assert(
      FastCheck.property(jsonObject, jsonObject, (object, other) => {
        const members = Array.from(
          RawJson.members(bytes(other)),
          ([name, value]) => [name, text(value)] as const
        )
        const gone = [...RawJson.members(bytes(object)).keys()].slice(0, 1)
        const changed = RawJson.withMembers(bytes(object), [
          ...gone.map((name) => [name, undefined] as const),
          ...members.filter(([name]) => !gone.includes(name))
        ])
        const expected = [object, other]
          .flatMap((json) => Object.entries(Object(exact(json))))
          .filter(([name]) => !gone.includes(name))
        assert.deepStrictEqual(exact(text(changed)), Object.fromEntries(expected))
      }),
      { numRuns: 1000 }
    )
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
