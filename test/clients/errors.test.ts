import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type OpenAi from "openai7"
import { clients } from "../support/clients.ts"
import { chat, gateway } from "../support/gateway.ts"
import { rejection } from "../support/rejection.ts"
import { type Behaviour, fails, sends, silence, wall } from "../support/wall.ts"

type Class =
  | "BadRequestError"
  | "NotFoundError"
  | "UnprocessableEntityError"
  | "RateLimitError"
  | "InternalServerError"
  | "APIError"

/** An upstream's error, with all of OpenAI's fields. */
const error = (status: number, code: string | null, by = "scripted"): Behaviour =>
  sends(
    status,
    "application/json",
    JSON.stringify({ error: { message: `${by}: ${code}`, type: "their_type", param: "messages[0]", code } })
  )

/** What the client sees as the upstream put it, and whether the second tier was asked before. */
const asTheyCame: ReadonlyArray<readonly [number, string | null, Class, "asked" | "not asked"]> = [
  [400, null, "BadRequestError", "not asked"],
  [400, "unsupported_value", "BadRequestError", "not asked"],
  [400, "content_policy_violation", "BadRequestError", "not asked"],
  [422, "extra_forbidden", "UnprocessableEntityError", "not asked"],
  [400, "context_length_exceeded", "BadRequestError", "asked"],
  [404, "model_not_found", "NotFoundError", "asked"],
  [404, null, "NotFoundError", "asked"],
  [413, null, "APIError", "asked"]
]

/** What both upstreams answer, and what the client sees of it. */
const ours: ReadonlyArray<readonly [number, string | null, number, string, Class, string]> = [
  [401, "invalid_api_key", 502, "upstream_auth_error", "InternalServerError", "auth"],
  [403, null, 502, "upstream_auth_error", "InternalServerError", "auth"],
  [402, null, 503, "all_tiers_failed", "InternalServerError", "quota_exhausted"],
  [429, "insufficient_quota", 503, "all_tiers_failed", "InternalServerError", "quota_exhausted"],
  [429, "rate_limit_exceeded", 429, "rate_limited", "RateLimitError", "rate_limited"],
  [307, null, 503, "all_tiers_failed", "InternalServerError", "redirect"],
  [408, null, 503, "all_tiers_failed", "InternalServerError", "upstream_timeout"],
  [409, null, 503, "all_tiers_failed", "InternalServerError", "conflict"],
  [500, "server_error", 503, "all_tiers_failed", "InternalServerError", "server_error"],
  [502, null, 503, "all_tiers_failed", "InternalServerError", "server_error"],
  [503, "server_is_overloaded", 503, "all_tiers_failed", "InternalServerError", "overloaded"],
  [504, null, 503, "all_tiers_failed", "InternalServerError", "upstream_timeout"],
  [529, "overloaded_error", 503, "all_tiers_failed", "InternalServerError", "overloaded"]
]

const messages = [{ role: "user" as const, content: "Hi" }]
const once = { tier: "retry: { times: 0 }" }

for (const [name, Client] of clients) {
  describe(`${name}: errors`, () => {
    const setUp = (options: Parameters<typeof chat>[1] = once) =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        const { log, url } = yield* gateway(chat([first.url, second.url], options))
        const client = new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 })
        const ask = (stream = false, options: OpenAi.RequestOptions = {}) =>
          rejection(() => client.chat.completions.create({ model: "chat", messages, stream }, options))
        return { ask, client, first, log, second }
      })

    for (const [status, code, expected, nextTier] of asTheyCame) {
      it.scopedLive(`${status} ${code ?? ""} of every tier: a ${expected} as it came`, () =>
        Effect.gen(function* () {
          for (const stream of [false, true]) {
            const { ask, first, log, second } = yield* setUp({ tier: "retry: { times: 2 }" })
            const last = nextTier === "asked" ? "second" : "first"
            first.script(error(status, code, "first"))
            second.script(error(status, code, "second"))
            const seen = yield* ask(stream)
            assert.instanceOf(seen, Client[expected])
            assert.deepStrictEqual(
              [seen.status, seen.code, seen.type, seen.param, seen.message],
              [status, code, "their_type", "messages[0]", `${status} ${last}: ${code}`]
            )
            const asked = nextTier === "asked" ? 1 : 0
            assert.deepStrictEqual([first.received.length, second.received.length], [1, asked])
            const header = (name: string) => seen.headers?.get(name) ?? null
            assert.deepStrictEqual(
              ["x-should-retry", "retry-after", "x-understudy-attempts", "x-understudy-tier"].map(header),
              ["false", null, String(1 + asked), null]
            )
            assert.deepStrictEqual(
              [log.at(-1)?.message, log.at(-1)?.["request_id"] === seen.requestID],
              ["run", true]
            )
          }
        })
      )
    }

    for (const [theirs, code, status, expectedCode, expected, errorClass] of ours) {
      it.scopedLive(`${theirs} ${code ?? ""} of every tier: ${status} ${expectedCode}`, () =>
        Effect.gen(function* () {
          for (const stream of [false, true]) {
            const { ask, first, log, second } = yield* setUp()
            first.script(error(theirs, code))
            second.script(error(theirs, code))
            const seen = yield* ask(stream)
            assert.instanceOf(seen, Client[expected])
            assert.deepStrictEqual([seen.status, seen.code, seen.param], [status, expectedCode, null])
            const { attempts, message } = seen.error as { attempts: Array<object>; message: string }
            assert.notInclude(JSON.stringify(seen.error), "scripted")
            assert.strictEqual(seen.message, `${status} ${message}`)
            assert.deepStrictEqual(
              attempts.map((attempt) => ({ ...attempt, latency_ms: 0 })),
              [1, 2].map((n) => ({
                tier: `tier${n}`,
                model: `model${n}`,
                status: theirs,
                class: errorClass,
                latency_ms: 0
              }))
            )
            const header = (name: string) => seen.headers?.get(name) ?? null
            assert.deepStrictEqual(
              ["x-should-retry", "retry-after", "x-understudy-attempts", "x-understudy-tier"].map(header),
              [...(status === 429 ? [null, "1"] : ["false", null]), "2", null]
            )
            assert.strictEqual(log.at(-1)?.["request_id"] as unknown, seen.requestID)
            assert.deepStrictEqual([first.received.length, second.received.length], [1, 1])
          }
        })
      )
    }

    it.scopedLive("the wait that the least patient tier asks for is passed on", () =>
      Effect.gen(function* () {
        for (const [status, expected] of [
          [429, Client.RateLimitError],
          [503, Client.InternalServerError]
        ] as const) {
          const { ask, first, second } = yield* setUp()
          first.script(fails(status, null, { "retry-after": "7" }))
          second.script(fails(status, null, { "retry-after": "3600" }))
          const seen = yield* ask()
          assert.instanceOf(seen, expected)
          assert.deepStrictEqual(
            [seen.headers?.get("retry-after"), seen.headers?.get("x-should-retry") ?? null],
            ["7", null]
          )
        }
      })
    )

    it.scopedLive("once every breaker is open the answer comes at once, and says for how long", () =>
      Effect.gen(function* () {
        const { ask, first, second } = yield* setUp({
          tier: "breaker: { consecutive: 1, openFor: 100s }"
        })
        first.script(fails(500))
        second.script(fails(500))
        yield* ask()
        for (const stream of [false, true]) {
          const seen = yield* ask(stream)
          assert.instanceOf(seen, Client.InternalServerError)
          assert.deepStrictEqual(
            [
              seen.status,
              seen.code,
              seen.headers?.get("retry-after"),
              seen.headers?.get("x-understudy-attempts")
            ],
            [503, "all_tiers_open", "59", "0"]
          )
        }
        assert.deepStrictEqual([first.received.length, second.received.length], [1, 1])
      })
    )

    it.scopedLive("the deadline, the route's or a shorter one of the caller, ends in 504", () =>
      Effect.gen(function* () {
        const cases = [
          ["deadline: 50ms", {}],
          ["deadline: 40s", { "x-understudy-timeout": "50ms" }],
          ["deadline: 50ms", { "x-understudy-timeout": "40s" }]
        ] as const
        for (const [route, headers] of cases) {
          const { ask, first } = yield* setUp({ route })
          first.script(silence)
          for (const stream of [false, true]) {
            const seen = yield* ask(stream, { headers })
            assert.instanceOf(seen, Client.InternalServerError)
            assert.deepStrictEqual(
              [seen.status, seen.code, seen.headers?.get("x-should-retry")],
              [504, "deadline_exceeded", "false"]
            )
          }
        }
      })
    )
  })
}
