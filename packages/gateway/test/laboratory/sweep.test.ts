import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { parseSweep, withValue } from "../../src/internal/laboratory/sweep.ts"

describe("a sweep", () => {
  it.effect.each([
    ["a.timeout=5s..30s", ["5s", "7.5s", "10s"], "30s"],
    ["a.timeout=900ms..1s", ["900ms", "910ms", "920ms"], "1s"],
    ["a.times=0..5", [0, 1, 2], 5],
    ["a.factor=1..1.5", [1, 1.05, 1.1], 1.5],
    ["a.timeout=30s..20s", ["30s", "29s", "28s"], "20s"]
  ] as const)("of %s goes in even steps", ([text, first, last]) =>
    Effect.map(parseSweep(text), ({ path, values }) => {
      assert.strictEqual(path[0], "a")
      assert.deepStrictEqual(values.slice(0, 3), [...first])
      assert.strictEqual(values.at(-1), last)
    })
  )

  it.effect.each(["a.timeout", "a.timeout=5s", "a.timeout=5s..fast", "=1..2", "a=1s..2"])(
    "of %s is none",
    (text) =>
      Effect.map(Effect.flip(parseSweep(text)), ({ message }) => assert.include(message, "write it as"))
  )

  it("changes one value, of a tier by its place or its name, also one that was not said", () => {
    const data = { routes: { chat: { tiers: [{ name: "a" }, { name: "b", timeout: "1s" }] } } }
    const changed = (path: string) => Option.getOrUndefined(withValue(data, path.split("."), "9s"))
    const expected = { routes: { chat: { tiers: [{ name: "a" }, { name: "b", timeout: "9s" }] } } }
    assert.deepStrictEqual(changed("routes.chat.tiers.1.timeout"), expected)
    assert.deepStrictEqual(changed("routes.chat.tiers.b.timeout"), expected)
    assert.deepStrictEqual(changed("routes.chat.deadline"), {
      routes: { chat: { ...data.routes.chat, deadline: "9s" } }
    })
    assert.isUndefined(changed("routes.chat.tiers.c.timeout"))
    assert.isUndefined(changed("routes.chta.deadline"))
    assert.strictEqual(data.routes.chat.tiers[1]?.timeout, "1s")
  })
})
