import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { html } from "../src/internal/drawing/html.ts"

const written = (text: string): string => html`${text}`.text

describe("html", () => {
  it("escapes what it is given, in text and in attributes, and leaves its own markup alone", () => {
    const hostile = `"><script>alert('x')</script>&amp;\``
    assert.strictEqual(
      html`<p title="${hostile}">${hostile}</p>`.text,
      `<p title="${written(hostile)}">${written(hostile)}</p>`
    )
    assert.notMatch(written(hostile), /[<>"'`]/)
    assert.strictEqual(html`<b>${html`<i>${1}</i>`}</b>`.text, "<b><i>1</i></b>")
    assert.strictEqual(html`${[html`<i/>`, html`<b/>`]}${undefined}${false}${0}`.text, "<i/><b/>0")
  })

  it("law: read back, any text is what it was, but for what no page may hold", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ unit: "binary" }), (text) => {
        const escaped = written(text)
        assert.notMatch(escaped, /[<>"'`\x00-\x08\x7f-\x9f]|&(?!#\d+;)/)
        const read = escaped.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code))
        assert.strictEqual(
          read.replaceAll("\ufffd", ""),
          text.replace(/[^\P{Cc}\t\n\r]|[\ufffd-\uffff]/gu, "")
        )
      })
    )
    assert.strictEqual(written("\ud800a\u0000"), "\ufffda\ufffd")
  })
})
