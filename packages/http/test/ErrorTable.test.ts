import { assert, describe, it, vi } from "@effect/vitest"
import { Duration, FastCheck, Redacted } from "effect"
import { ErrorTable, type ProviderError } from "../src/index.ts"
import { type Case, cases, google, openai, retryInfo } from "./errorCases.ts"

const now = Date.UTC(2026, 10, 22, 12, 0, 0)

const classify = ({ body = "", headers = {}, status }: Case, rows?: ReadonlyArray<ErrorTable.Row>) =>
  ErrorTable.classify(
    {
      status,
      headers,
      body: new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body))
    },
    now,
    rows
  )

/** The row that decided: the first whose own copy, put before the table with another kind, decides otherwise. */
const deciding = (response: Case): ErrorTable.Row | undefined => {
  const { kind } = classify(response)
  const other: ProviderError.Kind = kind === "conflict" ? "redirect" : "conflict"
  return ErrorTable.table.find((row) => classify(response, [{ ...row, kind: other }]).kind === other)
}

describe("ErrorTable.table", () => {
  for (const row of ErrorTable.table) {
    const known = Object.entries(cases[row.name] ?? {})
    for (const [name, response] of known) {
      it(`${name} is ${row.kind}, by the row ${row.name}`, () => {
        assert.deepInclude(classify(response), { kind: row.kind, status: response.status, retry: row.retry })
        assert.strictEqual(deciding(response)?.name, row.name)
      })
    }
    it(`the row ${row.name} has a case`, () => assert.isAbove(known.length, 0))
  }

  it("no case without a row", () => {
    const names = ErrorTable.table.map(({ name }) => name)
    assert.deepStrictEqual(
      Object.keys(cases).filter((name) => !names.includes(name)),
      []
    )
    assert.strictEqual(new Set(names).size, names.length)
  })
})

describe("ErrorTable.classify", () => {
  it("asks the user's rows first", () => {
    const ours = { name: "ours", kind: "overloaded", status: [400], code: /^busy$/ } as const
    assert.strictEqual(classify({ status: 400, body: openai({ code: "BUSY" }) }, [ours]).kind, "overloaded")
    assert.strictEqual(classify({ status: 400, body: openai({}) }, [ours]).kind, "invalid_request")
  })

  it("a global expression finds the same every time", () => {
    const rows = [{ name: "ours", kind: "overloaded", code: /busy/g, text: /busy/g }] as const
    for (const error of [{ code: "busy" }, { message: "busy" }]) {
      const kinds = [1, 2].map(() => classify({ status: 400, body: openai(error) }, rows).kind)
      assert.deepStrictEqual(kinds, ["overloaded", "overloaded"])
    }
  })

  it("x-should-retry goes before the row", () => {
    const retry = (status: number, header?: string) =>
      classify({ status, headers: header === undefined ? {} : { "x-should-retry": header } }).retry
    assert.strictEqual(retry(503, "false"), false)
    assert.strictEqual(retry(524, "TRUE "), true)
    assert.strictEqual(retry(524), false)
    assert.strictEqual(retry(503, "perhaps"), undefined)
  })

  it("a firewall's page is not tried again, and says nothing of the key", () => {
    const body = "<html>a 403, for what is in the prompt</html>"
    assert.deepInclude(classify({ status: 403, body }), { kind: "server_error", retry: false })
  })

  it("keeps the answer, with a status that can be passed on", () => {
    const answer = (response: Case) => Redacted.value(classify(response).answer!)
    const body = { detail: "é" }
    assert.deepStrictEqual(answer({ status: 422, headers: { "content-type": "application/json" }, body }), {
      status: 422,
      contentType: "application/json",
      body: new TextEncoder().encode(JSON.stringify(body))
    })
    assert.strictEqual(answer({ status: 200, body: openai({}) }).status, 400)
    assert.strictEqual(answer({ status: 200, body: { error: { code: 422 } } }).status, 422)
  })

  it.prop(
    "any body at any status has a kind",
    [FastCheck.integer({ min: 0, max: 700 }), FastCheck.oneof(FastCheck.json(), FastCheck.string())],
    ([status, body]) => {
      assert.isString(classify({ status, body }).kind)
      assert.isString(classify({ status, body: { error: body } }).kind)
    }
  )

  it("hostile shapes and sizes", () => {
    const odd = [
      null,
      1,
      "x",
      [],
      [[]],
      {},
      { code: { toString: null } },
      { details: [null, { violations: [1] }], metadata: [] }
    ]
    for (const error of odd) assert.isString(classify({ status: 500, body: { error } }).kind)
    for (const message of [
      "input token ".repeat(1e6),
      "limit 1".repeat(1e6),
      "try again in 1".repeat(1e6),
      "exceed".repeat(1e6),
      `try again in ${"1".repeat(1e6)}`,
      `try again in ${"1s ".repeat(1e6)}`
    ]) {
      assert.isString(classify({ status: 500, body: { error: { message } } }).kind)
      assert.isString(classify({ status: 429, body: message }).kind)
    }
  })
})

describe("ErrorTable.retryAfter", () => {
  const millis = (headers: Readonly<Record<string, string>>, body = "") => {
    const wait = ErrorTable.retryAfter(headers, body, now)
    return wait === undefined ? undefined : Duration.toMillis(wait)
  }
  const said = (message: string) => millis({}, JSON.stringify({ error: { message } }))

  it("retry-after: seconds, whole or not", () => {
    assert.strictEqual(millis({ "retry-after": "7" }), 7000)
    assert.strictEqual(millis({ "retry-after": " 1.5 " }), 1500)
  })

  it("retry-after: a date", () => {
    assert.strictEqual(millis({ "retry-after": "Sun, 22 Nov 2026 12:00:30 GMT" }), 30_000)
    assert.strictEqual(millis({ "retry-after": "sun, 22 nov 2026 12:00:30 gmt" }), 30_000)
    assert.strictEqual(millis({ "retry-after": "Sunday, 22-Nov-26 12:00:30 GMT" }), 30_000)
    assert.isUndefined(millis({ "retry-after": "Sun Nov 22 2027" }))
    assert.isUndefined(millis({ "retry-after": "Sun, 22 Nov 2026 11:59:59 GMT" }))
    assert.isUndefined(millis({ "retry-after": "Sun, 99 Foo 2026 12:00:30 GMT" }))
  })

  it("retry-after: a date as C writes it, which names no zone and means GMT", () => {
    vi.stubEnv("TZ", "America/New_York")
    try {
      assert.strictEqual(millis({ "retry-after": "Sun Nov 22 12:00:30 2026" }), 30_000)
      assert.strictEqual(millis({ "retry-after": "Tue Dec  1 12:00:00 2026" }), 86_400_000)
    } finally {
      vi.unstubAllEnvs()
    }
  })

  it("retry-after-ms goes first, where it is a wait", () => {
    assert.strictEqual(millis({ "retry-after-ms": "250.5", "retry-after": "7" }), 250.5)
    for (const odd of ["NaN", "-1", "0", ""]) {
      assert.strictEqual(millis({ "retry-after-ms": odd, "retry-after": "7" }), 7000, odd)
    }
  })

  it("what is no wait is no hint", () => {
    for (const odd of [
      "",
      "0",
      "0.0",
      "-5",
      "+5",
      "soon",
      "NaN",
      "Infinity",
      "1e309",
      "0x10",
      "5, 5",
      "1 2",
      "٣"
    ]) {
      assert.isUndefined(millis({ "retry-after": odd, "retry-after-ms": odd }), odd)
    }
    assert.isUndefined(millis({}))
  })

  it("a day is the most", () => {
    const day = 24 * 60 * 60 * 1000
    for (const long of ["99999999", "9".repeat(400), "Fri, 01 Jan 2100 00:00:00 GMT"]) {
      assert.strictEqual(millis({ "retry-after": long }), day, long)
    }
    assert.strictEqual(millis({ "retry-after": "86401" }), day)
    assert.strictEqual(millis({ "retry-after": "86399" }), day - 1000)
  })

  it("words of the body", () => {
    assert.strictEqual(said("Rate limit reached. Please try again in 4.77s. Visit …"), 4770)
    assert.strictEqual(said("Please try again in 20ms."), 20)
    assert.strictEqual(said("Please try again in 1m2s."), 62_000)
    assert.strictEqual(said("Please try again in 1h2m3.5s"), 3_723_500)
    assert.strictEqual(said("Please retry after 37 seconds."), 37_000)
    assert.strictEqual(said("Try again in 1 minute 5 seconds"), 65_000)
    assert.strictEqual(said("Please retry in 41.2s."), 41_200)
    assert.strictEqual(millis({}, "Rate limit is exceeded. Try again in 2 seconds."), 2000)
    for (const odd of [
      "try again in a while",
      "try again in 5",
      "try again in 3 moons",
      "try again in 0s",
      "in 5s"
    ]) {
      assert.isUndefined(said(odd), odd)
    }
  })

  it("Google's RetryInfo", () => {
    assert.strictEqual(millis({}, JSON.stringify(google({ details: [retryInfo] }))), 13_000)
    assert.strictEqual(millis({ "retry-after": "2" }, JSON.stringify(google({ details: [retryInfo] }))), 2000)
    for (const retryDelay of [13, null, "soon", "-3s", {}]) {
      assert.isUndefined(
        millis({}, JSON.stringify(google({ details: [{ retryDelay }] }))),
        String(retryDelay)
      )
    }
  })

  it("the classified error carries it", () => {
    const error = classify({ status: 429, headers: { "retry-after": "7" } })
    assert.deepStrictEqual(error.retryAfter, Duration.seconds(7))
  })

  describe("of a rate limit that names no wait", () => {
    const limit = (limit: string, remaining: string, reset: string) => ({
      [`x-ratelimit-remaining-${limit}`]: remaining,
      [`x-ratelimit-reset-${limit}`]: reset
    })
    const waits = (headers: Record<string, string>, status = 429) => {
      const { retryAfter } = classify({ status, headers })
      return retryAfter && Duration.toMillis(retryAfter)
    }

    it("is the time to the reset of what has nothing left, the last of them", () => {
      assert.strictEqual(waits({ ...limit("requests", "0", "1s"), ...limit("tokens", "9", "6m0s") }), 1000)
      assert.strictEqual(waits({ ...limit("requests", "0", "1s"), ...limit("tokens", "0", "6m0s") }), 360_000)
      assert.strictEqual(waits(limit("project-tokens", "0", "2m59.56s")), 179_560)
      assert.strictEqual(waits(limit("tokens", " 0 ", "20ms")), 20)
      assert.strictEqual(waits(limit("tokens", "0", "30")), 30_000)
    })

    it("none where it says nothing that is a wait, or the failure is another", () => {
      for (const reset of ["-1", "0", "0s", "soon", "1s later", "", "2026-11-22T12:00:30Z"]) {
        assert.isUndefined(waits(limit("tokens", "0", reset)), reset)
      }
      for (const remaining of ["-1", "1", "", "00"]) {
        assert.isUndefined(waits(limit("tokens", remaining, "1s")), remaining)
      }
      assert.isUndefined(waits(limit("tokens", "0", "1s"), 500))
      assert.strictEqual(waits({ ...limit("tokens", "0", "9s"), "retry-after": "2" }), 2000)
    })
  })
})
