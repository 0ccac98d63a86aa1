import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { html } from "../src/internal/drawing/html.ts"
import { line, plot, scale, stack, ticks } from "../src/internal/drawing/svg.ts"

describe("svg", () => {
  it("a scale maps its ends onto its ends, and a range of nothing onto the start", () => {
    const y = scale(0, 10, 100, 20)
    assert.deepStrictEqual([y(0), y(5), y(10)], [100, 60, 20])
    assert.strictEqual(scale(3, 3, 100, 20)(3), 100)
  })

  it("law: ticks are round, even, few, and reach the maximum but not a step beyond", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.double({ min: 1e-6, max: 1e12, noNaN: true }), (max) => {
        const all = ticks(max)
        const [zero = Number.NaN, step = Number.NaN] = all
        const last = all.at(-1) ?? 0
        assert.strictEqual(zero, 0)
        assert.isAtMost(all.length, 6)
        assert.isAtLeast(last, max * (1 - 1e-6))
        assert.isBelow(last - max, step)
        assert.match(step.toExponential(), /^[125]e/)
      })
    )
    assert.deepStrictEqual(ticks(0), [0])
    assert.deepStrictEqual(ticks(0.9), [0, 0.5, 1])
  })

  it("a line breaks where a value is missing, and a value alone is a dot", () => {
    const points = [1, 2, undefined, Math.PI, undefined, 5, 6].map((y, x) => [x, y] as const)
    assert.strictEqual(line(points), "M0 1L1 2M3 3.1h0M5 5L6 6")
  })

  it("a stack's columns stand on those of the layer below, and nothing is drawn for nothing", () => {
    const columns = [
      [0, 10],
      [10, 20]
    ] as const
    const layers = [
      [1, 2],
      [3, 0]
    ]
    assert.deepStrictEqual(stack(layers, columns, scale(0, 4, 40, 0)), [
      "M0 40V30H10V40ZM10 40V20H20V40Z",
      "M0 30V0H10V30Z"
    ])
  })

  it("a plot says in words what it is, and writes what is on its axes escaped", () => {
    const { text } = plot(
      { width: 100, height: 80, label: 'of "a"', x: [{ at: 20, text: "<" }], y: [{ at: 10, text: "&" }] },
      html`<path d="M0 0"/>`
    )
    assert.include(text, 'role="img" aria-label="of &#34;a&#34;"')
    assert.include(text, ">&#60;</text>")
    assert.include(text, ">&#38;</text>")
    assert.include(text, '<path d="M0 0"/></svg>')
  })
})
