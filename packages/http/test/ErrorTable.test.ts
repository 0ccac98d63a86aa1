import { assert, describe, it } from "@effect/vitest"
import { Duration, FastCheck, Redacted } from "effect"
import { ErrorTable, type ProviderError } from "../src/index.ts"

const now = Date.UTC(2026, 10, 22, 12, 0, 0)

interface Case {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

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

const openai = (error: object) => ({
  error: { message: "", type: "invalid_request_error", param: null, code: null, ...error }
})
const google = (error: object) => [
  { error: { code: 429, status: "RESOURCE_EXHAUSTED", message: "", ...error } }
]
const violated = (quotaId: string) => ({
  "@type": "type.googleapis.com/google.rpc.QuotaFailure",
  violations: [{ quotaId }]
})
const retryInfo = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "13s" }

/** For each row of the table, by its name, what providers send. */
// biome-ignore format: a table
const cases: Readonly<Record<string, ReadonlyArray<Case>>> = {
  "OpenRouter: too many requests in flight": [
    { status: 402, body: { error: { code: 402, message: "", metadata: { limit_source: "openrouter_in_flight_budget" } } } }
  ],
  "quota or credit used up": [
    { status: 429, body: openai({ type: "insufficient_quota", code: "insufficient_quota" }) },
    { status: 429, body: openai({ type: "insufficient_quota", code: "credit_balance_exhausted" }) },
    { status: 400, body: openai({ code: "billing_hard_limit_reached" }) },
    { status: 402, body: { type: "error", error: { type: "billing_error", message: "" } } },
    { status: 429, body: { type: "error", error: { type: "rate_limit_error", details: { error_code: "contract_spend_limit_reached" } } } },
    { status: 429, body: { type: "error", error: { type: "rate_limit_error", details: { error_code: "enforced_spend_limit_reached" } } } }
  ],
  "Google: daily quota used up": [
    { status: 429, body: google({ details: [violated("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), retryInfo] }) }
  ],
  "Google: quota per minute": [
    { status: 429, body: google({ message: "You exceeded your current quota.", details: [violated("GenerateRequestsPerMinute"), retryInfo] }) }
  ],
  "message: quota or credit used up": [
    { status: 429, body: google({ message: "You exceeded your current quota, please check your plan." }) },
    { status: 403, body: { message: "Your credit balance is too low." } }
  ],
  "Anthropic: credit balance too low": [
    { status: 400, body: { type: "error", error: { type: "invalid_request_error", message: "Your credit balance is too low to access the Anthropic API." } } }
  ],
  "larger than the rate limit": [
    { status: 429, body: openai({ code: "rate_limit_exceeded", message: "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 45000." }) },
    { status: 413, body: openai({ code: "rate_limit_exceeded", type: "tokens", message: "Limit 6000, Requested 8000, please reduce your message size." }) }
  ],
  "context length": [
    { status: 400, body: openai({ code: "context_length_exceeded", param: "messages" }) },
    { status: 400, body: { error: { code: 400, type: "exceed_context_size_error", n_prompt_tokens: 9, n_ctx: 8 } } }
  ],
  "message: context length": [
    { status: 400, body: { object: "error", message: "This model's maximum context length is 4096 tokens.", type: "BadRequestError", code: 400 } },
    { status: 400, body: { type: "error", error: { type: "invalid_request_error", message: "prompt is too long: 210000 tokens > 200000 maximum" } } },
    { status: 400, body: google({ code: 400, status: "INVALID_ARGUMENT", message: "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)." }) },
    { status: 403, body: openai({ message: "`inputs` tokens + `max_new_tokens` must be <= 8193." }) },
    { status: 500, body: { error: "the request exceeds the available context size" } }
  ],
  "content policy": [
    { status: 400, body: openai({ code: "content_policy_violation" }) },
    { status: 400, body: openai({ code: "invalid_prompt" }) },
    { status: 400, body: { error: { code: "content_filter", param: "prompt", status: 400, innererror: { code: "ResponsibleAIPolicyViolation" } } } },
    { status: 400, body: { error: { code: null, innererror: { code: "ResponsibleAIPolicyViolation" } } } }
  ],
  "OpenRouter: moderation": [
    { status: 403, body: { error: { code: 403, message: "Your input was flagged", metadata: { reasons: ["violence"], flagged_input: "invalid_api_key" } } } }
  ],
  "Azure: message of the content filter": [
    { status: 400, body: openai({ message: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy." }) }
  ],
  "model not found": [
    { status: 404, body: openai({ code: "model_not_found" }) },
    { status: 403, body: openai({ code: "model_not_found" }) },
    { status: 404, body: { error: { code: "DeploymentNotFound", message: "" } } },
    { status: 400, body: openai({ code: "model_decommissioned" }) }
  ],
  "key or permission": [
    { status: 401, body: openai({ code: "invalid_api_key" }) },
    { status: 403, body: openai({ code: "unsupported_country_region_territory" }) },
    { status: 400, body: google({ code: 400, status: "INVALID_ARGUMENT", details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" }] }) },
    { status: 401, body: { error: { code: "PermissionDenied" } } },
    { status: 401, body: { type: "error", error: { type: "authentication_error", message: "invalid x-api-key" } } }
  ],
  "Google: message of a bad key": [
    { status: 400, body: google({ code: 400, status: "INVALID_ARGUMENT", message: "API key not valid. Please pass a valid API key." }) }
  ],
  overloaded: [
    { status: 503, body: openai({ type: "service_unavailable_error", code: "server_is_overloaded" }) },
    { status: 529, body: { type: "error", error: { type: "overloaded_error", message: "Overloaded" } } },
    { status: 200, body: { type: "error", error: { type: "overloaded_error", message: "Overloaded" } } },
    { status: 429, body: { error: { code: "NoCapacity" } } },
    { status: 429, body: { object: "error", message: "", type: "invalid_request_error", code: "3505" } },
    { status: 503, body: google({ code: 503, status: "UNAVAILABLE" }) },
    { status: 200, body: { error: { code: 502, message: "", metadata: { error_type: "provider_unavailable" } } } }
  ],
  "message: overloaded": [
    { status: 429, body: { object: "error", message: "Service tier capacity exceeded for this model.", code: null } },
    { status: 429, body: { error: { code: "429", message: "System is experiencing high demand" } } }
  ],
  "Groq: the model's tool call or JSON is broken": [
    { status: 400, body: openai({ code: "tool_use_failed", failed_generation: "invalid_api_key" }) },
    { status: 400, body: openai({ code: "json_validate_failed" }) }
  ],
  "200: rate limit": [{ status: 200, body: openai({ type: "rate_limit_error", code: "slow_down" }) }],
  "200: invalid request": [{ status: 200, body: openai({}) }],
  "200: server error": [
    { status: 200, body: openai({ type: "server_error" }) },
    { status: 200, body: { type: "error", error: { type: "api_error", message: "" } } }
  ],
  "200: any other error": [
    { status: 200, body: { error: "boom" } },
    { status: 200, body: { choices: [{ message: {}, finish_reason: "error" }] } }
  ],
  "3xx": [{ status: 302 }, { status: 307, headers: { location: "http://elsewhere" } }],
  "401, 403": [
    { status: 401, body: { message: "Unauthorized" } },
    { status: 403, body: "<html>blocked</html>" }
  ],
  "402": [{ status: 402, body: openai({}) }],
  "404, 410": [
    { status: 404, body: { error: { type: "not_found_error", message: "model 'x' not found", code: null } } },
    { status: 410 }
  ],
  "408, 504": [
    { status: 408 },
    { status: 504 },
    { status: 200, body: { error: { code: 504, message: "" } } }
  ],
  "409": [{ status: 409, body: { type: "error", error: { type: "conflict_error" } } }],
  "413": [
    { status: 413, body: "<html>413 Request Entity Too Large cloudflare</html>" },
    { status: 413, body: { type: "error", error: { type: "request_too_large" } } }
  ],
  "424 of Groq and Azure: a dependency failed": [{ status: 424 }],
  "429": [
    { status: 429 },
    { status: 429, body: openai({ type: "requests", code: "rate_limit_exceeded", message: "Rate limit reached for gpt-4 on tokens per min (TPM): Limit 10000, Used 9000, Requested 2000. Please try again in 6s." }) },
    { status: 429, body: { type: "error", error: { type: "rate_limit_error", message: "This request would exceed your organization's rate limit of 40,000 input tokens per minute" } } },
    { status: 429, body: { type: "rate_limited", code: "1300", raw_status_code: 429 } }
  ],
  "498 of Groq, 503, 529": [{ status: 498 }, { status: 503, body: "<html></html>" }, { status: 529 }],
  "other 4xx": [
    { status: 400, body: openai({ code: "unsupported_parameter", message: "Unsupported parameter: 'insufficient_quota'" }) },
    { status: 400, body: openai({ message: "Invalid value: 'You exceeded your current quota'. Your credit balance is too low" }) },
    { status: 422, body: { detail: [ { type: "extra_forbidden", loc: ["body", "store"], msg: "", input: { code: "invalid_api_key", type: "billing_error" } } ] } },
    { status: 405 },
    { status: 499 },
    { status: 200, body: { error: { message: "", type: "", code: 400 } } }
  ],
  "501": [{ status: 501, body: { error: { type: "not_supported_error", code: 501 } } }],
  "524 of Cloudflare: no answer in 100 s": [{ status: 524 }],
  "525, 526 of Cloudflare": [{ status: 525 }, { status: 526 }],
  "other 5xx": [
    { status: 500 },
    { status: 502, body: "<html>502 Bad Gateway</html>" },
    { status: 520 },
    { status: 530 }
  ],
  "no status that HTTP knows": [{ status: 0 }, { status: 101 }, { status: 700 }]
}

/** The row that decided: the first whose own copy, put before the table with another kind, decides otherwise. */
const deciding = (response: Case): ErrorTable.Row | undefined => {
  const { kind } = classify(response)
  const other: ProviderError.Kind = kind === "conflict" ? "redirect" : "conflict"
  return ErrorTable.table.find((row) => classify(response, [{ ...row, kind: other }]).kind === other)
}

describe("ErrorTable.table", () => {
  for (const row of ErrorTable.table) {
    it(`${row.name} → ${row.kind}`, () => {
      assert.isAbove(cases[row.name]?.length ?? 0, 0, "a row without a case")
      for (const response of cases[row.name] ?? []) {
        assert.deepInclude(classify(response), { kind: row.kind, status: response.status, retry: row.retry })
        assert.strictEqual(deciding(response)?.name, row.name, JSON.stringify(response))
      }
    })
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

  it("x-should-retry goes before the row", () => {
    const retry = (status: number, header?: string) =>
      classify({ status, headers: header === undefined ? {} : { "x-should-retry": header } }).retry
    assert.strictEqual(retry(503, "false"), false)
    assert.strictEqual(retry(524, "TRUE "), true)
    assert.strictEqual(retry(524), false)
    assert.strictEqual(retry(503, "perhaps"), undefined)
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
    assert.isUndefined(millis({ "retry-after": "Sun, 22 Nov 2026 11:59:59 GMT" }))
    assert.isUndefined(millis({ "retry-after": "Sun, 99 Foo 2026 12:00:30 GMT" }))
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
})
