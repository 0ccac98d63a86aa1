import type {
  ContentBlock,
  Message,
  RawContentBlockDelta,
  RawMessageStreamEvent,
  Usage
} from "@anthropic-ai/sdk/resources/messages"
import { type Behaviour, type Piece, raw, sends, stream } from "./wall.ts"

/** One route `chat` whose tiers are asked in this order: `anthropic`, with model `claude`, or `openai`. */
export const through = (
  urls: ReadonlyArray<readonly [kind: "anthropic" | "openai", url: string]>,
  more: { readonly provider?: string; readonly tier?: string } = {}
): string =>
  [
    "server: { drain: 1s }",
    "providers:",
    ...urls.map(
      ([kind, url], index) =>
        `  ${kind}${index}: { kind: ${kind}, baseUrl: "${url}", apiKey: sk-${kind}, ${more.provider ?? ""} }`
    ),
    "routes:",
    "  chat:",
    "    tiers:",
    ...urls.map(([kind], index) => {
      const model = kind === "anthropic" ? "claude" : "gpt"
      return `      - { name: ${kind}${index}, provider: ${kind}${index}, model: ${model}, ${more.tier ?? ""} }`
    })
  ].join("\n")

const usage: Usage = {
  input_tokens: 10,
  cache_read_input_tokens: 200,
  cache_creation_input_tokens: 3000,
  cache_creation: null,
  output_tokens: 7,
  output_tokens_details: { thinking_tokens: 4 },
  inference_geo: null,
  server_tool_use: null,
  service_tier: "standard",
  speed: null
}

export const text = (text: string): ContentBlock => ({ type: "text", text, citations: null })

export const toolUse = (id: string, name: string, input: unknown): ContentBlock => ({
  type: "tool_use",
  id,
  name,
  input,
  caller: { type: "direct" }
})

export const thinking: ContentBlock = { type: "thinking", thinking: "Let me see.", signature: "c2ln" }

export const message = (content: Array<ContentBlock>, fields: Partial<Message> = {}): Message => ({
  id: "msg_01",
  type: "message",
  role: "assistant",
  model: "claude-1-20260101",
  content,
  container: null,
  diagnostics: null,
  stop_details: null,
  stop_reason: "end_turn",
  stop_sequence: null,
  usage,
  ...fields
})

const pieces = (text: string): ReadonlyArray<string> => text.match(/.{1,3}/gsu) ?? []

const begun = (block: ContentBlock): ContentBlock => {
  switch (block.type) {
    case "text":
      return { ...block, text: "" }
    case "thinking":
      return { ...block, thinking: "", signature: "" }
    case "tool_use":
      return { ...block, input: {} }
    default:
      return block
  }
}

const deltas = (block: ContentBlock): ReadonlyArray<RawContentBlockDelta> => {
  switch (block.type) {
    case "text":
      return pieces(block.text).map((text) => ({ type: "text_delta", text }))
    case "thinking":
      return [
        ...pieces(block.thinking).map((thinking) => ({ type: "thinking_delta", thinking }) as const),
        { type: "signature_delta", signature: block.signature }
      ]
    case "tool_use":
      return pieces(JSON.stringify(block.input)).map((partial_json) => ({
        type: "input_json_delta",
        partial_json
      }))
    default:
      return []
  }
}

/** The events in which Anthropic streams a message. */
export const eventsOf = (message: Message): ReadonlyArray<RawMessageStreamEvent> => {
  const { container, stop_details, stop_reason, stop_sequence, usage } = message
  return [
    {
      type: "message_start",
      message: {
        ...message,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { ...usage, output_tokens: 1 }
      }
    },
    ...message.content.flatMap(
      (content_block, index): ReadonlyArray<RawMessageStreamEvent> => [
        { type: "content_block_start", index, content_block: begun(content_block) },
        ...deltas(content_block).map((delta) => ({ type: "content_block_delta", index, delta }) as const),
        { type: "content_block_stop", index }
      ]
    ),
    {
      type: "message_delta",
      delta: { container, stop_details, stop_reason, stop_sequence },
      usage
    },
    { type: "message_stop" }
  ]
}

export const piece = (event: { readonly type: string }): Piece =>
  raw(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)

export const ping: Piece = piece({ type: "ping" })

export const errorEvent = (type: string): Piece =>
  piece({ type: "error", error: { type, message: "scripted" } } as { type: string })

/** A message, whole or in its events, as it is asked for. */
export const says =
  (message: Message): Behaviour =>
  (response, received) =>
    JSON.parse(received.body.toString()).stream === true
      ? stream([ping, ...eventsOf(message).map(piece)], "eof")(response, received)
      : sends(200, "application/json", JSON.stringify(message))(response, received)

/** An error in Anthropic's envelope. */
export const fails = (status: number, type: string, message = "scripted"): Behaviour =>
  sends(
    status,
    "application/json",
    JSON.stringify({ type: "error", error: { type, message }, request_id: "req_1" })
  )
