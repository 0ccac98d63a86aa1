import { assert, describe, it } from "@effect/vitest"
import type { Attempt, Log as Core } from "@understudy/core"
import { ProviderError } from "@understudy/http"
import { Cause, Duration } from "effect"
import * as Log from "../src/Log.ts"

const attempt = (of: Partial<Attempt.Attempt<unknown>>): Core.Logged => ({
  _tag: "AttemptEnded",
  run: "chat",
  attempt: {
    tier: "primary",
    labels: { model: "large", provider: "openai" },
    attributes: {},
    number: 1,
    outcome: "success",
    errorType: undefined,
    cause: undefined,
    duration: Duration.millis(812.34),
    firstToken: undefined,
    pace: undefined,
    usage: undefined,
    waited: Duration.zero,
    retryAfter: undefined,
    next: undefined,
    span: undefined,
    ...of
  }
})

const span = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", sampled: true }

const lines: ReadonlyArray<readonly [string, Core.Logged, string]> = [
  [
    "an answer",
    attempt({ usage: { input_tokens: 9, output_tokens: 12, "cache_read.input_tokens": 3 }, span }),
    '{"timestamp":"1970-01-01T00:00:00.000Z","level":"INFO","message":"attempt","request_id":"req_1","route":"chat","tier":"primary","model":"large","provider":"openai","attempt":1,"status":200,"outcome":"success","input_tokens":9,"output_tokens":12,"waited_ms":0,"latency_ms":812.3,"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331"}'
  ],
  [
    "an error with a status",
    attempt({
      number: 2,
      outcome: "failure",
      errorType: "overloaded",
      cause: Cause.fail(ProviderError.make({ kind: "overloaded", status: 503 })),
      waited: Duration.millis(250),
      next: "retry"
    }),
    '{"timestamp":"1970-01-01T00:00:00.000Z","level":"WARN","message":"attempt","request_id":"req_1","route":"chat","tier":"primary","model":"large","provider":"openai","attempt":2,"status":503,"outcome":"failure","error_type":"overloaded","waited_ms":250,"latency_ms":812.3}'
  ],
  [
    "an error without one, of an attempt that has used up tokens",
    attempt({
      outcome: "failure",
      errorType: "connection",
      cause: Cause.fail(ProviderError.make({ kind: "connection", code: "ENOTFOUND" })),
      usage: { output_tokens: 4 }
    }),
    '{"timestamp":"1970-01-01T00:00:00.000Z","level":"WARN","message":"attempt","request_id":"req_1","route":"chat","tier":"primary","model":"large","provider":"openai","attempt":1,"error_code":"ENOTFOUND","outcome":"failure","error_type":"connection","output_tokens":4,"waited_ms":0,"latency_ms":812.3}'
  ]
]

describe("a line of the log, byte for byte", () => {
  for (const [what, event, line] of lines) {
    it(`of ${what}`, () => {
      assert.strictEqual(Log.render(Log.entry("req_1", event, new Date(0)), "json"), line)
    })
  }

  it("of an attempt, for people", () => {
    const said = (of: Partial<Attempt.Attempt<unknown>>) =>
      Log.render(Log.entry("req_1", attempt(of), new Date(0)), "pretty")
    const connection = ProviderError.make({ kind: "connection", code: "ENOTFOUND" })
    const failed = { outcome: "failure", errorType: "connection", cause: Cause.fail(connection) } as const
    assert.strictEqual(said({}), "00:00:00.000 + attempt chat/primary #1 (large) success in 812.3 ms")
    assert.strictEqual(
      said(failed),
      "00:00:00.000 x attempt chat/primary #1 (large) failure connection ENOTFOUND in 812.3 ms"
    )
  })

  it("of where the gateway listens", () => {
    const entry = Log.listening("http://127.0.0.1:8787", "a.yaml", new Date(0))
    assert.strictEqual(
      Log.render(entry, "json"),
      '{"timestamp":"1970-01-01T00:00:00.000Z","level":"INFO","message":"listening","url":"http://127.0.0.1:8787","serves":"a.yaml"}'
    )
    assert.strictEqual(
      Log.render(entry, "pretty"),
      "00:00:00.000 + listens on http://127.0.0.1:8787, serving a.yaml"
    )
  })

  it("of a worker, for people", () => {
    const said = (wrong?: Parameters<typeof Log.worker>[1]) =>
      Log.render(Log.worker(2, wrong, new Date(0)), "pretty")
    assert.deepStrictEqual(
      [said({ how: "SIGKILL", restartMillis: 100 }), said({ how: "is late" }), said()],
      [
        "00:00:00.000 x worker  2 ended by SIGKILL, another one starts in 100 ms",
        "00:00:00.000 x worker  2 is late",
        "00:00:00.000 + worker  2 serves again"
      ]
    )
  })

  it("of a bug: its kind and its place, and nothing that it quotes", () => {
    const secret = "zYxQ\n    at zYxQ (zYxQ:1:1)\n    at last zYxQ:1:1"
    const thrown = (error: Error) => Log.defect("req_1", Cause.die(error), new Date(0))
    class Odd extends Error {
      override name = secret
    }
    for (const error of [new TypeError(secret), new Odd(secret), new Error("")]) {
      const entry = thrown(error)
      const [first = "", ...rest] = String(entry["stack"]).split("\n")
      assert.match(`${first} ${rest.at(-1)}`, /^at .*Log\.test\.ts:\d+:\d+\)? at .*:\d+:\d+\)?$/)
      for (const format of ["json", "pretty"] as const) {
        const line = Log.render(entry, format)
        for (const quoted of ["zYxQ", "\n"]) assert.notInclude(line, quoted)
        assert.include(line, error.name === secret ? "Error" : error.name)
        assert.include(line, "req_1")
      }
    }
    const changed = new Error(secret)
    assert.include(changed.stack, secret)
    changed.message = "said otherwise"
    assert.isUndefined(thrown(changed)["stack"])
    const text = Log.defect(undefined, Cause.die(secret), new Date(0))
    assert.strictEqual(
      Log.render(text, "json"),
      '{"timestamp":"1970-01-01T00:00:00.000Z","level":"ERROR","message":"defect","error_type":"string"}'
    )
    assert.strictEqual(
      Log.render(text, "pretty"),
      "00:00:00.000 x defect  string at an unknown place (no request)"
    )
  })

  it("of any time, whatever the time of the line before", () => {
    const times = [0, 7, 999, 1000, 1099, 60_000, -1, -1000, 1.7e12, 1.7e12 + 42, 0, 2.6e14, -6.3e13]
    for (const at of times.map((millis) => new Date(millis))) {
      assert.strictEqual(Log.entry("req_1", attempt({}), at).timestamp, at.toISOString())
    }
  })
})
