import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Tab, tab } from "../support/browser.ts"
import { ask, get } from "../support/caller.ts"
import { chat, gateway } from "../support/gateway.ts"
import { answer, fails, wall } from "../support/wall.ts"
import { installChromium } from "./counterparts.mjs"
import { withCounterpart } from "./support.ts"

const browser = Effect.flatMap(
  Effect.promise(() => installChromium()),
  (installed) => (installed.ok ? tab(installed.chromium) : Effect.dieMessage(installed.why))
)

const visible = "document.body.innerText"

/** Waits until what the page shows has this in it. */
const shows = (tab: Tab, text: string) =>
  Effect.promise(async () => {
    for (;;) {
      if (String(await tab.evaluate(visible)).includes(text)) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })

const page = (tier1: string, more = "") =>
  Effect.gen(function* () {
    const [first, second] = [yield* wall, yield* wall]
    const { url } = yield* gateway(
      `${chat([first.url, second.url], {
        tier: "retry: { times: 0 }",
        tier1,
        route: "alert: { tier: tier1, atLeast: 3 }"
      })}\n${more}`
    )
    return { first, url, tab: yield* browser }
  })

const shaped = (width: number, scheme: "light" | "dark") => async (tab: Tab) => {
  const metrics = { width, height: 800, deviceScaleFactor: 1, mobile: false }
  await tab.send("Emulation.setDeviceMetricsOverride", metrics)
  await tab.send("Emulation.setEmulatedMedia", {
    features: [{ name: "prefers-color-scheme", value: scheme }]
  })
}

/** The least contrast of any text with what is behind it, as WCAG 2.2 computes it, and where it is. */
const leastContrast = `(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number)
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor
      if (channels(colour)[3] !== 0) return colour
    }
    return "rgb(255, 255, 255)"
  }
  let least = [21, ""]
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement
    if (walker.currentNode.data.trim() === "" || element.closest("script,style")) continue
    const [low, high] = [getComputedStyle(element).color, ground(element)].map(luminance).sort((a, b) => a - b)
    const contrast = (high + 0.05) / (low + 0.05)
    if (contrast < least[0]) least = [contrast, walker.currentNode.data]
  }
  return least
})()`

withCounterpart("chromium", () => {
  it.scopedLive("shows a tier fail and recover while it is open", () =>
    Effect.gen(function* () {
      const { first, tab, url } = yield* page("breaker: { consecutive: 3, openFor: 6s, jitter: 0 }")
      yield* Effect.promise(() => tab.open(`${url}/`))
      yield* shows(tab, "Every breaker is closed.")
      yield* shows(tab, "Live")

      first.script(fails(503))
      for (let call = 0; call < 4; call++) yield* ask(url)
      yield* shows(tab, "Alert on tier1 of chat. In chat tier1 is resting, tier2 goes on.")
      const countdown = () => tab.evaluate('document.querySelector("[data-in]")?.textContent')
      const before = yield* Effect.promise(countdown)
      assert.match(String(before), /^in [1-6] s$/)
      yield* shows(tab, "probe due")
      assert.match(
        String(yield* Effect.promise(() => tab.evaluate("document.title"))),
        /^Alert on tier1 of chat\./
      )
      const icon = 'decodeURIComponent(document.querySelector("link[rel=icon]").href)'
      assert.include(String(yield* Effect.promise(() => tab.evaluate(icon))), "#b0241c")

      first.script(answer())
      yield* ask(url)
      yield* shows(tab, "Every breaker is closed.")
      assert.deepStrictEqual(tab.complaints, [])
    })
  )

  it.scopedLive("asks for nothing while nobody looks, and says when nobody answers", () =>
    Effect.gen(function* () {
      const { tab, url } = yield* page("")
      yield* Effect.promise(() => tab.open(`${url}/`))
      const hide = (hidden: boolean) =>
        tab.evaluate(`Object.defineProperty(document, "hidden", { configurable: true, get: () => ${hidden} });
          document.dispatchEvent(new Event("visibilitychange"))`)
      // It asks as fast as it can, so that a moment is enough to see that it has stopped.
      yield* Effect.promise(() =>
        tab.evaluate(`window.asked = 0
          window.later = setTimeout
          const get = fetch
          window.setTimeout = (act) => later(act, 0)
          window.fetch = (...all) => (window.asked++, get(...all))
          0`)
      )
      const asked = (after = 0) =>
        Effect.promise(() => tab.evaluate(`new Promise((done) => later(() => done(asked), ${after}))`))
      yield* Effect.repeat(asked(), { until: (count) => Number(count) >= 5 })
      yield* Effect.promise(() => hide(true))
      const before = yield* asked()
      assert.strictEqual(yield* asked(500), before)
      yield* Effect.promise(() => hide(false))
      yield* Effect.repeat(asked(), { until: (count) => Number(count) > Number(before) })
      yield* Effect.promise(() => tab.evaluate('window.fetch = () => Promise.reject(new Error("gone")); 0'))
      yield* shows(tab, "The gateway does not answer.")
    })
  )

  it.scopedLive(
    "is read on a phone, by light and by dark, with a keyboard, by a screen reader and without a script",
    () =>
      Effect.gen(function* () {
        const { first, tab, url } = yield* page(
          "breaker: { consecutive: 1, openFor: 1m }",
          "probe: { every: 1s }"
        )
        first.script(fails(503))
        for (let call = 0; call < 4; call++) yield* ask(url)
        yield* Effect.repeat(get(url, "/status"), {
          until: ({ text }) => JSON.parse(text).probes.length === 2
        })
        yield* Effect.promise(() => tab.send("Emulation.setScriptExecutionDisabled", { value: true }))
        yield* Effect.promise(() => tab.open(`${url}/`))
        yield* shows(tab, "In chat tier1 is resting, tier2 goes on.")
        yield* shows(tab, "Synthetic checks")
        for (const scheme of ["light", "dark"] as const) {
          for (const width of [1280, 400]) {
            yield* Effect.promise(() => shaped(width, scheme)(tab))
            const wide = yield* Effect.promise(() => tab.evaluate("document.documentElement.scrollWidth"))
            assert.strictEqual(wide, width)
            const [contrast, text] = (yield* Effect.promise(() => tab.evaluate(leastContrast))) as [
              number,
              string
            ]
            assert.isAtLeast(contrast, 4.5, `${scheme}, ${width}: ${text}`)
          }
        }
        // Tables are tables to a screen reader, however narrow.
        const { nodes } = yield* Effect.promise(() => tab.send("Accessibility.getFullAXTree"))
        const roles = (nodes as ReadonlyArray<{ readonly role?: { readonly value: string } }>).map(
          (node) => node.role?.value
        )
        const count = (role: string) => roles.filter((each) => each === role).length
        assert.deepStrictEqual([count("table"), count("columnheader")], [4, 31])
        yield* Effect.promise(async () => {
          for (const type of ["keyDown", "keyUp"]) {
            await tab.send("Input.dispatchKeyEvent", {
              type,
              key: "Tab",
              code: "Tab",
              windowsVirtualKeyCode: 9
            })
          }
        })
        const focused = `[document.activeElement.textContent, getComputedStyle(document.activeElement).outlineWidth]`
        assert.deepStrictEqual(yield* Effect.promise(() => tab.evaluate(focused)), ["status", "2px"])
      })
  )
})
