import * as Sse from "../../Sse.ts"
import { concat } from "../bytes/bytes.ts"
import * as Json from "../bytes/json.ts"
import * as RawJson from "../bytes/rawJson.ts"
import * as Utf8 from "../bytes/utf8.ts"
import type { Facts } from "../provider/genAi.ts"
import { type ChatReader, malformed, nothing, type Piece, part, type Read } from "../stream/chatStream.ts"
import { addTokens, finishReason, noTokens, openAiUsage, type Tokens, usageOf } from "./answer.ts"

/** A block that is open. */
interface Block {
  /** For a call, its index among the calls. */
  readonly call: number | undefined
  /** The part of a call's input that has not been emitted: the initial input, unless it comes in pieces. */
  input: string
}

/**
 * Translates Anthropic's events into OpenAI's chunks; `created` is in seconds. Thinking is left out, and so are unknown
 * kinds of events, blocks and deltas, which the API may add.
 */
export const messageReader = (options: {
  readonly created: number
  readonly includeUsage: boolean
}): ChatReader => {
  const blocks = new Map<unknown, Block>()
  let head: { readonly id: string; readonly model: string } | undefined
  let calls = 0
  let tokens: Tokens = noTokens
  let finished: string | undefined

  const chunk = (choices: ReadonlyArray<object>, usage: object | null = null): Uint8Array =>
    Sse.data(
      JSON.stringify({
        ...head,
        object: "chat.completion.chunk",
        created: options.created,
        choices,
        ...(options.includeUsage && { usage })
      })
    )

  const delta = (delta: object, finish_reason: string | null = null): Uint8Array =>
    chunk([{ index: 0, delta, logprobs: null, finish_reason }])

  const content = (text: unknown): Read =>
    typeof text !== "string" ? malformed : text === "" ? nothing : part(delta({ content: text }), true)

  const toolCall = (index: number, call: object): Read =>
    part(delta({ tool_calls: [{ index, ...call }] }), true)

  const toolInput = ({ call }: Block, text: string): Read =>
    call === undefined || text === "" ? nothing : toolCall(call, { function: { arguments: text } })

  const finish = (stopReason: unknown): Piece => {
    finished = finishReason(stopReason)
    const end = delta({}, finished)
    const usage = usageOf(tokens)
    const bytes = options.includeUsage && usage ? concat([end, chunk([], openAiUsage(tokens))]) : end
    return part(bytes, true, usage)
  }

  const start = (value: unknown): Read => {
    const message = Json.asObject<"id" | "model" | "usage">(value)
    if (message === undefined || head !== undefined) return malformed
    head = { id: Json.asText(message.id) ?? "", model: Json.asText(message.model) ?? "" }
    tokens = addTokens(tokens, message.usage)
    return part(delta({ role: "assistant", content: "" }), false, usageOf(tokens))
  }

  const startBlock = (index: unknown, value: unknown, data: string): Read => {
    const block = Json.asObject<"type" | "id" | "name" | "text">(value)
    if (block === undefined) return malformed
    if (block.type !== "tool_use") {
      blocks.set(index, { call: undefined, input: "" })
      return block.type === "text" ? content(block.text ?? "") : nothing
    }
    const { id, name } = block
    if (typeof id !== "string" || typeof name !== "string") return malformed
    const call = calls++
    blocks.set(index, { call, input: inputIn(data) ?? "{}" })
    return toolCall(call, { id, type: "function", function: { name, arguments: "" } })
  }

  const addToBlock = (index: unknown, value: unknown): Read => {
    const block = blocks.get(index)
    const piece = Json.asObject<"type" | "text" | "partial_json">(value)
    if (block === undefined || piece === undefined) return malformed
    if (piece.type === "text_delta") return content(piece.text)
    if (piece.type !== "input_json_delta") return nothing
    if (typeof piece.partial_json !== "string") return malformed
    if (piece.partial_json !== "") block.input = ""
    return toolInput(block, piece.partial_json)
  }

  /** A call without arguments is `{}` for OpenAI and empty for Anthropic. */
  const endBlock = (index: unknown): Read => {
    const block = blocks.get(index)
    if (block === undefined) return malformed
    blocks.delete(index)
    return toolInput(block, block.input)
  }

  const change = (value: unknown, usage: unknown): Read => {
    const { stop_reason } = Json.asObject<"stop_reason">(value) ?? {}
    tokens = addTokens(tokens, usage)
    return finished !== undefined || !Json.isGiven(stop_reason) ? nothing : finish(stop_reason)
  }

  const read = ({ data, event }: Sse.Event): Read => {
    if (data === undefined) return nothing
    const message = Json.asObject<
      "type" | "message" | "index" | "content_block" | "delta" | "usage" | "error"
    >(Json.parse(data))
    if (event === "error" || message?.type === "error" || Json.isGiven(message?.error))
      return { _tag: "ErrorEvent", body: data }
    if (message === undefined || (head === undefined && needsHead.has(message.type))) return malformed
    switch (message.type) {
      case "message_start":
        return start(message.message)
      case "content_block_start":
        return startBlock(message.index, message.content_block, data)
      case "content_block_delta":
        return addToBlock(message.index, message.delta)
      case "content_block_stop":
        return endBlock(message.index)
      case "message_delta":
        return change(message.delta, message.usage)
      case "message_stop":
        return { _tag: "End", last: finished === undefined ? finish(undefined) : undefined }
      case "ping":
        return part(keepAlive)
      default:
        return nothing
    }
  }

  const isWhole = (): boolean => finished !== undefined
  const facts = (): Facts => ({
    id: Json.asText(head?.id),
    model: Json.asText(head?.model),
    finishReasons: head === undefined ? [] : [finished ?? "error"],
    usage: usageOf(tokens)
  })
  return { read, isWhole, hasAll: isWhole, facts }
}

const needsHead: ReadonlySet<unknown> = new Set([
  "content_block_start",
  "content_block_delta",
  "content_block_stop",
  "message_delta",
  "message_stop"
])

const keepAlive = Sse.comment("ping")

/** Verbatim, to preserve its numbers. */
const inputIn = (event: string): RawJson.Text | undefined =>
  RawJson.written(RawJson.at(Utf8.encode(event), "content_block", "input"))
