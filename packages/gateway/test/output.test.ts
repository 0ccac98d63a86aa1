import { assert, describe, it } from "@effect/vitest"
import * as Output from "../src/internal/output.ts"

describe("a log that cannot be written", () => {
  it("is said once, and how many lines are lost when it can be written again", () => {
    const said: Array<string> = []
    const written = Output.dropping((line) => said.push(line))
    const full = Object.assign(new Error(), { code: "ENOSPC" })
    written("a\n", null)
    assert.isEmpty(said)
    written("b\nc\n", full)
    written("d\n", full)
    assert.lengthOf(said, 1)
    assert.include(said[0], "ENOSPC")
    written("e\n", undefined)
    written("f\n", undefined)
    assert.lengthOf(said, 2)
    assert.match(said[1]!, / 3 lines$/)
    written("g\n", full)
    written("h\n", null)
    assert.lengthOf(said, 4)
    assert.match(said[3]!, / 1 line$/)
  })
})
