import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { clients } from "../support/clients.ts"
import { chat, gateway } from "../support/gateway.ts"
import { rejection } from "../support/rejection.ts"
import { answer, fails, wall } from "../support/wall.ts"

const messages = [{ role: "user" as const, content: "Hi" }]

for (const [name, Client] of clients) {
  describe(`${name}: what the gateway itself refuses`, () => {
    const setUp = (server?: string, apiKey = "any") =>
      Effect.gen(function* () {
        const upstream = yield* wall
        const { log, url } = yield* gateway(chat([upstream.url], server === undefined ? {} : { server }))
        const client = new Client({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })
        return { client, log, upstream, url }
      })

    it.scopedLive("no key or a wrong one: an AuthenticationError, and no upstream hears of it", () =>
      Effect.gen(function* () {
        const { client, log, upstream, url } = yield* setUp("apiKeys: [gateway-key, second-key]", "wrong-key")
        const bare = new Client({ baseURL: url, apiKey: "unused", maxRetries: 0 })
        const without = { headers: { authorization: null } }
        for (const call of [
          () => client.chat.completions.create({ model: "chat", messages }),
          () => client.chat.completions.create({ model: "chat", messages, stream: true }),
          () => client.chat.completions.create({ model: "no-such", messages: [] }),
          () => client.models.list(),
          () => client.models.retrieve("chat"),
          () => bare.chat.completions.create({ model: "chat", messages }, without),
          () =>
            bare.chat.completions.create(
              { model: "chat", messages },
              { headers: { authorization: "Basic gateway-key" } }
            ),
          () =>
            bare.chat.completions.create(
              { model: "chat", messages },
              { headers: { authorization: null, "api-key": "gateway-key", "x-api-key": "gateway-key" } }
            )
        ]) {
          const seen = yield* rejection(call)
          assert.instanceOf(seen, Client.AuthenticationError)
          assert.deepStrictEqual([seen.status, seen.code], [401, "invalid_api_key"])
          assert.match(seen.requestID ?? "", /^req_\w+$/)
          assert.notInclude(seen.message, "wrong-key")
        }
        assert.deepStrictEqual([upstream.received.length, log.length], [0, 0])
        for (const apiKey of ["gateway-key", "second-key"]) {
          const known = new Client({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })
          yield* Effect.promise(() => known.chat.completions.create({ model: "chat", messages }))
        }
        assert.deepStrictEqual(
          upstream.received.map(({ headers }) => headers.authorization),
          ["Bearer sk-upstream-1", "Bearer sk-upstream-1"]
        )
      })
    )

    it.scopedLive("an unknown route is a NotFoundError", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp()
        for (const call of [
          () => client.chat.completions.create({ model: "no-such", messages }),
          () => client.chat.completions.create({ model: "no-such", messages, stream: true }),
          () => client.chat.completions.create({ model: "__proto__", messages }),
          () => client.chat.completions.create({ model: "model1", messages }),
          () => client.models.retrieve("no/such")
        ]) {
          const seen = yield* rejection(call)
          assert.instanceOf(seen, Client.NotFoundError)
          assert.deepStrictEqual([seen.code, seen.param], ["model_not_found", "model"])
          assert.strictEqual(seen.headers?.get("x-should-retry"), "false")
        }
        assert.strictEqual(upstream.received.length, 0)
      })
    )

    it.scopedLive(
      "a body that is too large is a 413, with or without its length, and the next call works",
      () =>
        Effect.gen(function* () {
          const { client, upstream } = yield* setUp("maxBody: 100kB")
          const body = (size: number) => {
            const head = '{"model":"chat","messages":[],"user":"'
            return `${head}${"x".repeat(size - head.length - 2)}"}`
          }
          const inPieces = (text: string) => {
            let sent = 0
            return new ReadableStream<Uint8Array>({
              pull: (controller) => {
                if (sent >= text.length) return controller.close()
                controller.enqueue(new TextEncoder().encode(text.slice(sent, sent + 10_000)))
                sent += 10_000
              }
            })
          }
          const headers = { "content-type": "application/json" }
          const post = (body: string | ReadableStream) => client.post("/chat/completions", { body, headers })
          for (const size of [100_001, 3_000_000]) {
            for (const tooLarge of [body(size), inPieces(body(size))]) {
              const seen = yield* rejection(() => post(tooLarge))
              assert.instanceOf(seen, Client.APIError)
              assert.deepStrictEqual([seen.status, seen.code], [413, "request_too_large"])
            }
          }
          assert.strictEqual(upstream.received.length, 0)
          for (const fitting of [body(100_000), inPieces(body(100_000))]) {
            yield* Effect.promise(() => post(fitting))
          }
          assert.strictEqual(upstream.received.length, 2)
        })
    )

    it.scopedLive("what is no request is a BadRequestError", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp()
        const headers = { "content-type": "application/json" }
        for (const [body, code, param] of [
          ['{"model":"chat","messages":[', "invalid_json", null],
          ["[]", "invalid_json", null],
          ["model=chat", "invalid_json", null],
          [new Uint8Array([0x7b, 0xff, 0x7d]), "invalid_json", null],
          ["{}", "missing_model", "model"],
          ['{"model":7}', "missing_model", "model"]
        ] as const) {
          const seen = yield* rejection(() => client.post("/chat/completions", { body, headers }))
          assert.instanceOf(seen, Client.BadRequestError)
          assert.deepStrictEqual([seen.code, seen.type, seen.param], [code, "invalid_request_error", param])
          assert.strictEqual(seen.headers?.get("x-should-retry"), "false")
        }
        assert.strictEqual(upstream.received.length, 0)
      })
    )

    it.scopedLive("what is not there is a 404, and a wrong method a 405, in the same envelope", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp()
        for (const call of [
          () => client.responses.create({ model: "chat", input: "Hi" }),
          () => client.responses.retrieve("resp_1"),
          () => client.completions.create({ model: "chat", prompt: "Hi" }),
          () => client.get("/../etc/passwd"),
          () => client.get("/chat/completions/chatcmpl-1")
        ]) {
          const seen = yield* rejection(call)
          assert.instanceOf(seen, Client.NotFoundError)
          assert.deepStrictEqual([seen.code, seen.type], ["not_found", "invalid_request_error"])
          assert.match(seen.requestID ?? "", /^req_\w+$/)
        }
        for (const [call, allow] of [
          [() => client.get("/chat/completions"), "POST"],
          [() => client.post("/models", { body: {} }), "GET, HEAD"],
          [() => client.models.delete("chat"), "GET, HEAD"]
        ] as const) {
          const seen = yield* rejection(call)
          assert.deepStrictEqual(
            [seen.status, seen.code, seen.headers?.get("allow")],
            [405, "method_not_allowed", allow]
          )
        }
        assert.strictEqual(upstream.received.length, 0)
      })
    )
  })

  describe(`${name}: its own retries, left as they are`, () => {
    const setUp = (tier: string) =>
      Effect.gen(function* () {
        const upstream = yield* wall
        const { log, url } = yield* gateway(chat([upstream.url], { tier }))
        const client = new Client({ baseURL: `${url}/v1`, apiKey: "any" })
        const runs = () => log.filter(({ message }) => message === "run").length
        return { client, runs, upstream }
      })

    it.scopedLive("a failure that no retry mends is one request and one run", () =>
      Effect.gen(function* () {
        const { client, runs, upstream } = yield* setUp("retry: { times: 1, base: 1ms }")
        upstream.script(fails(503))
        for (const stream of [false, true]) {
          const before = upstream.received.length
          const seen = yield* rejection(() =>
            client.chat.completions.create({ model: "chat", messages, stream })
          )
          assert.deepStrictEqual([seen.status, seen.code], [503, "all_tiers_failed"])
          assert.strictEqual(upstream.received.length - before, 2)
        }
        assert.strictEqual(runs(), 2)
      })
    )

    it.scopedLive("a rate limit names its wait, and the client's next try is answered", () =>
      Effect.gen(function* () {
        const { client, runs, upstream } = yield* setUp("retry: { times: 0 }")
        upstream.script(fails(429, null, { "retry-after": "1" }), answer())
        const { choices } = yield* Effect.promise(() =>
          client.chat.completions.create({ model: "chat", messages })
        )
        assert.strictEqual(choices[0]?.message.content, "Hello there")
        assert.deepStrictEqual([upstream.received.length, runs()], [2, 2])
      })
    )
  })
}
