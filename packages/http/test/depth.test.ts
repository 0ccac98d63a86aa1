import { assert, describe, it, vi } from "@effect/vitest"
import { Either } from "effect"
import * as ChatCompletion from "../src/ChatCompletion.ts"
import { isTooDeep, maxDepth } from "../src/internal/bytes/depth.ts"
import * as Json from "../src/internal/bytes/json.ts"
import { read } from "../src/internal/provider/errorBody.ts"
import { bytes } from "./scripted.ts"

const arrays = (depth: number, inner = "") => "[".repeat(depth) + inner + "]".repeat(depth)
const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`
const mixed = (depth: number) => `${'[{"[":'.repeat(depth / 2)}1${"}]".repeat(depth / 2)}`

describe("the depth of JSON", () => {
  for (const [name, nested] of Object.entries({ arrays, objects, mixed })) {
    it(`has a bound for ${name}`, () => {
      assert.isFalse(isTooDeep(nested(maxDepth)))
      assert.isTrue(isTooDeep(nested(maxDepth + 2)))
      assert.isDefined(Json.parse(nested(maxDepth)))
      assert.isUndefined(Json.parse(nested(maxDepth + 2)))
      assert.isUndefined(Json.parse(`[${nested(maxDepth)}]`))
    })
  }

  it("is the same however many values lie beside each other", () => {
    const beside = `[${'{"a":[]},'.repeat(10_000)}1]`
    assert.isFalse(isTooDeep(beside))
    assert.isTrue(isTooDeep(beside.replace("1]", `${arrays(maxDepth)}]`)))
    assert.isFalse(isTooDeep(beside.replace("1]", `${arrays(maxDepth - 1)}]`)))
  })

  it("does not count what strings hold, wherever they end", () => {
    const many = "[{".repeat(maxDepth)
    for (const before of ["", '\\"', "\\\\", '\\\\\\"', "\\u0022", '}\\"]']) {
      const string = `"${before}${many}${before}"`
      assert.isFalse(isTooDeep(`[${string},${string}]`), before)
      assert.isFalse(isTooDeep(`{${string}:1}`), before)
      const closed = `"${"]}".repeat(maxDepth)}${before}"`
      assert.isTrue(isTooDeep(`[${closed},${arrays(maxDepth)}]`), before)
    }
    // Cut short.
    assert.isFalse(isTooDeep(`["${many}`))
    assert.isFalse(isTooDeep(`["${many}\\`))
    assert.isFalse(isTooDeep(`["${many}\\"`))
  })

  it("is found out before anybody parses", () => {
    const parsing = vi.spyOn(JSON, "parse")
    for (const text of ["[".repeat(1_000_000), '{"a":'.repeat(1_000_000)])
      assert.isUndefined(Json.parse(text))
    assert.strictEqual(parsing.mock.calls.length, 0)
    parsing.mockRestore()
  })

  it("bounds requests, answers, events and errors", () => {
    const nested = (depth: number, json: string) => `{"a":${arrays(depth - 1)},${json}}`
    const request = (depth: number) =>
      Either.isRight(ChatCompletion.readRequest(bytes(nested(depth, '"model":"chat"'))))
    const answer = (depth: number) =>
      ChatCompletion.readAnswer(bytes(nested(depth, '"choices":[{"message":{}}]')))._tag
    const chunk = (depth: number) => ChatCompletion.readChunk(nested(depth, '"choices":[]'))._tag
    const error = (depth: number) => read(nested(depth, '"error":{"code":"busy"}')).codes
    const all = (depth: number) => [request(depth), answer(depth), chunk(depth), error(depth)]
    assert.deepStrictEqual(all(maxDepth), [true, "Answer", "Delta", ["busy"]])
    assert.deepStrictEqual(all(maxDepth + 1), [false, "Malformed", "Malformed", []])
  })
})
