import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Answer, ask, chatBody, envelope } from "../support/caller.ts"
import { chat, gateway } from "../support/gateway.ts"
import { answer, type Behaviour, fails, sends, silence, wall } from "../support/wall.ts"

const secret = "Incorrect API key provided: sk-abc***xyz, sent by prompt-of-the-caller"

const says =
  (status: number, code: string | null, headers: Record<string, string> = {}): Behaviour =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(JSON.stringify({ error: { message: secret, type: "scripted", param: null, code } }))
  }

/** Every failure of ours has this shape, and holds nothing that an upstream said. */
const ours = (failed: Answer) => {
  const error = envelope(failed)
  assert.strictEqual(failed.headers["content-type"], "application/json")
  assert.isTrue(failed.whole)
  assert.match(String(failed.headers["x-request-id"]), /^req_[0-9a-f]{16}$/)
  assert.deepStrictEqual(
    Object.keys(error).filter((key) => key !== "attempts"),
    ["message", "type", "param", "code"]
  )
  assert.isString(error.message)
  assert.isNotEmpty(error.message)
  assert.notInclude(failed.text, "sk-")
  assert.notInclude(failed.text, "prompt-of-the-caller")
  const wait = failed.headers["retry-after"]
  assert.strictEqual(failed.headers["x-should-retry"], wait === undefined ? "false" : undefined)
  if (wait !== undefined) assert.match(wait, /^([1-9]|[1-5]\d)$/)
  assert.isUndefined(failed.headers["x-understudy-tier"])
  assert.isUndefined(failed.headers["x-understudy-model"])
  return error
}

interface Row {
  readonly tiers: ReadonlyArray<Behaviour>
  readonly expected: readonly [number, string]
  readonly retryAfter?: string
  /** How often each tier was asked. */
  readonly asked: ReadonlyArray<number>
  readonly classes: ReadonlyArray<string>
  readonly options?: { readonly tier?: string; readonly route?: string }
  readonly headers?: Record<string, string>
}

const noRetry = { tier: "retry: { times: 0 }" }

const rows: Readonly<Record<string, Row>> = {
  "all tiers failed": {
    tiers: [says(500, null), says(503, null)],
    expected: [503, "all_tiers_failed"],
    asked: [3, 3],
    classes: ["server_error", "server_error", "server_error", "overloaded", "overloaded", "overloaded"],
    options: { tier: "retry: { times: 2, base: 1ms }" }
  },
  "all failed, and one named a time": {
    tiers: [says(503, null, { "retry-after": "31.2" }), says(500, null)],
    expected: [503, "all_tiers_failed"],
    retryAfter: "32",
    asked: [1, 1],
    classes: ["overloaded", "server_error"],
    options: noRetry
  },
  "all failed, and one named an hour": {
    tiers: [says(503, null, { "retry-after": "3600" }), says(500, null)],
    expected: [503, "all_tiers_failed"],
    retryAfter: "59",
    asked: [1, 1],
    classes: ["overloaded", "server_error"],
    options: noRetry
  },
  "all failed, and both named a time: the sooner": {
    tiers: [says(503, null, { "retry-after": "3600" }), says(503, null, { "retry-after-ms": "200" })],
    expected: [503, "all_tiers_failed"],
    retryAfter: "1",
    asked: [1, 1],
    classes: ["overloaded", "overloaded"],
    options: noRetry
  },
  "every tier rate limited, none said for how long": {
    tiers: [says(429, "rate_limit_exceeded"), says(429, null)],
    expected: [429, "rate_limited"],
    retryAfter: "1",
    asked: [1, 1],
    classes: ["rate_limited", "rate_limited"],
    options: noRetry
  },
  "every tier rate limited, one said for how long": {
    tiers: [says(429, null, { "retry-after": "20" }), says(429, null)],
    expected: [429, "rate_limited"],
    retryAfter: "20",
    asked: [1, 1],
    classes: ["rate_limited", "rate_limited"],
    options: noRetry
  },
  "the only tier rate limited, which said for how long": {
    tiers: [says(429, null, { "retry-after": "30" })],
    expected: [429, "rate_limited"],
    retryAfter: "30",
    asked: [1],
    classes: ["rate_limited"],
    options: noRetry
  },
  "no quota is left, under status 200": {
    tiers: [sends(200, "application/json", '{"error":{"code":"insufficient_quota"}}')],
    expected: [503, "all_tiers_failed"],
    asked: [1],
    classes: ["quota_exhausted"]
  },
  "one rate limited, the other down": {
    tiers: [says(429, null), says(500, null)],
    expected: [503, "all_tiers_failed"],
    asked: [1, 1],
    classes: ["rate_limited", "server_error"],
    options: noRetry
  },
  "one rate limited for a time, the other too small for the request": {
    tiers: [says(429, null, { "retry-after": "20" }), says(400, "context_length_exceeded")],
    expected: [503, "all_tiers_failed"],
    retryAfter: "20",
    asked: [1, 1],
    classes: ["rate_limited", "context_length"],
    options: noRetry
  },
  "one down, the other's model gone": {
    tiers: [says(500, null), says(404, "model_not_found")],
    expected: [503, "all_tiers_failed"],
    asked: [1, 1],
    classes: ["server_error", "model_not_found"],
    options: noRetry
  },
  "every tier refused our key": {
    tiers: [says(401, "invalid_api_key"), says(403, null)],
    expected: [502, "upstream_auth_error"],
    asked: [1, 1],
    classes: ["auth", "auth"]
  },
  "our key may not ask for the model": {
    tiers: [says(403, "model_not_found")],
    expected: [503, "all_tiers_failed"],
    asked: [1],
    classes: ["model_not_found"]
  },
  "one refused our key, the other is down": {
    tiers: [says(401, "invalid_api_key"), says(500, null)],
    expected: [503, "all_tiers_failed"],
    asked: [1, 1],
    classes: ["auth", "server_error"],
    options: noRetry
  },
  "no quota is left": {
    tiers: [says(429, "insufficient_quota"), says(402, null)],
    expected: [503, "all_tiers_failed"],
    asked: [1, 1],
    classes: ["quota_exhausted", "quota_exhausted"]
  },
  "the deadline ended the run": {
    tiers: [silence, answer()],
    expected: [504, "deadline_exceeded"],
    asked: [1, 0],
    classes: ["deadline"],
    options: { route: "deadline: 80ms" }
  },
  "the caller's shorter time ended the run": {
    tiers: [silence, answer()],
    expected: [504, "deadline_exceeded"],
    asked: [1, 0],
    classes: ["deadline"],
    headers: { "x-understudy-timeout": "80ms" }
  },
  "the caller's longer time lengthens nothing": {
    tiers: [silence, answer()],
    expected: [504, "deadline_exceeded"],
    asked: [1, 0],
    classes: ["deadline"],
    options: { route: "deadline: 80ms" },
    headers: { "x-understudy-timeout": "1h" }
  },
  "the time of each tier was over": {
    tiers: [silence, silence],
    expected: [503, "all_tiers_failed"],
    asked: [1, 1],
    classes: ["timeout", "timeout"],
    options: { tier: "timeout: 60ms" }
  }
}

describe("the error table: failures of ours", () => {
  for (const [name, row] of Object.entries(rows)) {
    for (const streamed of [false, true]) {
      it.scopedLive(`${name}: ${row.expected.join(" ")}${streamed ? ", to a stream too" : ""}`, () =>
        Effect.gen(function* () {
          const tiers = yield* Effect.forEach(row.tiers, (behaviour) =>
            Effect.tap(wall, ({ script }) => script(behaviour))
          )
          const { log, url } = yield* gateway(
            chat(
              tiers.map((tier) => tier.url),
              row.options
            )
          )
          const failed = yield* ask(url, {
            body: chatBody({ stream: streamed }),
            ...(row.headers && { headers: row.headers })
          })
          const { attempts, code } = ours(failed)
          assert.deepStrictEqual([failed.status, code], row.expected)
          assert.strictEqual(failed.headers["retry-after"], row.retryAfter)
          assert.deepStrictEqual(
            tiers.map(({ received }) => received.length),
            row.asked
          )
          assert.deepStrictEqual<unknown>(
            attempts?.map((attempt) => attempt["class"]),
            row.classes
          )
          assert.deepStrictEqual(Object.keys(attempts?.[0] ?? {}), [
            "tier",
            "model",
            "status",
            "class",
            "latency_ms"
          ])
          assert.strictEqual(failed.headers["x-understudy-attempts"], String(row.classes.length))
          assert.strictEqual(log.at(-1)?.["outcome"], "failure")
          assert.strictEqual<unknown>(log.at(-1)?.["request_id"], failed.headers["x-request-id"])
        })
      )
    }
  }
})

/** What an upstream said of the request itself goes to the caller in its very bytes. */
const asTheyCame: Readonly<
  Record<
    string,
    {
      readonly said: readonly [number, string, string]
      /** The status, where it is another one. */
      readonly told?: number
      readonly asked: readonly [number, number]
    }
  >
> = {
  "the request is wrong (400)": {
    said: [400, "application/json", '{ "error": {"message":"n must be 1", "code":null} }'],
    asked: [1, 0]
  },
  "the request is wrong (422), and not in OpenAI's words": {
    said: [422, "application/json; charset=utf-8", '{"detail":[{"type":"extra_forbidden"}]}'],
    asked: [1, 0]
  },
  "the request is wrong, under status 200": {
    said: [200, "application/json", '{"error":{"message":"bad","code":400}}'],
    told: 400,
    asked: [1, 0]
  },
  "content policy": {
    said: [400, "application/json", '{"error":{"code":"content_filter","message":"no","innererror":{}}}'],
    asked: [1, 0]
  },
  "too long for every tier": {
    said: [400, "application/json", '{"error":{"code":"context_length_exceeded","message":"too long"}}'],
    asked: [1, 1]
  },
  "too large for every tier (413), as a page": {
    said: [413, "text/html", "<html>413</html>"],
    asked: [1, 1]
  },
  "the model is gone in every tier (404)": {
    said: [404, "application/json", '{"error":{"code":"model_not_found","message":"gone"}}'],
    asked: [1, 1]
  }
}

describe("the error table: what an upstream says of the request", () => {
  for (const [name, { asked, said, told }] of Object.entries(asTheyCame)) {
    for (const streamed of [false, true]) {
      it.scopedLive(`${name}: as it came${streamed ? ", to a stream too" : ""}`, () =>
        Effect.gen(function* () {
          const [first, second] = [yield* wall, yield* wall]
          first.script(sends(...said))
          second.script(sends(...said))
          const { url } = yield* gateway(chat([first.url, second.url]))
          const failed = yield* ask(url, { body: chatBody({ stream: streamed }) })
          const [status, ...rest] = said
          assert.deepStrictEqual<unknown>(
            [failed.status, failed.headers["content-type"], failed.text],
            [told ?? status, ...rest]
          )
          assert.deepStrictEqual([first.received.length, second.received.length], asked)
          assert.strictEqual(failed.headers["x-should-retry"], "false")
          assert.strictEqual(failed.headers["x-understudy-attempts"], String(asked[0] + asked[1]))
          assert.isUndefined(failed.headers["x-understudy-tier"])
          assert.isDefined(failed.headers["x-request-id"])
        })
      )
    }
  }

  it.scopedLive("too long for one tier, while another rests: all tiers failed", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(401))
      second.script(fails(400, "context_length_exceeded"))
      const { url } = yield* gateway(chat([first.url, second.url]))
      for (const asked of [1, 2]) {
        const failed = yield* ask(url)
        assert.deepStrictEqual([failed.status, envelope(failed).code], [503, "all_tiers_failed"])
        assert.deepStrictEqual([first.received.length, second.received.length], [1, asked])
      }
    })
  )

  it.scopedLive("too long for the only tier, once that has recovered: as it came", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(fails(503), fails(400, "context_length_exceeded"))
      const { url } = yield* gateway(chat([only.url], { tier: "retry: { times: 1, base: 1ms }" }))
      const failed = yield* ask(url)
      assert.deepStrictEqual([failed.status, envelope(failed).code], [400, "context_length_exceeded"])
    })
  )

  it.scopedLive("the request is wrong, as the first event of a stream: its data, as JSON", () =>
    Effect.gen(function* () {
      const first = yield* wall
      const error = '{"error":{"code":"content_filter","message":"no"}}'
      first.script(sends(200, "text/event-stream", `data: ${error}\n\n`))
      const { url } = yield* gateway(chat([first.url]))
      const failed = yield* ask(url, { body: chatBody({ stream: true }) })
      assert.deepStrictEqual(
        [failed.status, failed.headers["content-type"], failed.text],
        [400, "application/json", error]
      )
    })
  )

  it.scopedLive("too long for one tier: the next one, which has room, answers", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(400, "context_length_exceeded"))
      const running = yield* gateway(chat([first.url, second.url], { tier: "breaker: { consecutive: 1 }" }))
      for (let round = 1; round <= 3; round++) {
        assert.strictEqual((yield* ask(running.url)).headers["x-understudy-tier"], "tier2")
        assert.strictEqual(first.received.length, round)
      }
      assert.isFalse(running.log.some(({ message }) => message === "breaker"))
    })
  )
})
