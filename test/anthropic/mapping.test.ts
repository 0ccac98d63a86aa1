import Anthropic from "@anthropic-ai/sdk"
import type { MessageCreateParamsNonStreaming } from "@anthropic-ai/sdk/resources/messages"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ChatCompletionCreateParamsNonStreaming } from "openai7/resources/chat/completions"
import { message, says, text, through } from "../support/anthropic.ts"
import { clients } from "../support/clients.ts"
import { gateway } from "../support/gateway.ts"
import { wall } from "../support/wall.ts"

/** What `2023-06-01` has and the client's own version has no more. */
interface Sampling {
  readonly temperature?: number
  readonly top_p?: number
}

/** A request as OpenAI types it, and the same as Anthropic does. */
interface Pair {
  readonly openai: Omit<ChatCompletionCreateParamsNonStreaming, "model">
  readonly anthropic: Omit<MessageCreateParamsNonStreaming, "model"> & Sampling
}

const png = "iVBORw0KGgo="
const schema = {
  type: "object",
  properties: { city: { type: "string" } },
  additionalProperties: false
} as const

const pairs: Readonly<Record<string, Pair>> = {
  "a conversation with settings": {
    openai: {
      max_completion_tokens: 1024,
      temperature: 0.2,
      top_p: 0.9,
      stop: ["END"],
      user: "u-1",
      reasoning_effort: "high",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "developer", content: [{ type: "text", text: "Be kind." }] },
        { role: "user", content: "Grüße 👋" },
        { role: "assistant", content: "Hello." },
        { role: "user", content: "What is up?" },
        { role: "system", content: "Now in French." }
      ]
    },
    anthropic: {
      max_tokens: 1024,
      temperature: 0.2,
      top_p: 0.9,
      stop_sequences: ["END"],
      metadata: { user_id: "u-1" },
      output_config: { effort: "high" },
      system: [
        { type: "text", text: "Be brief." },
        { type: "text", text: "Be kind." }
      ],
      messages: [
        { role: "user", content: [{ type: "text", text: "Grüße 👋" }] },
        { role: "assistant", content: [{ type: "text", text: "Hello." }] },
        { role: "user", content: [{ type: "text", text: "What is up?" }] },
        { role: "system", content: [{ type: "text", text: "Now in French." }] }
      ]
    }
  },
  "images and a PDF": {
    openai: {
      max_tokens: 1024,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${png}`, detail: "high" } },
            { type: "image_url", image_url: { url: "https://a.example/b.jpg" } },
            { type: "file", file: { file_data: "data:application/pdf;base64,JVBERi0=", filename: "a.pdf" } }
          ]
        }
      ]
    },
    anthropic: {
      max_tokens: 1024,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "image", source: { type: "base64", media_type: "image/png", data: png } },
            { type: "image", source: { type: "url", url: "https://a.example/b.jpg" } },
            {
              type: "document",
              source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" },
              title: "a.pdf"
            }
          ]
        }
      ]
    }
  },
  "tools, their calls and results": {
    openai: {
      max_tokens: 1024,
      tools: [
        {
          type: "function",
          function: { name: "weather", description: "Tells it.", parameters: schema, strict: true }
        },
        { type: "function", function: { name: "now" } }
      ],
      tool_choice: { type: "function", function: { name: "weather" } },
      parallel_tool_calls: false,
      messages: [
        { role: "user", content: "Weather?" },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            { id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"Zürich"}' } },
            { id: "call_2", type: "function", function: { name: "now", arguments: "{}" } }
          ]
        },
        { role: "tool", tool_call_id: "call_1", content: "Rain." },
        { role: "tool", tool_call_id: "call_2", content: [{ type: "text", text: "Noon." }] },
        { role: "user", content: "And?" }
      ]
    },
    anthropic: {
      max_tokens: 1024,
      tools: [
        { name: "weather", description: "Tells it.", input_schema: { ...schema }, strict: true },
        { name: "now", input_schema: { type: "object", properties: {} } }
      ],
      tool_choice: { type: "tool", name: "weather", disable_parallel_tool_use: true },
      messages: [
        { role: "user", content: [{ type: "text", text: "Weather?" }] },
        {
          role: "assistant",
          content: [
            { type: "tool_use", id: "call_1", name: "weather", input: { city: "Zürich" } },
            { type: "tool_use", id: "call_2", name: "now", input: {} }
          ]
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "call_1", content: [{ type: "text", text: "Rain." }] },
            { type: "tool_result", tool_use_id: "call_2", content: [{ type: "text", text: "Noon." }] },
            { type: "text", text: "And?" }
          ]
        }
      ]
    }
  },
  "an answer in a schema": {
    openai: {
      max_tokens: 1024,
      reasoning_effort: "none",
      response_format: { type: "json_schema", json_schema: { name: "city", strict: true, schema } },
      messages: [{ role: "user", content: "A city." }]
    },
    anthropic: {
      max_tokens: 1024,
      thinking: { type: "disabled" },
      output_config: { format: { type: "json_schema", schema } },
      messages: [{ role: "user", content: [{ type: "text", text: "A city." }] }]
    }
  }
}

describe("a request of OpenAI's client is, at Anthropic, the one of its own client", () => {
  for (const [name, { anthropic, openai }] of Object.entries(pairs)) {
    it.scopedLive(name, () =>
      Effect.gen(function* () {
        const upstream = yield* wall
        upstream.script(says(message([text("Hi")])))
        const baseURL = upstream.url.replace(/\/v1$/, "")
        const own = new Anthropic({ baseURL, apiKey: "sk-ant", authToken: null, maxRetries: 0 })
        yield* Effect.promise(() => own.messages.create({ model: "claude", ...anthropic }))
        const { url } = yield* gateway(through([["anthropic", upstream.url]]))
        for (const [, Client] of clients) {
          const client = new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 })
          yield* Effect.promise(() => client.chat.completions.create({ model: "chat", ...openai }))
        }
        const [theirs, ...ours] = upstream.received.map(({ body }) => JSON.parse(body.toString()))
        assert.deepStrictEqual(theirs, { model: "claude", ...anthropic })
        assert.deepStrictEqual(ours, [theirs, theirs])
      })
    )
  }
})
