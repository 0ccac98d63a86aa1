import { FastCheck } from "effect"
import { ids, jsonObject, words } from "./anthropicConversations.ts"

// What Anthropic's API answers and what OpenAI's clients make of it, told apart from the code that is tested.

/** What a model answers, before it is put in anybody's words. */
export interface Answer {
  readonly blocks: ReadonlyArray<
    | { readonly type: "text"; readonly pieces: ReadonlyArray<string> }
    | { readonly type: "thinking"; readonly pieces: ReadonlyArray<string> }
    | {
        readonly type: "tool_use"
        readonly id: string
        readonly name: string
        readonly pieces: ReadonlyArray<string>
      }
  >
  readonly stop: readonly [stopReason: string, finishReason: string]
  readonly usage: {
    readonly input: number
    readonly cached: number
    readonly written: number
    readonly output: number
  }
}

/** Cuts a text at places that are drawn, which may lie inside a surrogate pair. */
const cut = (text: FastCheck.Arbitrary<string>) =>
  FastCheck.tuple(text, FastCheck.array(FastCheck.nat(40), { maxLength: 4 })).map(([text, places]) => {
    const bounds = [
      0,
      ...places.filter((place) => place < text.length).toSorted((a, b) => a - b),
      text.length
    ]
    return bounds.slice(1).map((end, index) => text.slice(bounds[index], end))
  })

export const answers: FastCheck.Arbitrary<Answer> = FastCheck.record({
  blocks: FastCheck.array(
    FastCheck.oneof(
      FastCheck.record({ type: FastCheck.constant("text" as const), pieces: cut(words) }),
      FastCheck.record({ type: FastCheck.constant("thinking" as const), pieces: cut(words) }),
      FastCheck.record({
        type: FastCheck.constant("tool_use" as const),
        id: ids,
        name: words,
        pieces: FastCheck.oneof(cut(jsonObject), FastCheck.constant<ReadonlyArray<string>>([]))
      })
    ),
    { maxLength: 12 }
  ),
  stop: FastCheck.constantFrom<Answer["stop"]>(
    ["end_turn", "stop"],
    ["max_tokens", "length"],
    ["tool_use", "tool_calls"],
    ["refusal", "content_filter"]
  ),
  usage: FastCheck.record({
    input: FastCheck.nat(),
    cached: FastCheck.nat(9),
    written: FastCheck.nat(9),
    output: FastCheck.nat()
  })
})

const startOf = ({ cached, input, written }: Answer["usage"]) => ({
  input_tokens: input,
  cache_read_input_tokens: cached,
  cache_creation_input_tokens: written
})

/** The answer as a whole message of Anthropic's. */
export const messageText = ({ blocks, stop, usage }: Answer): string => {
  const content = blocks.map((block) => {
    const written = block.pieces.join("")
    if (block.type === "text") return JSON.stringify({ type: "text", text: written })
    if (block.type === "thinking")
      return JSON.stringify({ type: "thinking", thinking: written, signature: "s" })
    const { id, name, type } = block
    return JSON.stringify({ type, id, name, input: 0 }).replace(
      /0\}$/,
      () => `${written === "" ? "{}" : written}}`
    )
  })
  const head = { id: "msg_1", type: "message", role: "assistant", model: "claude-1", stop_reason: stop[0] }
  const counts = { ...startOf(usage), output_tokens: usage.output }
  return `${JSON.stringify({ ...head, usage: counts }).slice(0, -1)},"content":[${content.join(",")}]}`
}

/** The answer as Anthropic's events, with a ping here and there. */
export const eventsText = ({ blocks, stop, usage }: Answer): string => {
  const head = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-1",
    content: [],
    stop_reason: null
  }
  const list: Array<{ readonly type: string }> = [
    { type: "message_start", message: { ...head, usage: { ...startOf(usage), output_tokens: 1 } } } as {
      type: string
    }
  ]
  const push = (type: string, rest: object = {}) => list.push({ type, ...rest })
  for (const [index, block] of blocks.entries()) {
    if (block.type === "tool_use") {
      const { id, name, type } = block
      push("content_block_start", { index, content_block: { type, id, name, input: {} } })
    } else {
      push("content_block_start", { index, content_block: { type: block.type, [block.type]: "" } })
    }
    push("ping")
    for (const piece of block.pieces) {
      const delta =
        block.type === "tool_use"
          ? { type: "input_json_delta", partial_json: piece }
          : { type: `${block.type}_delta`, [block.type]: piece }
      push("content_block_delta", { index, delta })
    }
    push("content_block_stop", { index })
  }
  push("message_delta", { delta: { stop_reason: stop[0] }, usage: { output_tokens: usage.output } })
  push("message_stop")
  return list.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("")
}

/** The choice and the usage that a client of OpenAI's is to see. */
export const expected = ({ blocks, stop, usage }: Answer) => {
  const content = blocks.flatMap(({ pieces, type }) => (type === "text" ? pieces : [])).join("")
  const tool_calls = blocks.flatMap((block) =>
    block.type === "tool_use"
      ? [
          {
            id: block.id,
            type: "function",
            function: { name: block.name, arguments: block.pieces.join("") || "{}" }
          }
        ]
      : []
  )
  return {
    content,
    tool_calls,
    finish_reason: stop[1],
    tokens: [usage.input + usage.cached + usage.written, usage.output, usage.cached, usage.written]
  }
}

interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number; readonly cache_write_tokens: number }
}

export const tokens = ({ completion_tokens, prompt_tokens, prompt_tokens_details: details }: Usage) => [
  prompt_tokens,
  completion_tokens,
  details.cached_tokens,
  details.cache_write_tokens
]

/** Puts a stream of OpenAI's together, as its clients do. */
export const assembled = (stream: string): ReturnType<typeof expected> => {
  const tool_calls: Array<{ id: string; type: string; function: { name: string; arguments: string } }> = []
  let content = ""
  let finish_reason = ""
  let counted: ReadonlyArray<number> = []
  const lines = stream.split("\n\n").filter((event) => event.startsWith("data: "))
  if (lines.pop() !== "data: [DONE]") throw new Error("the stream does not end with [DONE]")
  for (const line of lines) {
    const { choices, usage } = JSON.parse(line.slice("data: ".length))
    if (usage !== null) counted = tokens(usage)
    const [choice] = choices
    if (choice === undefined) continue
    content += choice.delta.content ?? ""
    finish_reason = choice.finish_reason ?? finish_reason
    for (const { index, ...call } of choice.delta.tool_calls ?? []) {
      const open = tool_calls[index]
      if (open === undefined) tool_calls[index] = call
      else open.function.arguments += call.function.arguments
    }
  }
  return { content, tool_calls, finish_reason, tokens: [...counted] }
}
