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

/** Gives of texts as much as there is room for in so many bytes. */
const within = (maxBytes: number) => {
  let left = maxBytes
  return {
    isFull: () => left <= 0,
    take: (text: string): string => {
      const bytes = Utf8.encode(text)
      if (bytes.length <= left) {
        left -= bytes.length
        return text
      }
      const cut = Utf8.decode(bytes.subarray(0, left)).replace(/\uFFFD+$/, "")
      left = 0
      return cut
    }
  }
}

type Room = ReturnType<typeof within>

/** The messages of a request. */
export const asked = (request: unknown, maxBytes: number): ReadonlyArray<Message> => {
  const room = within(maxBytes)
  const { messages } = Json.asObject<"messages">(request) ?? {}
  const kept: Array<Message> = []
  for (const value of Json.asArray(messages)) {
    if (room.isFull()) break
    kept.push(messageOf(value, room))
  }
  return kept
}

const messageOf = (value: unknown, room: Room): Message => {
  const message = Json.asObject<"role" | "content" | "tool_calls" | "tool_call_id">(value) ?? {}
  const role = typeof message.role === "string" ? message.role : "user"
  if (role === "tool") {
    const response = asParts(message.content, room).map((part) => part["content"] ?? "")
    return {
      role,
      parts: [{ type: "tool_call_response", id: message.tool_call_id, response: response.join("") }]
    }
  }
  const calls = Json.asArray(message.tool_calls).map((call) => {
    const { function: named, id } = Json.asObject<"id" | "function">(call) ?? {}
    const { arguments: given, name } = Json.asObject<"name" | "arguments">(named) ?? {}
    return { type: "tool_call", id, name, arguments: room.take(Json.asText(given) ?? "") }
  })
  return { role, parts: [...asParts(message.content, room), ...calls] }
}

const asParts = (content: unknown, room: Room): ReadonlyArray<MessagePart> => {
  if (typeof content === "string") return [{ type: "text", content: room.take(content) }]
  return Json.asArray(content).map((value) => {
    const { text, type } = Json.asObject<"type" | "text">(value) ?? {}
    return typeof text === "string"
      ? { type: "text", content: room.take(text) }
      : { type: Json.asText(type) ?? "other" }
  })
}

/** A reply as messages. */
export const answered = (
  { finishReason = "error", reasoning, refusal, text, toolCalls }: Reply,
  maxBytes: number
): ReadonlyArray<Message> => {
  const room = within(maxBytes)
  const said = [
    ["reasoning", reasoning],
    ["text", text],
    ["refusal", refusal]
  ] as const
  return [
    {
      role: "assistant",
      parts: [
        ...said.flatMap(([type, said]) => (said ? [{ type, content: room.take(said) }] : [])),
        ...toolCalls.map((call) => ({
          type: "tool_call",
          id: call.id,
          name: call.name,
          arguments: room.take(call.arguments)
        }))
      ],
      finish_reason: finishReason
    }
  ]
}
