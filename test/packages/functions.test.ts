import { assert, describe, it } from "vitest"
import { withFunctions } from "../../scripts/lib/functions.mjs"

const evaluated = async (source: string): Promise<unknown> =>
  (await import(`data:text/javascript,${encodeURIComponent(source)}`)).default

describe("functions in place of arrows", () => {
  const same: ReadonlyArray<readonly [string, string]> = [
    ["(a, b) => a + b", "function(a, b){return( a + b)}"],
    ["a => ({ a })", "function(a){return( ({ a }))}"],
    ["() =>\n  // why\n  1", "function(){return(\n  // why\n  1)}"],
    ["(a, b = (c) => c) => { return b(a) }", "function(a, b = (c) => c) { return b(a) }"],
    ["dual(2, (a) => (b) => a(b))", "dual(2, function(a){return( (b) => a(b))})"]
  ]
  it("takes the outermost, and moves no line", async () => {
    for (const [arrow, written] of same) {
      assert.strictEqual(await withFunctions(`const f = ${arrow};`), `const f = ${written};`)
    }
  })

  it("leaves what would mean something else", async () => {
    for (const source of [
      "class A { a = 1; b = () => this.a }",
      "const f = async () => 1",
      "function f() { return () => arguments[0] }"
    ]) {
      assert.strictEqual(await withFunctions(source), source)
    }
  })

  it("gives a program that does the same", async () => {
    const source = `
      class A { n = 2; twice = (x) => x * this.n; one = () => 1 }
      const pipe = (a, ...fs) => fs.reduce((a, f) => f(a), a)
      const add = (b) => (a) => a + b
      export default pipe(1, add(2), new A().twice, ({ length } = [1]) => length ?? new A().one())`
    assert.strictEqual(await evaluated(await withFunctions(source)), await evaluated(source))
  })
})
