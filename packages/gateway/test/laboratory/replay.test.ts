import { assert, describe, it } from "@effect/vitest"
import { Script } from "@understudy/core/testing"
import { Either } from "effect"
import { replay } from "../../src/internal/laboratory/replay.ts"
import { parseScript } from "../../src/internal/laboratory/scriptText.ts"

const stamp = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 3, 0, 0) + seconds * 1000).toISOString()

const attempt = (tier: string, seconds: number, millis: number, fields: object = {}) =>
  JSON.stringify({
    timestamp: stamp(seconds),
    level: "INFO",
    message: "attempt",
    route: "chat",
    tier,
    outcome: "success",
    latency_ms: millis,
    ...fields
  })

const run = (seconds: number, millis: number, route = "chat") =>
  JSON.stringify({ timestamp: stamp(seconds), message: "run", route, latency_ms: millis, attempts: 1 })

const failed = (status: number, error_type: string) => ({ outcome: "failure", status, error_type })

describe("a replay", () => {
  it("is what each tier did, minute by minute, and how many came", () => {
    const log = [
      attempt("primary", 10, 800),
      attempt("primary", 20, 1_200),
      attempt("primary", 30, 200, failed(503, "overloaded")),
      attempt("primary", 61, 30_000, { outcome: "timeout", error_type: "timeout" }),
      attempt("standby", 62, 500),
      run(10, 800),
      run(62, 31_000),
      // It began in the second minute.
      run(121, 2_000),
      attempt("primary", 200, 40, { outcome: "failure", error_type: "connection" }),
      run(200, 40)
    ].join("\n")
    assert.deepStrictEqual(replay(log, undefined), {
      runs: 4,
      attempts: 6,
      skipped: 0,
      script: {
        for: "4m",
        load: {
          rate: 0.0333,
          bursts: [
            { at: "1m", for: "1m", rate: 0.0167 },
            { at: "2m", for: "1m", rate: 0 },
            { at: "3m", for: "1m", rate: 0.0167 }
          ]
        },
        events: [
          {
            at: "0m",
            for: "3m",
            of: "primary",
            latency: { p50: "800ms", p95: "1.2s" },
            failures: { 503: { share: 0.25, after: "200ms" }, hang: 0.25 }
          },
          { at: "3m", for: "1m", of: "primary", failures: { connection: { share: 1, after: "40ms" } } },
          { at: "1m", for: "3m", of: "standby", latency: "500ms" }
        ]
      }
    })
  })

  it("makes a script that simulate reads", () => {
    const log = [
      attempt("primary", 10, 900),
      attempt("primary", 11, 50, failed(429, "rate_limited")),
      run(10, 900)
    ]
    const recording = replay(log.join("\n"), "chat")
    assert(recording !== undefined)
    const script = parseScript(Script.render(recording.script), "script", ["primary"])
    assert.isTrue(Either.isRight(script), String(script))
  })

  it("knows a route by its name, and takes no notice of other lines", () => {
    const log = ["listening", "{}", run(5, 10, "draft"), attempt("primary", 9, 10), run(9, 10)].join("\n")
    assert.deepStrictEqual(replay(log, "chat")?.attempts, 1)
    assert.deepStrictEqual([replay(log, undefined)?.attempts, replay(log, undefined)?.skipped], [0, 2])
    assert.isUndefined(replay(log, "other"))
    assert.isUndefined(replay("", undefined))
  })

  it("says nothing of what the caller did", () => {
    const log = [
      attempt("primary", 5, 300, { outcome: "interrupted" }),
      attempt("primary", 6, 900_000, { outcome: "ignored", status: 200, error_type: "slow_caller" }),
      run(5, 300)
    ]
    assert.deepStrictEqual(replay(log.join("\n"), undefined)?.script.events, [])
  })
})
