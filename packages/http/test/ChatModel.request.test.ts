import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import type { ChatModel } from "../src/index.ts"
import { hi, says, scripted, stop, streams } from "./chatModels.ts"

/** What the provider is sent for a request, but for the model. */
const sent = (request: ChatModel.Request) =>
  Effect.gen(function* () {
    const { asked, chat } = scripted({ large: [says({ content: "Hi" })] })
    yield* (yield* chat).complete(request)
    const { model, ...rest } = asked[0] ?? {}
    assert.strictEqual(model, "large")
    return rest
  })

const messages = [{ role: "user", content: "Hi" }]

interface Tree {
  readonly branches: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  branches: Schema.Array(Schema.suspend((): Schema.Schema<Tree> => Tree))
}).annotations({ identifier: "Tree" })

class City extends Schema.Class<City>("City")({ name: Schema.String }) {}
class Weather extends Schema.Class<Weather>("Weather")({
  city: City,
  degrees: Schema.NumberFromString.annotations({ description: "how warm" })
}) {}

const object = (properties: object) => ({
  type: "object",
  required: Object.keys(properties),
  properties,
  additionalProperties: false
})
const tree = object({ branches: { type: "array", items: { $ref: "#/$defs/Tree" } } })
const weather = object({
  city: object({ name: { type: "string" } }),
  degrees: { type: "string", description: "how warm" }
})

describe("ChatModel: what is asked", () => {
  it.effect("nothing but what was said", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* sent(hi), { messages })
      const nothing = { tools: [], extra: {}, temperature: undefined }
      assert.deepStrictEqual(yield* sent({ ...hi, ...nothing }), { messages })
    })
  )

  it.effect("messages of every role", () =>
    Effect.gen(function* () {
      const call = { id: "c1", name: "weather", arguments: "{}" }
      const { messages } = yield* sent({
        messages: [
          { role: "system", content: "Be brief." },
          { role: "developer", content: "Be kind.", extra: { name: "dev" } },
          { role: "user", content: "Hi", extra: { cache_control: { type: "ephemeral" } } },
          { role: "assistant", toolCalls: [{ ...call, extra: { extra_content: { signature: "s" } } }] },
          { role: "tool", toolCallId: "c1", content: "sunny" },
          { role: "assistant", content: "It is sunny.", toolCalls: [], extra: { refusal: null } }
        ]
      })
      assert.deepStrictEqual(messages, [
        { role: "system", content: "Be brief." },
        { role: "developer", content: "Be kind.", name: "dev" },
        { role: "user", content: "Hi", cache_control: { type: "ephemeral" } },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            {
              id: "c1",
              type: "function",
              function: { name: "weather", arguments: "{}" },
              extra_content: { signature: "s" }
            }
          ]
        },
        { role: "tool", tool_call_id: "c1", content: "sunny" },
        { role: "assistant", content: "It is sunny.", refusal: null }
      ])
    })
  )

  it.effect("a user's parts, data as base64", () =>
    Effect.gen(function* () {
      const data = new Uint8Array([0, 1, 254])
      const raw = { type: "video_url", video_url: { url: "https://a.example/v.mp4" } }
      const { messages } = yield* sent({
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "What is this?" },
              { type: "image", url: "https://a.example/cat.png", detail: "low" },
              { type: "image", data, mediaType: "image/png" },
              { type: "audio", data, format: "wav" },
              { type: "file", data, mediaType: "application/pdf", name: "a.pdf" },
              { type: "raw", part: raw }
            ]
          }
        ]
      })
      assert.deepStrictEqual(messages, [
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "image_url", image_url: { url: "https://a.example/cat.png", detail: "low" } },
            { type: "image_url", image_url: { url: "data:image/png;base64,AAH+" } },
            { type: "input_audio", input_audio: { data: "AAH+", format: "wav" } },
            { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,AAH+" } },
            raw
          ]
        }
      ])
    })
  )

  it.effect("tools whose parameters are a Schema, a JSON Schema or none", () =>
    Effect.gen(function* () {
      const parameters = { type: "object", properties: {} }
      const { tools } = yield* sent({
        ...hi,
        tools: [
          { name: "report", description: "Reports.", parameters: Weather, strict: true },
          { name: "grow", parameters: Tree },
          { name: "ask", parameters },
          { name: "stop" }
        ]
      })
      assert.deepStrictEqual(tools, [
        {
          type: "function",
          function: { name: "report", description: "Reports.", parameters: weather, strict: true }
        },
        { type: "function", function: { name: "grow", parameters: { ...tree, $defs: { Tree: tree } } } },
        { type: "function", function: { name: "ask", parameters } },
        { type: "function", function: { name: "stop" } }
      ])
    })
  )

  it.effect("which tools to call", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* sent({ ...hi, toolChoice: "required", parallelToolCalls: false }), {
        messages,
        tool_choice: "required",
        parallel_tool_calls: false
      })
      const { tool_choice } = yield* sent({ ...hi, toolChoice: { name: "report" } })
      assert.deepStrictEqual(tool_choice, { type: "function", function: { name: "report" } })
    })
  )

  it.effect("the form of the answer", () =>
    Effect.gen(function* () {
      const format = (responseFormat: ChatModel.ResponseFormat) =>
        Effect.map(sent({ ...hi, responseFormat }), ({ response_format }) => response_format)
      const schema = { type: "object" }
      assert.deepStrictEqual(yield* format("text"), { type: "text" })
      assert.deepStrictEqual(yield* format("json"), { type: "json_object" })
      assert.deepStrictEqual(yield* format({ name: "a", schema }), {
        type: "json_schema",
        json_schema: { name: "a", schema, strict: true }
      })
      assert.deepStrictEqual(yield* format({ name: "a", description: "b", schema: Weather, strict: false }), {
        type: "json_schema",
        json_schema: { name: "a", description: "b", schema: weather, strict: false }
      })
    })
  )

  it.effect("no schema that makes no JSON Schema: it is named, with what it lacks and where", () =>
    Effect.gen(function* () {
      const Nameless: Schema.Schema<Tree> = Schema.Struct({
        branches: Schema.Array(Schema.suspend(() => Nameless))
      })
      const { asked, chat } = scripted({ large: [] })
      const { complete, completeObject, stream } = yield* chat
      const tools = [{ name: "hi" }, { name: "plant", parameters: Nameless }]
      const lacks =
        'at path: ["branches"]\ndetails: Generating a JSON Schema for this schema requires an "identifier"'
      for (const [ask, named] of [
        [completeObject({ ...hi, schema: Nameless }), 'the answer "answer"'],
        [complete({ ...hi, tools }), 'the tool "plant"'],
        [Stream.runDrain(stream({ ...hi, tools })), 'the tool "plant"']
      ] as const) {
        const defect = yield* Effect.flip(Effect.sandbox(ask))
        assert.include(String(defect), `RangeError: ChatModel: the schema of ${named} makes no JSON Schema: `)
        assert.include(String(defect), lacks)
      }
      assert.deepStrictEqual(asked, [])
    })
  )

  it.effect("how to sample, and over all of it what a vendor understands", () =>
    Effect.gen(function* () {
      const request: ChatModel.Request = {
        ...hi,
        temperature: 0,
        topP: 0.9,
        maxTokens: 100,
        stop: ["\n"],
        seed: 7,
        frequencyPenalty: 0.1,
        presencePenalty: 0.2,
        reasoningEffort: "low",
        extra: { top_k: 40, max_completion_tokens: undefined, max_tokens: 100, stream: true, temperature: 1 }
      }
      assert.deepStrictEqual(yield* sent(request), {
        messages,
        temperature: 1,
        top_p: 0.9,
        stop: ["\n"],
        seed: 7,
        frequency_penalty: 0.1,
        presence_penalty: 0.2,
        reasoning_effort: "low",
        top_k: 40,
        max_tokens: 100
      })
      assert.strictEqual((yield* sent({ ...hi, maxTokens: 100 }))["max_completion_tokens"], 100)
    })
  )

  it.effect("of a stream its usage too, unless the vendor's words are others", () =>
    Effect.gen(function* () {
      const { asked, chat } = scripted({ large: [streams(stop)] })
      const { stream } = yield* chat
      yield* Stream.runDrain(stream(hi))
      yield* Stream.runDrain(stream({ ...hi, extra: { stream_options: undefined } }))
      assert.deepStrictEqual(asked, [
        { model: "large", messages, stream: true, stream_options: { include_usage: true } },
        { model: "large", messages, stream: true }
      ])
    })
  )
})
