import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { Counts, Latencies } from "../src/internal/review/counts.ts"
import { page, review, Tally, text } from "../src/internal/review/review.ts"
import { Timeline } from "../src/internal/review/timeline.ts"

const at = (minutes: number, seconds = 0) =>
  new Date(Date.UTC(2026, 10, 25, 10, minutes, seconds)).toISOString()

interface Fields {
  readonly [field: string]: unknown
}

const line = (message: string, fields: Fields): string =>
  JSON.stringify({
    timestamp: at(0),
    level: "INFO",
    message,
    request_id: "req_1",
    route: "chat",
    tier: "primary",
    model: "large",
    ...fields
  })

const attempt = (outcome: string, fields: Fields = {}) =>
  line("attempt", {
    outcome,
    latency_ms: 100,
    ...(outcome === "success" ? {} : { error_type: "overloaded" }),
    ...fields
  })
const run = (outcome: string, fields: Fields = {}) =>
  line("run", { outcome, served_by: "none", fallback: false, latency_ms: 300, ...fields })

const reviewed = (...lines: ReadonlyArray<string>) => {
  const tally = new Tally()
  for (const each of lines) tally.add(each)
  tally.end()
  return review(tally)
}

const standby = { tier: "standby", model: "small" }
const served = { served_by: "standby", fallback: true, ...standby }

describe("a report", () => {
  it("judges a tier by what it did last in a run", () => {
    const due = (...lines: ReadonlyArray<string>) =>
      reviewed(...lines).tiers.map(({ due, served, tier }) => `${tier} ${served}/${due}`)
    const cases: ReadonlyArray<readonly [ReadonlyArray<string>, ReadonlyArray<string>]> = [
      [[attempt("failure"), attempt("success"), run("success", { served_by: "primary" })], ["primary 1/1"]],
      [
        [attempt("failure"), attempt("success", standby), run("success", served)],
        ["primary 0/1", "standby 1/1"]
      ],
      [
        [line("refused", {}), attempt("success", standby), run("success", served)],
        ["primary 0/1", "standby 1/1"]
      ],
      [[attempt("failure"), line("refused", {}), run("failure")], ["primary 0/1"]],
      [
        [attempt("timeout"), attempt("failure", standby), run("failure")],
        ["primary 0/1", "standby 0/1"]
      ],
      // The caller's mistake, and the caller that left, also while it waited to be tried again.
      [[attempt("ignored"), run("rejected")], ["primary 0/0"]],
      [[attempt("failure"), attempt("interrupted"), run("cancelled")], ["primary 0/0"]],
      [[attempt("failure"), run("cancelled")], ["primary 0/0"]],
      [
        [attempt("failure"), attempt("interrupted", standby), run("cancelled")],
        ["primary 0/1", "standby 0/0"]
      ],
      // Of a log without attempts, or with a part of them.
      [[line("refused", {}), run("success", { ...served, attempts: 1 })], ["primary 0/0"]],
      // Of a run whose end is in another file.
      [
        [attempt("failure"), attempt("success", standby)],
        ["primary 0/1", "standby 1/1"]
      ]
    ]
    for (const [lines, expected] of cases) assert.deepStrictEqual(due(...lines), expected, lines.join("\n"))
  })

  it("says what each kind of line comes to", () => {
    const breaker = (to: string, timestamp: string) => line("breaker", { from: "x", to, timestamp })
    const found = reviewed(
      attempt("failure", { latency_ms: 50 }),
      attempt("success", { ...standby, latency_ms: 200, input_tokens: 30, output_tokens: 4 }),
      run("success", served),
      attempt("success", { request_id: "req_2", timestamp: at(2) }),
      run("success", { request_id: "req_2", served_by: "primary", timestamp: at(2) }),
      run("rejected", { request_id: "req_3" }),
      breaker("open", at(0, 10)),
      breaker("half-open", at(0, 20)),
      breaker("open", at(0, 21)),
      breaker("closed", at(1, 0)),
      breaker("open", at(2, 30)),
      line("alert", { firing: true, timestamp: at(1) }),
      line("listening", { url: "http://127.0.0.1:8787" })
    )
    assert.deepStrictEqual([found.from, found.to, found.lines.ours], [at(0), at(2, 30), 13])
    assert.deepInclude(found.routes[0], {
      route: "chat",
      runs: 3,
      success: 2,
      rejected: 1,
      success_rate: 1,
      fallbacks: 1,
      fallback_rate: 0.5,
      served_by: { primary: 1, standby: 1 }
    })
    const [, small] = found.models
    assert.deepInclude(small, { model: "small", due: 1, served: 1, input_tokens: 30, output_tokens: 4 })
    assert.approximately(small?.p95_ms ?? 0, 200, 2)
    assert.deepStrictEqual(found.errors, [{ error_type: "overloaded", count: 1 }])
    assert.deepStrictEqual(found.breakers, [
      {
        route: "chat",
        tier: "primary",
        opened: 3,
        open_ms: 50_000,
        spans: [
          { from: at(0, 10), to: at(1, 0) },
          { from: at(2, 30), to: at(2, 30) }
        ]
      }
    ])
    assert.deepStrictEqual(found.alerts, [{ at: at(1), route: "chat", tier: "primary", firing: true }])
    assert.deepStrictEqual(
      found.slices.map(({ at, errors, routed, tokens }) => [at, routed, errors, tokens]),
      [
        [at(0), { "chat / standby": 1, "chat: rejected": 1 }, { overloaded: 1 }, { small: 34 }],
        [at(1), {}, {}, {}],
        [at(2), { "chat / primary": 1 }, {}, {}]
      ]
    )
  })

  it("keeps synthetic checks apart from what users asked for, but for the breakers that they move", () => {
    const checked = { synthetic: true }
    const found = reviewed(
      attempt("failure", checked),
      run("failure", checked),
      line("refused", checked),
      line("breaker", { ...checked, from: "closed", to: "open" })
    )
    assert.deepInclude(found.lines, { ours: 4, synthetic: 3 })
    assert.deepStrictEqual([found.tiers, found.routes, found.errors], [[], [], []])
    assert.deepStrictEqual(
      found.breakers.map(({ opened }) => opened),
      [1]
    )
    assert.include(text(found), "3 lines of synthetic checks")
  })

  it("has no breaker that is open beyond the process that it is in", () => {
    const listening = (timestamp: string) =>
      JSON.stringify({ timestamp, level: "INFO", message: "listening", url: "http://127.0.0.1:8787" })
    const opens = (timestamp: string) =>
      line("breaker", { timestamp, from: "closed", to: "open", request_id: "req_2" })
    const spans = (...lines: ReadonlyArray<string>) => reviewed(...lines).breakers[0]?.spans
    const last = attempt("success", { timestamp: at(2) })
    assert.deepStrictEqual(spans(listening(at(0)), opens(at(1)), last, listening(at(90)), opens(at(91))), [
      { from: at(1), to: at(2) },
      { from: at(91), to: at(91) }
    ])
    assert.deepStrictEqual(spans(opens(at(1)), listening(at(90))), [{ from: at(1), to: at(1) }])
    // What came after it stands first, in a file of its own.
    assert.deepStrictEqual(spans(listening(at(90)), opens(at(91)), listening(at(0)), opens(at(1)), last), [
      { from: at(1), to: at(90) },
      { from: at(91), to: at(91) }
    ])
  })

  it("has a breaker of several workers open while that of any is, and none beyond its worker", () => {
    const changed = (worker: number, minutes: number, to: string) =>
      line("breaker", { timestamp: at(minutes), to, worker })
    const ended = (worker: number, minutes: number) =>
      JSON.stringify({ timestamp: at(minutes), level: "ERROR", message: "worker", worker, reason: "SIGKILL" })
    const [found] = reviewed(
      changed(1, 1, "open"),
      changed(2, 2, "open"),
      changed(1, 3, "closed"),
      changed(2, 4, "closed"),
      changed(1, 6, "open"),
      changed(2, 7, "open"),
      ended(2, 8),
      changed(1, 9, "closed"),
      changed(2, 11, "open"),
      ended(2, 12),
      attempt("success", { timestamp: at(20) })
    ).breakers
    assert.deepInclude(found, { opened: 5, open_ms: 7 * 60_000 })
    assert.deepStrictEqual(found?.spans, [
      { from: at(1), to: at(4) },
      { from: at(6), to: at(9) },
      { from: at(11), to: at(12) }
    ])
  })

  it("counts what is not ours and goes on", () => {
    const { lines, routes } = reviewed(
      "",
      "12:00:01 + attempt chat/primary",
      '{"timestamp":',
      "null",
      "[]",
      "7",
      '"attempt"',
      "{}",
      '{"message":"attempt","level":"INFO","timestamp":"soon","route":"chat"}',
      '{"message":"run","level":"INFO","timestamp":"2026-11-25T10:00:00Z"}',
      '{"message":"GET /","level":"info","timestamp":"2026-11-25T10:00:00Z","route":"/"}',
      '{"timestamp":"2026-11-25T10:00:00Z","level":"ERROR","message":"defect","request_id":"req_1"}',
      run("success", { latency_ms: "fast", fallback: 7, served_by: null })
    )
    assert.deepStrictEqual(lines, { ours: 2, synthetic: 0, foreign: 8, broken: 3 })
    assert.strictEqual(routes[0]?.runs, 1)
    assert.strictEqual(text(reviewed()), "No line of a run.")
    assert.include(page(reviewed("x")), "No line of a run. 1 line broken")
  })

  it("law: does not depend on the order of runs, and never tells more than 170 slices apart", () => {
    const moment = FastCheck.integer({ min: 0, max: 4e12 })
    const runs = FastCheck.array(FastCheck.tuple(moment, FastCheck.constantFrom("a", "b", "c")), {
      minLength: 1
    })
    FastCheck.assert(
      FastCheck.property(runs, (runs) => {
        const lines = runs.map(([time, route], index) => {
          const fields = { request_id: `req_${index}`, timestamp: new Date(time).toISOString(), route }
          return [
            attempt("success", { ...fields, latency_ms: (time % 997) + 1 }),
            run("success", { ...fields, served_by: "primary" })
          ]
        })
        const found = reviewed(...lines.flat())
        assert.deepStrictEqual(reviewed(...lines.toReversed().flat()), found)
        assert.isAtMost(found.slices.length, 170)
        const routed = found.slices.flatMap(({ routed }) => Object.values(routed))
        assert.strictEqual(
          routed.reduce((sum, count) => sum + count, 0),
          runs.length
        )
        assert.deepStrictEqual(page(found), page(reviewed(...lines.flat())))
      })
    )
  })

  it("a week is told by the hour, a month by six hours, a year by the week", () => {
    const slices = (days: number) => {
      const timeline = new Timeline()
      timeline.at(0)
      timeline.at(days * 86_400_000 - 1)
      return [timeline.read().length / 3_600_000, timeline.read().slices.length]
    }
    assert.deepStrictEqual([1 / 24, 7, 30, 365].map(slices), [
      [1 / 60, 60],
      [1, 168],
      [6, 120],
      [168, 53]
    ])
  })

  it("law: percentiles are within 1 % of what they stand for", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(FastCheck.double({ min: 10, max: 1e6, noNaN: true }), { minLength: 1 }),
        FastCheck.integer({ min: 1, max: 100 }),
        (all, percent) => {
          const latencies = new Latencies()
          for (const millis of all) latencies.add(millis)
          const exact = all.toSorted((a, b) => a - b)[Math.ceil((percent * all.length) / 100) - 1] ?? 0
          assert.isAtMost(Math.abs((latencies.percentile(percent) ?? 0) / exact - 1), 0.016)
        }
      )
    )
    assert.isNull(new Latencies().percentile(50))
  })

  it("names beyond the first thousand are one", () => {
    const counts = new Counts()
    for (let name = 0; name < 1_500; name++) counts.add(String(name))
    counts.add("0")
    assert.deepStrictEqual([counts.of("_OTHER"), counts.of("0"), counts.total()], [500, 2, 1_501])
  })

  it("law: whatever things are called, the page stays the same page", () => {
    const shape = (html: string) => html.replace(/[^<>"'&`]/g, "").replaceAll("&", "")
    const named = (name: string) =>
      page(
        reviewed(
          attempt("failure", { route: name, tier: name, model: name, error_type: name }),
          run("success", { route: name, served_by: name, fallback: true }),
          line("breaker", { route: name, tier: name, to: "Open" }),
          line("alert", { route: name, tier: name, firing: true })
        )
      )
    const hostile = FastCheck.oneof(
      FastCheck.string({ unit: "binary", minLength: 1 }),
      FastCheck.stringMatching(/^[<>"'&`/= \-a-z;!]+$/),
      FastCheck.constantFrom(
        "</script><script>alert(1)//",
        '"><img src=x onerror=alert(1)>',
        "</pre></style>",
        "__proto__"
      )
    )
    FastCheck.assert(
      FastCheck.property(hostile, (name) => {
        assert.strictEqual(shape(named(name)), shape(named("chat")))
      })
    )
  })
})
