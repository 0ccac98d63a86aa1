import * as Json from "../bytes/json.ts"
import * as Utf8 from "../bytes/utf8.ts"
import type { Reply } from "./reply.ts"

// The shapes are those of OpenTelemetry's conventions for generative AI: messages of parts.

type MessagePart = Readonly<Record<string, unknown>>

interface Message {
  readonly role: string
  readonly parts: ReadonlyArray<MessagePart>
  readonly finish_reason?: string
}

/** The bytes charged for a message or a part, about the size of the JSON around its text. */
const each = 32

// A bound on names, whatever callers and models send.
const maxName = 128

/** A budget of bytes for messages, parts and texts; texts are cut to what is left. */
const within = (maxBytes: number) => {
  let left = maxBytes
  const take = (text: string): string => {
    const bytes = Utf8.encode(text)
    if (bytes.length <= left) {
      left -= bytes.length
      return text
    }
    const cut = Utf8.decode(bytes.subarray(0, left)).replace(/\uFFFD+$/, "")
    left = 0
    return cut
  }
  return {
    take,
    /** For text values only. */
    name: (value: unknown): string | undefined => {
      const name = Json.asText(value)
      return name && take(name.slice(0, maxName))
    },
    /** As many items as fit. */
    each: <A, B>(values: ReadonlyArray<A>, of: (value: A) => B): ReadonlyArray<B> => {
      const kept: Array<B> = []
      for (const value of values) {
        if (left <= each) left = 0
        if (left === 0) break
        left -= each
        kept.push(of(value))
      }
      return kept
    }
  }
}

type Room = ReturnType<typeof within>

/** The messages of a request. */
export const asked = (request: unknown, maxBytes: number): ReadonlyArray<Message> => {
  const room = within(maxBytes)
  const { messages } = Json.asObject<"messages">(request) ?? {}
  return room.each(Json.asArray(messages), (value) => messageOf(value, room))
}

const messageOf = (value: unknown, room: Room): Message => {
  const message = Json.asObject<"role" | "content" | "tool_calls" | "tool_call_id">(value) ?? {}
  const role = room.name(message.role) ?? "user"
  if (role === "tool") {
    const id = room.name(message.tool_call_id)
    const response = asParts(message.content, room).map((part) => part["content"] ?? "")
    return { role, parts: [{ type: "tool_call_response", id, response: response.join("") }] }
  }
  const said = asParts(message.content, room)
  const calls = room.each(Json.asArray(message.tool_calls), (call) => {
    const { function: named, id } = Json.asObject<"id" | "function">(call) ?? {}
    const { arguments: given, name } = Json.asObject<"name" | "arguments">(named) ?? {}
    return toolCall(room, { id, name, arguments: Json.asText(given) ?? "" })
  })
  return { role, parts: [...said, ...calls] }
}

const asParts = (content: unknown, room: Room): ReadonlyArray<MessagePart> =>
  room.each(typeof content === "string" ? [{ text: content }] : Json.asArray(content), (value) => {
    const { text, type } = Json.asObject<"type" | "text">(value) ?? {}
    return typeof text === "string"
      ? { type: "text", content: room.take(text) }
      : { type: room.name(type) ?? "other" }
  })

const toolCall = (
  room: Room,
  call: { readonly id: unknown; readonly name: unknown; readonly arguments: string }
): MessagePart => ({
  type: "tool_call",
  id: room.name(call.id),
  name: room.name(call.name),
  arguments: room.take(call.arguments)
})

/** A reply as messages. */
export const answered = (
  { finishReason = "error", reasoning, refusal, text, toolCalls }: Reply,
  maxBytes: number
): ReadonlyArray<Message> => {
  const room = within(maxBytes)
  const said = [
    { type: "reasoning", text: reasoning ?? "" },
    { type: "text", text },
    { type: "refusal", text: refusal ?? "" }
  ].filter(({ text }) => text !== "")
  return room.each(["assistant"], (role) => ({
    role,
    parts: [
      ...room.each(said, ({ text, type }) => ({ type, content: room.take(text) })),
      ...room.each(toolCalls, (call) => toolCall(room, call))
    ],
    finish_reason: finishReason.slice(0, maxName)
  }))
}
