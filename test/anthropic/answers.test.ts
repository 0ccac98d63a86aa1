import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ChatCompletionMessageToolCall } from "openai7/resources/chat/completions"
import { message, says, text, thinking, through, toolUse } from "../support/anthropic.ts"
import { clients, gather } from "../support/clients.ts"
import { gateway } from "../support/gateway.ts"
import { wall } from "../support/wall.ts"

const messages = [{ role: "user" as const, content: "Hi" }]
const tools = ["add", "now"].map(
  (name) => ({ type: "function", function: { name, parameters: { type: "object" } } }) as const
)
const said = message(
  [
    thinking,
    text("Let me "),
    text("see."),
    toolUse("toolu_1", "add", { a: 1, b: ["é", null] }),
    toolUse("toolu_2", "now", {})
  ],
  { stop_reason: "tool_use" }
)

const usage = {
  prompt_tokens: 3210,
  completion_tokens: 7,
  total_tokens: 3217,
  prompt_tokens_details: { cached_tokens: 200, cache_write_tokens: 3000 },
  completion_tokens_details: { reasoning_tokens: 4 }
}

const calls = [
  ["toolu_1", "add", '{"a":1,"b":["é",null]}'],
  ["toolu_2", "now", "{}"]
]

const callsOf = (calls: ReadonlyArray<ChatCompletionMessageToolCall> = []) =>
  calls.map((call) =>
    call.type === "function" ? [call.id, call.function.name, call.function.arguments] : call
  )

for (const [name, Client] of clients) {
  describe(`${name}: Anthropic's answers behind the gateway`, () => {
    const setUp = Effect.gen(function* () {
      const upstream = yield* wall
      const { log, url } = yield* gateway(through([["anthropic", upstream.url]]))
      return { client: new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 }), log, upstream }
    })

    it.scopedLive("a whole answer, with calls and usage", () =>
      Effect.gen(function* () {
        const { client, log, upstream } = yield* setUp
        upstream.script(says(said))
        const { data, response } = yield* Effect.promise(() =>
          client.chat.completions.create({ model: "chat", messages, tools }).withResponse()
        )
        const [choice] = data.choices
        assert.deepStrictEqual(
          [data.id, data.model, data.object],
          ["msg_01", "claude-1-20260101", "chat.completion"]
        )
        assert.deepStrictEqual(
          [choice?.message.content, choice?.finish_reason],
          ["Let me see.", "tool_calls"]
        )
        assert.deepStrictEqual(callsOf(choice?.message.tool_calls), calls)
        assert.deepStrictEqual(data.usage as object, usage)
        assert.strictEqual(response.headers.get("x-understudy-model"), "claude")
        assert.deepStrictEqual(
          log.map((line) => [line.message, line["outcome"], line["provider"]]),
          [
            ["attempt", "success", "anthropic0"],
            ["run", "success", "anthropic0"]
          ]
        )
      })
    )

    it.scopedLive("a streamed one is the same, put together by the client's own helper", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        upstream.script(says(said))
        const { chunks, final } = yield* Effect.promise(async () => {
          const runner = client.chat.completions.stream({
            model: "chat",
            messages,
            tools,
            stream_options: { include_usage: true }
          })
          const chunks = await gather(runner)
          return { chunks, final: await runner.finalChatCompletion() }
        })
        assert.strictEqual(chunks[0]?.choices[0]?.delta.role, "assistant")
        assert.deepStrictEqual(chunks.at(-1)?.choices, [])
        const [choice] = final.choices
        assert.deepStrictEqual(
          [choice?.message.content, choice?.finish_reason],
          ["Let me see.", "tool_calls"]
        )
        assert.deepStrictEqual(callsOf(choice?.message.tool_calls), calls)
        assert.deepStrictEqual(final.usage as object, usage)
      })
    )

    it.scopedLive("usage of a stream is for who asks", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        upstream.script(says(message([text("Hi")])))
        const chunks = yield* Effect.promise(async () =>
          gather(await client.chat.completions.create({ model: "chat", messages, stream: true }))
        )
        assert.isTrue(chunks.every((chunk) => chunk.choices.length === 1 && chunk.usage === undefined))
        assert.strictEqual(chunks.at(-1)?.choices[0]?.finish_reason, "stop")
      })
    )

    it.scopedLive("the answer and its results go back as Anthropic gave and wants them", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        upstream.script(says(said), says(message([text("Done.")])))
        const first = yield* Effect.promise(() =>
          client.chat.completions.create({ model: "chat", messages, tools })
        )
        const answered = first.choices[0]!.message
        const results = (answered.tool_calls ?? []).map(
          ({ id }) => ({ role: "tool", tool_call_id: id, content: id }) as const
        )
        yield* Effect.promise(() =>
          client.chat.completions.create({
            model: "chat",
            messages: [...messages, answered, ...results],
            tools
          })
        )
        const [, assistant, user] = JSON.parse(upstream.received[1]!.body.toString()).messages
        assert.deepStrictEqual(
          assistant.content.slice(1),
          said.content.flatMap((block) =>
            block.type === "tool_use"
              ? [{ type: block.type, id: block.id, name: block.name, input: block.input }]
              : []
          )
        )
        assert.deepStrictEqual(
          user.content.map((block: { tool_use_id: string }) => block.tool_use_id),
          ["toolu_1", "toolu_2"]
        )
      })
    )

    it.scopedLive("an answer in a schema is parsed", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        upstream.script(says(message([text('{"name":'), text('"Zürich"}')])))
        const schema = { type: "object", properties: { name: { type: "string" } } }
        const answer = yield* Effect.promise(() =>
          client.chat.completions.parse({
            model: "chat",
            messages,
            response_format: { type: "json_schema", json_schema: { name: "city", schema } }
          })
        )
        assert.deepStrictEqual(answer.choices[0]?.message.parsed as unknown, { name: "Zürich" })
      })
    )
    it.scopedLive("nothing of the caller's headers goes there, and the key is the provider's alone", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        upstream.script(says(message([text("Hi")])))
        const headers = {
          cookie: "a=b",
          "anthropic-beta": "theirs",
          "x-api-key": "theirs",
          traceparent: "00-0-0-01"
        }
        yield* Effect.promise(() => client.chat.completions.create({ model: "chat", messages }, { headers }))
        const seen = upstream.received[0]!.headers
        assert.deepStrictEqual(Object.keys(seen).sort(), [
          "accept",
          "accept-encoding",
          "anthropic-version",
          "connection",
          "content-length",
          "content-type",
          "host",
          "x-api-key"
        ])
        assert.deepStrictEqual([seen["x-api-key"], seen["anthropic-version"]], ["sk-anthropic", "2023-06-01"])
      })
    )
  })
}
