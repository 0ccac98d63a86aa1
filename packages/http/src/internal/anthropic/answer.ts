import type { Usage } from "../../ChatCompletion.ts"
import * as Json from "../bytes/json.ts"
import * as RawJson from "../bytes/rawJson.ts"
import * as Utf8 from "../bytes/utf8.ts"
import { count, detailed } from "../provider/choice.ts"
import type { Whole } from "../provider/dialect.ts"

/** Translates Anthropic's message into OpenAI's completion; `created` is in seconds. */
export const readMessage = (body: Uint8Array, created: number): Whole => {
  const text = Utf8.withoutMark(Utf8.decode(body))
  const message = Json.asObject<"id" | "model" | "content" | "stop_reason" | "usage" | "type" | "error">(
    Json.parse(text)
  )
  if (message?.type === "error" || Json.isGiven(message?.error)) return { _tag: "Error", body: text }
  if (message === undefined || !Array.isArray(message.content)) return { _tag: "Malformed" }
  const said = sayings(message.content, RawJson.items(RawJson.at(Utf8.encode(text), "content")))
  if (said === undefined) return { _tag: "Malformed" }
  const tokens = addTokens(noTokens, message.usage)
  const usage = usageOf(tokens)
  const finish_reason = finishReason(message.stop_reason)
  const completion = {
    id: Json.asText(message.id) ?? "",
    object: "chat.completion",
    created,
    model: Json.asText(message.model) ?? "",
    choices: [
      {
        index: 0,
        message: { role: "assistant", ...said },
        logprobs: null,
        finish_reason
      }
    ],
    usage: usage && openAiUsage(tokens)
  }
  const facts = {
    id: Json.asText(message.id),
    model: Json.asText(message.model),
    finishReasons: [finish_reason],
    usage
  }
  return { _tag: "Answer", body: Utf8.encode(JSON.stringify(completion)), facts }
}

/** The contents of the blocks; `undefined` if a call has no id or name. `written` are the blocks' original texts. */
const sayings = (
  blocks: ReadonlyArray<unknown>,
  written: ReadonlyArray<RawJson.Value>
): object | undefined => {
  const texts: Array<string> = []
  const tool_calls: Array<object> = []
  for (const [index, value] of blocks.entries()) {
    const { id, name, text, type } = Json.asObject<"type" | "text" | "id" | "name">(value) ?? {}
    if (type === "text" && typeof text === "string") texts.push(text)
    if (type !== "tool_use") continue
    if (typeof id !== "string" || typeof name !== "string") return undefined
    const input = RawJson.written(RawJson.at(written[index], "input")) ?? "{}"
    tool_calls.push({ id, type: "function", function: { name, arguments: input } })
  }
  return {
    content: texts.length === 0 && tool_calls.length > 0 ? null : texts.join(""),
    refusal: null,
    tool_calls: tool_calls.length === 0 ? undefined : tool_calls
  }
}

const finishReasons: Readonly<Record<string, string>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  // Only for Anthropic's own tools, which cannot be requested here: an unfinished answer.
  pause_turn: "length",
  tool_use: "tool_calls",
  refusal: "content_filter"
}

/** An unknown reason is a normal end. */
export const finishReason = (stopReason: unknown): string =>
  (typeof stopReason === "string" && Object.hasOwn(finishReasons, stopReason)
    ? finishReasons[stopReason]
    : undefined) ?? "stop"

/** Tokens as Anthropic counts them: `input_tokens` excludes those of the cache. */
export interface Tokens {
  readonly input_tokens: number | undefined
  readonly cache_read_input_tokens: number | undefined
  readonly cache_creation_input_tokens: number | undefined
  readonly output_tokens: number | undefined
  readonly thinking_tokens: number | undefined
}

export const noTokens: Tokens = {
  input_tokens: undefined,
  cache_read_input_tokens: undefined,
  cache_creation_input_tokens: undefined,
  output_tokens: undefined,
  thinking_tokens: undefined
}

/** Counts in a stream are cumulative: the last one wins. */
export const addTokens = (tokens: Tokens, value: unknown): Tokens => {
  const usage = Json.asObject<keyof Tokens | "output_tokens_details">(value) ?? {}
  const details = Json.asObject<"thinking_tokens">(usage.output_tokens_details)
  return {
    input_tokens: count(usage.input_tokens) ?? tokens.input_tokens,
    cache_read_input_tokens: count(usage.cache_read_input_tokens) ?? tokens.cache_read_input_tokens,
    cache_creation_input_tokens:
      count(usage.cache_creation_input_tokens) ?? tokens.cache_creation_input_tokens,
    output_tokens: count(usage.output_tokens) ?? tokens.output_tokens,
    thinking_tokens: count(details?.thinking_tokens) ?? tokens.thinking_tokens
  }
}

export const usageOf = (tokens: Tokens): Usage | undefined =>
  tokens.input_tokens === undefined && tokens.output_tokens === undefined
    ? undefined
    : detailed(promptTokens(tokens), tokens.output_tokens, {
        cacheRead: tokens.cache_read_input_tokens,
        cacheWrite: tokens.cache_creation_input_tokens,
        reasoning: tokens.thinking_tokens
      })

export const openAiUsage = (tokens: Tokens): object => {
  const prompt_tokens = promptTokens(tokens) ?? 0
  const completion_tokens = tokens.output_tokens ?? 0
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: {
      cached_tokens: tokens.cache_read_input_tokens ?? 0,
      cache_write_tokens: tokens.cache_creation_input_tokens ?? 0
    },
    ...(tokens.thinking_tokens !== undefined && {
      completion_tokens_details: { reasoning_tokens: tokens.thinking_tokens }
    })
  }
}

const promptTokens = (tokens: Tokens): number | undefined =>
  tokens.input_tokens === undefined
    ? undefined
    : tokens.input_tokens + (tokens.cache_read_input_tokens ?? 0) + (tokens.cache_creation_input_tokens ?? 0)
