import type { Usage } from "../../ChatCompletion.ts"
import * as Json from "../bytes/json.ts"
import { readUsage } from "../provider/choice.ts"
import { type Fields, filled, merge } from "./fields.ts"
import type { AssistantMessage, ToolCall } from "./request.ts"
import * as ToolCalls from "./toolCalls.ts"

/**
 * The model's reply. Of several choices it is the first, completely contained in `text`, `reasoning`, `refusal` and
 * `toolCalls`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reply {
  /** Empty if there is none. */
  readonly text: string
  /** The model's reasoning, if the provider shows it. */
  readonly reasoning: string | undefined
  /** The reason for a refusal. */
  readonly refusal: string | undefined
  readonly toolCalls: ReadonlyArray<ToolCall>
  /** As reported by the provider: `stop`, `length`, `tool_calls`, `content_filter` or a value of its own. */
  readonly finishReason: string | undefined
  readonly usage: Usage | undefined
  /** The reply as a message, to continue the conversation; fields without a type here are in its `extra`. */
  readonly message: AssistantMessage
}

/**
 * More text of the answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface TextDelta {
  readonly _tag: "TextDelta"
  readonly text: string
  readonly json: unknown
}

/**
 * More reasoning, if the provider shows it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReasoningDelta {
  readonly _tag: "ReasoningDelta"
  readonly text: string
  readonly json: unknown
}

/**
 * More text of a refusal.
 *
 * @since 0.1.0
 * @category models
 */
export interface RefusalDelta {
  readonly _tag: "RefusalDelta"
  readonly text: string
  readonly json: unknown
}

/**
 * A piece of a tool call. Its id and name come once, usually with the first piece.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolCallDelta {
  readonly _tag: "ToolCallDelta"
  /** The index of the call in the reply's `toolCalls`, from 0, however the provider counts. */
  readonly index: number
  readonly id: string | undefined
  readonly name: string | undefined
  readonly arguments: string
  readonly json: unknown
}

/**
 * A chunk with none of the above: a role, an end, usage, or anything else a vendor sends.
 *
 * @since 0.1.0
 * @category models
 */
export interface Other {
  readonly _tag: "Other"
  readonly json: unknown
}

/**
 * The content of a chunk; `json` is the chunk itself, which may yield several deltas.
 *
 * @since 0.1.0
 * @category models
 */
export type Delta = TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta | Other

/** Reads a whole answer. */
export const read = (json: unknown): Reply => {
  const choice = firstChoice(json)
  const message = Json.asObject<string>(choice?.message) ?? {}
  return reply(
    sayings(message),
    message,
    ToolCalls.read(message["tool_calls"]),
    Json.asText(choice?.finish_reason),
    usageIn(json)
  )
}

/** Reads a stream: the deltas of each chunk, and at its end the complete reply. */
export const makeReader = () => {
  // Assembled from the deltas and not read from the message again, so that the two cannot disagree.
  const said: Sayings = { text: "", reasoning: "", refusal: "" }
  const content = makeContent()
  const message: Fields = {}
  const calls = ToolCalls.makeReader()
  let finishReason: string | undefined
  let usage: Usage | undefined

  return {
    push: (json: unknown): ReadonlyArray<Delta> => {
      usage = usageIn(json) ?? usage
      const choice = firstChoice(json)
      finishReason = Json.asText(choice?.finish_reason) ?? finishReason
      const delta = Json.asObject<string>(choice?.delta) ?? {}
      const { content: more, tool_calls, ...rest } = delta
      content.push(more)
      merge(message, rest)
      const saying = sayings(delta)
      const deltas = [
        ...kinds.flatMap(([_tag, kind]) => {
          const text = saying[kind]
          said[kind] += text
          return text === "" ? [] : [{ _tag, text, json }]
        }),
        ...Json.asArray(tool_calls)
          .flatMap(calls.push)
          .map((piece) => ({ _tag: "ToolCallDelta" as const, ...piece, json }))
      ]
      return deltas.length === 0 ? [{ _tag: "Other", json }] : deltas
    },
    end: (): Reply => reply(said, { ...message, content: content.end() }, calls.end(), finishReason, usage)
  }
}

/** Some servers mix plain text and content parts: text between parts becomes a part. */
const makeContent = () => {
  const parts: Array<unknown> = []
  let text = ""
  const textPart = () => (text === "" ? [] : [{ type: "text", text }])

  return {
    push: (content: unknown): void => {
      if (typeof content === "string") text += content
      const more = Json.asArray(content)
      if (more.length === 0) return
      parts.push(...textPart())
      for (const part of more) parts.push(part)
      text = ""
    },
    end: (): unknown => (parts.length === 0 ? text : [...parts, ...textPart()])
  }
}

/** The texts of one delta or a whole message; empty if there are none. */
type Sayings = Record<(typeof kinds)[number][1], string>

const kinds = [
  ["ReasoningDelta", "reasoning"],
  ["TextDelta", "text"],
  ["RefusalDelta", "refusal"]
] as const

const sayings = (fields: Fields): Sayings => ({
  reasoning: reasoningOf(fields),
  text: textOf(fields["content"]),
  refusal: Json.asText(fields["refusal"]) ?? ""
})

const reply = (
  { reasoning, refusal, text }: Sayings,
  { content, role: _, tool_calls: __, ...rest }: Fields,
  toolCalls: ReadonlyArray<ToolCall>,
  finishReason: string | undefined,
  usage: Usage | undefined
): Reply => {
  const extra = filled({ ...rest, content: typeof content === "string" ? undefined : content })
  return {
    text,
    reasoning: Json.asText(reasoning),
    refusal: Json.asText(refusal),
    toolCalls,
    finishReason,
    usage,
    message: {
      role: "assistant",
      ...(text !== "" && { content: text }),
      ...(toolCalls.length > 0 && { toolCalls }),
      ...(extra && { extra })
    }
  }
}

const firstChoice = (json: unknown) =>
  Json.asArray(Json.asObject<"choices">(json)?.choices)
    .map((choice) => Json.asObject<"index" | "message" | "delta" | "finish_reason">(choice))
    // Some servers do not number a single choice.
    .find((choice) => (choice?.index ?? 0) === 0)

const usageIn = (json: unknown): Usage | undefined => readUsage(Json.asObject<"usage">(json)?.usage)

/** Some providers send text in parts. */
const textOf = (content: unknown): string =>
  typeof content === "string"
    ? content
    : Json.asArray(content)
        .map((part) => Json.asObject<"text">(part)?.text)
        .filter((text) => typeof text === "string")
        .join("")

const reasoningOf = ({
  reasoning,
  reasoning_content
}: Json.Loose<"reasoning" | "reasoning_content">): string =>
  Json.asText(reasoning_content) ?? Json.asText(reasoning) ?? ""
