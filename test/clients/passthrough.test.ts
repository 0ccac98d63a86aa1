import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ChatCompletionToolChoiceOption } from "openai7/resources/chat/completions"
import { clients, gather } from "../support/clients.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { type Behaviour, type Received, sends, wall } from "../support/wall.ts"

const messages = [{ role: "user" as const, content: "Hi" }]

const completion = (message: object, finish_reason = "stop"): object => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "model1-2026-11-01",
  choices: [
    { index: 0, message: { role: "assistant", refusal: null, ...message }, logprobs: null, finish_reason }
  ],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
})

const says = (body: object): Behaviour => sends(200, "application/json", JSON.stringify(body))

const asked = (received: Received | undefined) => JSON.parse(received?.body.toString() ?? "")

const add = {
  type: "function",
  function: {
    name: "add",
    strict: true,
    parameters: {
      type: "object",
      properties: { a: { type: "number" } },
      required: ["a"],
      additionalProperties: false
    }
  }
} as const

const city = {
  type: "json_schema",
  json_schema: {
    name: "city",
    strict: true,
    schema: {
      type: "object",
      properties: { name: { type: "string" } },
      required: ["name"],
      additionalProperties: false
    }
  }
} as const

for (const [name, Client] of clients) {
  describe(`${name}: what goes through`, () => {
    const setUp = Effect.gen(function* () {
      const upstream = yield* wall
      const { log, url } = yield* gateway(chat([upstream.url]))
      const client = new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 })
      return { client, log, upstream, url }
    })

    it.scopedLive("an answer is typed, keeps the fields nobody knows, and carries the request's id", () =>
      Effect.gen(function* () {
        const { client, log, upstream } = yield* setUp
        const body = {
          ...completion({ content: "Hé 👋", reasoning_content: "think", annotations: [] }),
          service_tier: "fast",
          x_vendor: { deep: [1, null, { ключ: "значение" }] }
        }
        upstream.script(says(body))
        const answer = yield* Effect.promise(() =>
          client.chat.completions.create({ model: "chat", messages })
        )
        const { _request_id, ...rest } = answer
        assert.deepStrictEqual(rest as object, body)
        assert.strictEqual(_request_id, log[0]?.["request_id"])
        assert.match(_request_id ?? "", /^req_\w+$/)
      })
    )

    it.scopedLive("an answer's bytes come as the upstream wrote them", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        const body = `{ "id":"1", "choices":[ {"message":{"content":"\\u00e9"},"n":9007199254740993,"n":1.0} ],\r\n "x": 1e400}`
        upstream.script(sends(200, "application/json; charset=utf-8", body))
        const text = yield* Effect.promise(async () => {
          const response = await client.chat.completions.create({ model: "chat", messages }).asResponse()
          return await response.text()
        })
        assert.strictEqual(text, body)
      })
    )

    it.scopedLive("a request reaches the upstream byte for byte, but for its model", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        const request = (model: string) =>
          `{ "model" : "${model}",\n"messages":[{"role":"user","content":"\\u00e9 é 👋 \\"model\\":\\"chat\\""}],` +
          `"seed":9007199254740993,"temperature":1.0,"x":{"model":"chat","y":[1e400,{}]},"__proto__":{"a":-0}}`
        yield* Effect.promise(() =>
          client.post("/chat/completions", {
            body: request("chat"),
            headers: { "content-type": "application/json" }
          })
        )
        assert.strictEqual(upstream.received[0]?.body.toString(), request("model1"))
      })
    )

    it.scopedLive("fields nobody knows reach the upstream, nested and not in ASCII", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        const request = {
          messages,
          n: 2,
          reasoning_effort: "high" as const,
          metadata: { ключ: "値" },
          provider: { order: ["a", { b: [null, true] }] },
          chat_template_kwargs: { thinking: false }
        }
        yield* Effect.promise(() => client.chat.completions.create({ model: "chat", ...request }))
        assert.deepStrictEqual(asked(upstream.received[0]), { model: "model1", ...request })
      })
    )

    it.scopedLive("of the caller's headers nothing is sent on, and the key is the provider's", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        yield* Effect.promise(() =>
          client.chat.completions.create(
            { model: "chat", messages },
            { headers: { cookie: "a=b", "x-forwarded-for": "10.0.0.1", "openai-organization": "theirs" } }
          )
        )
        const headers = upstream.received[0]?.headers ?? {}
        assert.deepStrictEqual(Object.keys(headers).sort(), [
          "accept",
          "accept-encoding",
          "authorization",
          "connection",
          "content-length",
          "content-type",
          "host"
        ])
        assert.strictEqual(headers.authorization, "Bearer sk-upstream-1")
      })
    )

    it.scopedLive("tools and every form of tool_choice go up, calls of tools come down", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        const call = { id: "call_1", type: "function", function: { name: "add", arguments: '{"a":1}' } }
        upstream.script(says(completion({ content: null, tool_calls: [call] }, "tool_calls")))
        const choices: ReadonlyArray<ChatCompletionToolChoiceOption> = [
          "none",
          "auto",
          "required",
          { type: "function", function: { name: "add" } },
          {
            type: "allowed_tools",
            allowed_tools: { mode: "auto", tools: [{ type: "function", name: "add" }] }
          }
        ]
        for (const [index, tool_choice] of choices.entries()) {
          const request = { messages, tools: [add], tool_choice, parallel_tool_calls: false }
          const answer = yield* Effect.promise(() =>
            client.chat.completions.create({ model: "chat", ...request })
          )
          assert.deepStrictEqual(answer.choices[0]?.message.tool_calls as unknown, [call])
          assert.strictEqual(answer.choices[0]?.finish_reason, "tool_calls")
          assert.deepStrictEqual(asked(upstream.received[index]), { model: "model1", ...request })
        }
      })
    )

    it.scopedLive("a response format goes up, and parse reads what comes down", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        upstream.script(says(completion({ content: '{"name":"Zürich"}' })))
        const answer = yield* Effect.promise(() =>
          client.chat.completions.parse({ model: "chat", messages, response_format: city })
        )
        assert.deepStrictEqual(answer.choices[0]?.message.parsed as unknown, { name: "Zürich" })
        assert.deepStrictEqual(asked(upstream.received[0]).response_format, city)
      })
    )

    it.scopedLive("the headers say who served, whole and streamed", () =>
      Effect.gen(function* () {
        const { client, log } = yield* setUp
        const whole = yield* Effect.promise(() =>
          client.chat.completions.create({ model: "chat", messages }).withResponse()
        )
        const streamed = yield* Effect.promise(async () => {
          const answer = await client.chat.completions
            .create({ model: "chat", messages, stream: true })
            .withResponse()
          await gather(answer.data)
          return answer
        })
        yield* eventually(() => log.filter(({ message }) => message === "run").length === 2)
        const ids = log.filter(({ message }) => message === "run").map((line) => line["request_id"])
        for (const [index, { request_id, response }] of [whole, streamed].entries()) {
          const shown = (...names: ReadonlyArray<string>) => names.map((name) => response.headers.get(name))
          assert.deepStrictEqual(shown("x-understudy-tier", "x-understudy-model", "x-understudy-attempts"), [
            "tier1",
            "model1",
            "1"
          ])
          assert.deepStrictEqual(shown("x-request-id", "content-encoding"), [request_id, null])
          assert.strictEqual(request_id, ids[index])
          assert.deepStrictEqual(
            shown("content-type", "cache-control", "x-accel-buffering"),
            index === 0
              ? ["application/json", null, null]
              : ["text/event-stream", "no-cache, no-transform", "no"]
          )
        }
      })
    )

    it.scopedLive("models are the routes, in a list and one by one, with and without /v1", () =>
      Effect.gen(function* () {
        const { url } = yield* gateway(
          `${chat(["http://127.0.0.1:9"])}\n  a/b é?: { tiers: [{ name: t, provider: provider1, model: m }] }`
        )
        for (const base of [`${url}/v1`, url]) {
          const client = new Client({ baseURL: base, apiKey: "any", maxRetries: 0 })
          const models = yield* Effect.promise(() => gather(client.models.list()))
          assert.deepStrictEqual(
            models.map(({ id, object, owned_by }) => [id, object, owned_by]),
            [
              ["chat", "model", "understudy"],
              ["a/b é?", "model", "understudy"]
            ]
          )
          const model = yield* Effect.promise(() => client.models.retrieve("a/b é?"))
          assert.strictEqual(model.id, "a/b é?")
        }
      })
    )
  })
}
