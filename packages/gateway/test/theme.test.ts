import { assert, describe, it } from "@effect/vitest"
import { dark, light } from "../src/internal/drawing/theme.ts"

/** Relative luminance and contrast as WCAG 2.2 defines them. */
const luminance = (colour: string): number => {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

const contrast = (a: string, b: string): number => {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y)
  return (high + 0.05) / (low + 0.05)
}

describe("the colours", () => {
  it("contrast is computed as WCAG does", () => {
    assert.strictEqual(contrast("#000000", "#ffffff"), 21)
    assert.approximately(contrast("#767676", "#ffffff"), 4.54, 0.005)
  })

  for (const [name, colours] of Object.entries({ light, dark })) {
    const { ground, rule, surface, ...marks } = colours
    for (const [mark, colour] of Object.entries(marks)) {
      it(`${name}: ${mark} is readable as text on both grounds`, () => {
        assert.isAtLeast(contrast(colour, ground), 4.5)
        assert.isAtLeast(contrast(colour, surface), 4.5)
      })
    }
    it(`${name}: rules are seen`, () => {
      assert.isAtLeast(contrast(rule, surface), 1.3)
    })
  }
})
