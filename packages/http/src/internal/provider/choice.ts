import type { Usage } from "../../ChatCompletion.ts"
import * as Json from "../bytes/json.ts"

// OpenAI allows 128. A bound for loops over a chunk's `choices`.
const maxChoices = 1024

interface Choice {
  readonly index: number | undefined
  /** Whether its delta contains anything a reader would see. */
  readonly hasDelta: boolean
  readonly hasMessage: boolean
  readonly finishReason: string | undefined
  readonly failed: boolean
}

export const readChoices = (value: unknown): ReadonlyArray<Choice> =>
  Array.isArray(value) ? value.map(readChoice) : []

const readChoice = (value: unknown): Choice => {
  const choice = Json.asObject<"index" | "delta" | "message" | "error" | "finish_reason">(value) ?? {}
  // Some servers send an empty one in all but the last chunk.
  const finishReason = Json.asText(choice.finish_reason)
  const index = count(choice.index)
  return {
    index: index !== undefined && index < maxChoices ? index : undefined,
    hasDelta: hasContent(choice.delta),
    // Gemini leaves it out where its policy allows no answer, which is one all the same.
    hasMessage:
      Json.asObject(choice.message) !== undefined || finishReason?.startsWith("content_filter") === true,
    finishReason,
    failed: Json.isGiven(choice.error) || (finishReason !== undefined && failures.test(finishReason))
  }
}

/** OpenRouter's `error`, `abort` of vLLM and SGLang when the server itself stops, and Gemini's word for a broken tool call. */
const failures = /^(error|abort|function_call_filter\b.*)$/

const contentFields = [
  "content",
  "reasoning",
  "reasoning_content",
  "reasoning_details",
  "refusal",
  "tool_calls",
  "function_call",
  "audio",
  "images"
] as const

const hasContent = (value: unknown): boolean => {
  const delta = Json.asObject<(typeof contentFields)[number]>(value)
  return delta !== undefined && contentFields.some((field) => isFilled(delta[field]))
}

export const isFilled = (value: unknown): boolean =>
  typeof value === "string"
    ? value !== ""
    : typeof value === "object" && value !== null && Object.keys(value).length > 0

export const readUsage = (value: unknown): Usage | undefined => {
  const usage = Json.asObject<
    "prompt_tokens" | "completion_tokens" | "prompt_tokens_details" | "completion_tokens_details"
  >(value)
  const input = count(usage?.prompt_tokens)
  const output = count(usage?.completion_tokens)
  if (input === undefined && output === undefined) return undefined
  const ofInput = Json.asObject<"cached_tokens" | "cache_write_tokens">(usage?.prompt_tokens_details)
  const ofOutput = Json.asObject<"reasoning_tokens">(usage?.completion_tokens_details)
  return detailed(input, output, {
    cacheRead: count(ofInput?.cached_tokens),
    cacheWrite: count(ofInput?.cache_write_tokens),
    reasoning: count(ofOutput?.reasoning_tokens)
  })
}

/** Without missing details. */
export const detailed = (
  input: number | undefined,
  output: number | undefined,
  { cacheRead, cacheWrite, reasoning }: Omit<Usage, "input" | "output">
): Usage => ({
  input,
  output,
  ...(cacheRead !== undefined && { cacheRead }),
  ...(cacheWrite !== undefined && { cacheWrite }),
  ...(reasoning !== undefined && { reasoning })
})

export const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined
