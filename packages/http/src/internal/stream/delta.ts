import * as Json from "../bytes/json.ts"
import { isFilled } from "../provider/choice.ts"

/** A chunk of an answer with a single choice. */
interface Delta {
  readonly text: string
  /** Whether it contains reasoning. */
  readonly thinks: boolean
  /** Whether it contains anything else: a tool call, a refusal, audio. */
  readonly more: boolean
  readonly ends: boolean
}

/** A chunk without a choice, such as usage, adds nothing; `undefined` for no chunk, or one of another choice. */
export const readDelta = (data: string): Delta | undefined => {
  const chunk = Json.asObject<"choices">(Json.parse(data))
  if (chunk === undefined) return undefined
  const choices = Json.asArray(chunk.choices)
  if (choices.length === 0) return nothing
  const choice = Json.asObject<"index" | "delta" | "finish_reason">(choices[0])
  if (choices.length > 1 || choice === undefined || (choice.index ?? 0) !== 0) return undefined
  const { content, role: _, ...others } = Json.asObject<"content" | "role">(choice.delta) ?? {}
  const names = Object.entries(others).flatMap(([name, value]) => (isFilled(value) ? [name] : []))
  return {
    text: typeof content === "string" ? content : "",
    thinks: names.some((name) => thoughts.has(name)),
    more: (typeof content !== "string" && isFilled(content)) || names.some((name) => !thoughts.has(name)),
    ends: isFilled(choice.finish_reason)
  }
}

const thoughts: ReadonlySet<string> = new Set(["reasoning", "reasoning_content", "reasoning_details"])

const nothing: Delta = { text: "", thinks: false, more: false, ends: false }
