import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { left, span } from "../src/internal/drawing/figures.ts"
import { contentSecurityPolicy, page } from "../src/internal/page/page.ts"
import type { BreakerStatus, Rates, Status } from "../src/internal/serving/status.ts"

const rates: Rates = { due: 40, served: 30, success_rate: 0.75, fallbacks: 10, fallback_rate: 0.25 }
const times = { p50_ms: 38, p95_ms: 1240, p99_ms: 2500 }
const closed: BreakerStatus = { state: "closed", retry_in_ms: null, failures: 0, since: null, reason: null }
const open: BreakerStatus = {
  state: "open",
  retry_in_ms: 12_000,
  failures: null,
  since: "2026-11-25T17:31:22.362Z",
  reason: "consecutive"
}

/** A gateway of one route whose first of two tiers has this breaker; `name` says what things are called. */
const status = (breaker: BreakerStatus, name: (what: string) => string = (what) => what): Status => {
  const tier = (what: string, breaker: BreakerStatus) => ({
    tier: name(what),
    model: name(`model of ${what}`),
    provider: name("provider"),
    ...rates,
    ...times,
    served_share: 0.5,
    breaker,
    recent: ["success", "failure", "interrupted"].map((outcome) => ({ outcome, latency_ms: 12 }))
  })
  return {
    version: "0.0.0",
    now: "2026-11-25T17:31:24.000Z",
    started_at: "2026-11-25T17:00:00.000Z",
    draining: false,
    policy: { loaded_at: "2026-11-25T17:00:00.000Z", refused: null },
    probes: [],
    over_s: 300,
    routes: [{ route: name("chat"), ...rates, tiers: [tier("primary", breaker), tier("standby", closed)] }],
    models: [
      { model: name("model of primary"), ...rates, ...times, input_tokens: 64, output_tokens: 1_500_000 }
    ],
    alerts: [
      {
        route: name("chat"),
        tier: name("primary"),
        firing: true,
        due: 40,
        served: 30,
        success_rate: 0.75,
        success_below: 0.95,
        over_s: 300,
        at_least: 20
      }
    ],
    attempts: [
      {
        timestamp: "2026-11-25T17:31:22.362Z",
        level: "WARN",
        message: "attempt",
        request_id: name("req_1"),
        route: name("chat"),
        tier: name("primary"),
        model: name("model of primary"),
        attempt: 2,
        outcome: "failure",
        status: 503,
        error_type: name("overloaded"),
        latency_ms: 380
      }
    ]
  }
}

/** What a reader sees who has no script and no style. */
const seen = (html: string): string =>
  html
    .replace(/<(script|style)[^>]*>.*?<\/\1>/gs, " ")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")

const headline = (status: Status): string => /id="headline"[^>]*>([^<]*)</.exec(page(status))?.[1] ?? ""

describe("the page", () => {
  it("has all facts in it, in words", () => {
    const text = seen(page(status(open)))
    for (const fact of [
      "Alert on primary of chat. In chat primary is resting, standby goes on.",
      "primary of chat served 75 % of 40 runs in 5 min; it fires below 95 % and ends at 97.5 %.",
      "runs 40 success 75 % fallback 25 %",
      "primary model of primary · provider open probe in 12 s · failures in a row 75 % 38 ms 1.24 s 50 %",
      "standby model of standby · provider closed",
      "model of primary 40 75 % 25 % 38 ms 1.24 s 2.50 s 64 1.5M",
      "17:31:22 chat / primary model of primary 2 failure 503 overloaded 380 ms req_1"
    ]) {
      assert.include(text, fact)
    }
    assert.include(
      page(status(open)),
      'aria-label="1 of the last 3 attempts failed; the last one: interrupted in 12 ms"'
    )
    assert.include(page(status(open)), '<noscript><meta http-equiv="refresh" content="10"></noscript>')
  })

  it("shows how synthetic checks have gone, where there are any", () => {
    const check = {
      timestamp: "2026-11-25T17:31:20.000Z",
      route: "chat",
      tier: "primary",
      model: "large",
      provider: "openai",
      outcome: "success",
      status: 200,
      over_s: 1200,
      due: 20,
      served: 19,
      success_rate: 0.95,
      ...times
    }
    const failed = { ...check, tier: "standby", outcome: "failure", status: 401, error_type: "auth" }
    const refused = { ...check, tier: "third", outcome: undefined, p50_ms: null, p95_ms: null }
    const shown = page({ ...status(closed), probes: [check, failed, refused] })
    for (const fact of [
      "Synthetic checks route / tier last one checks success p50 p95",
      "chat / primary large · openai success 17:31:20 20 in 20 min 95 % 38 ms 1.24 s",
      "chat / standby large · openai failure 17:31:20 · 401 auth 20 in 20 min",
      "chat / third large · openai refused 17:31:20 20 in 20 min 95 % – –"
    ]) {
      assert.include(seen(shown), fact)
    }
    assert.notInclude(seen(page(status(closed))), "Synthetic")
    // The script puts what it hears of in its place, and so that has to be there.
    assert.include(page(status(closed)), '<div id="checks" data-live></div>')
  })

  it("says first what matters most", () => {
    const one = status(closed)
    const calm = { ...one, alerts: [] }
    assert.strictEqual(headline(calm), "Every breaker is closed.")
    assert.strictEqual(
      headline({ ...calm, draining: true }),
      "Draining: no new requests are taken. Every breaker is closed."
    )
    const refused = {
      at: "2026-11-25T17:31:20.000Z",
      reason: "understudy.yaml:3:1 a: unknown key; remove it"
    }
    const kept = { ...calm, policy: { ...calm.policy, refused } }
    assert.strictEqual(headline(kept), "A new file was refused. Every breaker is closed.")
    assert.include(
      seen(page(kept)),
      "Refused at 17:31:20 UTC, the file of before is served on: understudy.yaml:3:1 a: unknown key; remove it"
    )
    const [route] = one.routes
    const tiers = (...states: ReadonlyArray<BreakerStatus["state"]>): Status => ({
      ...calm,
      routes: [
        {
          ...route!,
          tiers: states.map((state, index) => ({
            ...route!.tiers[0]!,
            tier: `tier${index + 1}`,
            breaker: { ...closed, state }
          }))
        }
      ]
    })
    assert.strictEqual(
      headline(tiers("open", "isolated", "closed")),
      "In chat tier1 and tier2 are resting, tier3 goes on."
    )
    assert.strictEqual(
      headline(tiers("open", "open")),
      "In chat tier1 and tier2 are resting, nobody goes on."
    )
    assert.strictEqual(headline(tiers("half-open", "closed")), "In chat tier1 is being probed.")
    const troubled = status(open).routes[0]!
    assert.strictEqual(
      headline({ ...calm, routes: [troubled, troubled, troubled] }),
      "In chat primary is resting, standby goes on. 2 more routes with a breaker that is not closed."
    )
  })

  it("law: whatever things are called, it stays the same page", () => {
    const shape = (html: string) => html.replace(/[^<>"'&`]/g, "").replaceAll("&", "")
    const hostile = FastCheck.oneof(
      FastCheck.string({ unit: "binary" }),
      FastCheck.stringMatching(/^[<>"'&`/= \-a-z;!]*$/),
      FastCheck.constantFrom(
        "</script><script>alert(1)//",
        '"><img src=x onerror=alert(1)>',
        "' onload='x",
        "]]>",
        "&lt;"
      )
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.array(hostile, { minLength: 1 }), (names) => {
        let next = 0
        const html = page(status(open, () => names[next++ % names.length] ?? ""))
        assert.strictEqual(shape(html), shape(page(status(open))))
      })
    )
  })

  it("may run and wear what is in it, and nothing else", () => {
    const html = page(status(open))
    for (const [directive, tag] of [
      ["script-src", "script"],
      ["style-src", "style"]
    ] as const) {
      const found = [...html.matchAll(new RegExp(`<${tag}[^>]*>(.*?)</${tag}>`, "gs"))]
      assert.strictEqual(found.length, 1)
      const hash = createHash("sha256")
        .update(found[0]?.[1] ?? "")
        .digest("base64")
      assert.include(contentSecurityPolicy(), `; ${directive} 'sha256-${hash}';`)
    }
    assert.include(contentSecurityPolicy(), "default-src 'none'")
    assert.notInclude(contentSecurityPolicy(), "unsafe")
    const markup = html.replace(/<(script|style)[^>]*>.*?<\/\1>/gs, "")
    assert.notMatch(markup, /\son\w+=|\sstyle=|(?:src|href)="(?!data:image\/svg|status"|metrics")/)
  })

  it("moves nothing, so that there is nothing to reduce", () => {
    assert.notMatch(page(status(open)), /animation|transition|@keyframes|scroll-behavior/)
  })

  it("writes times so that they can be compared", () => {
    const all = [0, 0.44, 9.9, 38.4, 999, 1000, 1240, 12_340, 60_000, 99_000, 300_000, 7_200_000]
    assert.deepStrictEqual(all.map(span), [
      "0 ms",
      "0.4 ms",
      "9.9 ms",
      "38 ms",
      "999 ms",
      "1.00 s",
      "1.24 s",
      "12.3 s",
      "1 min",
      "99.0 s",
      "5 min",
      "2 h"
    ])
    assert.deepStrictEqual([-5, 0, 1, 99_000, 180_000].map(left), [
      "due",
      "due",
      "in 1 s",
      "in 99 s",
      "in 3 min"
    ])
  })
})
