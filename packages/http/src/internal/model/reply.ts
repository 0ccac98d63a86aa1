import type { Usage } from "../../ChatCompletion.ts"
import * as Json from "../bytes/json.ts"
import { readUsage } from "../provider/choice.ts"
import type { AssistantMessage, ToolCall } from "./request.ts"

/**
 * What the model said. Of several choices it is the first, whose every word is in `text`, `reasoning`, `refusal` and
 * `toolCalls`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reply {
  /** Empty where there is none. */
  readonly text: string
  /** What it thought, where the provider shows it. */
  readonly reasoning: string | undefined
  /** Why it will not answer. */
  readonly refusal: string | undefined
  readonly toolCalls: ReadonlyArray<ToolCall>
  /** As the provider says it: `stop`, `length`, `tool_calls`, `content_filter` or a word of its own. */
  readonly finishReason: string | undefined
  readonly usage: Usage | undefined
  /** The reply as a message, to go on with; what these types have no name for is in its `extra`. */
  readonly message: AssistantMessage
}

/**
 * Text the model has gone on by.
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
 * What the model goes on thinking, where the provider shows it.
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
 * More of why it will not answer.
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
  /** Which call of the reply this is a piece of, from 0. */
  readonly index: number
  readonly id: string | undefined
  readonly name: string | undefined
  readonly arguments: string
  readonly json: unknown
}

/**
 * A chunk that says nothing of the above: a role, an end, usage, whatever else a vendor sends.
 *
 * @since 0.1.0
 * @category models
 */
export interface Other {
  readonly _tag: "Other"
  readonly json: unknown
}

/**
 * What a chunk says; `json` is the chunk, of which one may say several things.
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
    message,
    Json.asArray(message["tool_calls"]),
    Json.asText(choice?.finish_reason),
    usageIn(json)
  )
}

/** Reads a stream: the deltas of each chunk, and at its end all that was said. */
export const makeReader = () => {
  const message: Fields = {}
  const calls = new Map<number, Fields>()
  let finishReason: string | undefined
  let usage: Usage | undefined

  const call = (delta: unknown, json: unknown): ReadonlyArray<ToolCallDelta> => {
    const fields = Json.asObject<"index" | "id" | "function">(delta)
    if (fields === undefined) return []
    const index = indexOf(fields, calls)
    const known = calls.get(index) ?? {}
    calls.set(index, merge(known, fields))
    const { arguments: text, name } = functionOf(fields)
    return [{ _tag: "ToolCallDelta", index, id: Json.asText(fields.id), name, arguments: text, json }]
  }

  return {
    push: (json: unknown): ReadonlyArray<Delta> => {
      usage = usageIn(json) ?? usage
      const choice = firstChoice(json)
      finishReason = Json.asText(choice?.finish_reason) ?? finishReason
      const { tool_calls, ...delta } = Json.asObject<string>(choice?.delta) ?? {}
      merge(message, delta)
      const said: ReadonlyArray<readonly ["TextDelta" | "ReasoningDelta" | "RefusalDelta", string]> = [
        ["ReasoningDelta", reasoningOf(delta)],
        ["TextDelta", textOf(delta["content"])],
        ["RefusalDelta", Json.asText(delta["refusal"]) ?? ""]
      ]
      const deltas = [
        ...said.flatMap(([_tag, text]) => (text === "" ? [] : [{ _tag, text, json }])),
        ...Json.asArray(tool_calls).flatMap((delta) => call(delta, json))
      ]
      return deltas.length === 0 ? [{ _tag: "Other", json }] : deltas
    },
    end: (): Reply => reply(message, [...calls.values()], finishReason, usage)
  }
}

interface Fields {
  [name: string]: unknown
}

const reply = (
  { content, role: _, tool_calls: __, ...rest }: Fields,
  calls: ReadonlyArray<unknown>,
  finishReason: string | undefined,
  usage: Usage | undefined
): Reply => {
  const text = textOf(content)
  const reasoning = reasoningOf(rest)
  const toolCalls = calls.flatMap(readCall)
  const extra = filled({ ...rest, content: typeof content === "string" ? undefined : content })
  return {
    text,
    reasoning: reasoning === "" ? undefined : reasoning,
    refusal: Json.asText(rest["refusal"]),
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

const readCall = (value: unknown): ReadonlyArray<ToolCall> => {
  const fields = Json.asObject<string>(value)
  if (fields === undefined) return []
  const { function: _, id, index: __, type: ___, ...rest } = fields
  const { arguments: text, name = "" } = functionOf(fields)
  const extra = filled(rest)
  return [{ id: Json.asText(id) ?? "", name, arguments: text, ...(extra && { extra }) }]
}

const functionOf = (call: Json.Loose<"function">) => {
  const named = Json.asObject<"name" | "arguments">(call.function)
  const json = named?.arguments
  return {
    name: Json.asText(named?.name),
    // Some servers send the object itself.
    arguments: typeof json === "string" ? json : Json.isGiven(json) ? JSON.stringify(json) : ""
  }
}

const firstChoice = (json: unknown) =>
  Json.asArray(Json.asObject<"choices">(json)?.choices)
    .map((choice) => Json.asObject<"index" | "message" | "delta" | "finish_reason">(choice))
    // Some servers do not number the only one.
    .find((choice) => (choice?.index ?? 0) === 0)

const usageIn = (json: unknown): Usage | undefined => readUsage(Json.asObject<"usage">(json)?.usage)

/** Some servers number no calls: there one with a new id is a new call. */
const indexOf = ({ id, index }: Json.Loose<"id" | "index">, calls: ReadonlyMap<number, Fields>): number => {
  if (typeof index === "number") return index
  const last = Math.max(-1, ...calls.keys())
  return last === -1 || (isFilled(id) && calls.get(last)?.["id"] !== id) ? last + 1 : last
}

// What says what a thing is comes once or again and again, whole each time.
const whole = new Set(["role", "id", "type", "name", "index"])

/** Puts a delta to what was said before it: text and lists go on, objects grow, all else is replaced. */
const merge = (into: Fields, delta: object): Fields => {
  for (const [name, value] of Object.entries(delta)) {
    if (!Json.isGiven(value)) continue
    const known = into[name]
    const object = Json.asObject(value)
    if (object !== undefined) into[name] = merge({ ...Json.asObject(known) }, object)
    else if (Array.isArray(value)) into[name] = [...Json.asArray(known), ...value]
    else if (typeof value !== "string" || typeof known !== "string") into[name] = value
    else if (!whole.has(name)) into[name] = known + value
    else if (value !== "") into[name] = value
  }
  return into
}

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

const filled = (fields: Fields): Readonly<Record<string, unknown>> | undefined => {
  const entries = Object.entries(fields).filter(([, value]) => isFilled(value))
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

const isFilled = (value: unknown): boolean =>
  Json.isGiven(value) && value !== "" && !(Array.isArray(value) && value.length === 0)
