import * as Either from "effect/Either"
import * as Json from "../bytes/json.ts"

/** Why a request cannot be translated: the field at fault, and a remedy. */
export interface Refusal {
  readonly param: string
  readonly message: string
}

export type Translation<A> = Either.Either<A, Refusal>

/**
 * How a field of OpenAI's request is handled.
 *
 * - `translated`: it has a counterpart.
 * - `passed over`: it concerns the account, the transport or accounting; the answer is the same without it.
 * - Anything else would change the answer. It is refused with a remedy, except for values without an effect. `null`
 *   never has an effect, and an unknown field is refused.
 */
export type Decision =
  | "translated"
  | "passed over"
  | { readonly remedy: string; readonly butFor?: ReadonlyArray<unknown> | undefined }

type Table = Readonly<Record<string, Decision>>

const leaveOut = "leave it out"

// biome-ignore format: a table
export const tables = {
  request: {
    model: "translated", messages: "translated", stream: "translated", stream_options: "translated",
    max_completion_tokens: "translated", max_tokens: "translated", stop: "translated",
    temperature: "translated", top_p: "translated", reasoning_effort: "translated", response_format: "translated",
    tools: "translated", tool_choice: "translated", parallel_tool_calls: "translated",
    user: "translated", safety_identifier: "translated",
    // Anthropic's own fields, passed on unchanged.
    top_k: "translated", thinking: "translated", cache_control: "translated",

    metadata: "passed over", store: "passed over", service_tier: "passed over", prediction: "passed over",
    prompt_cache_key: "passed over", prompt_cache_retention: "passed over", prompt_cache_options: "passed over",

    n: { butFor: [1], remedy: "ask for one choice" },
    frequency_penalty: { butFor: [0], remedy: leaveOut },
    presence_penalty: { butFor: [0], remedy: leaveOut },
    logit_bias: { butFor: [{}], remedy: leaveOut },
    logprobs: { butFor: [false], remedy: leaveOut },
    top_logprobs: { butFor: [0], remedy: leaveOut },
    verbosity: { butFor: ["medium"], remedy: "say in the system message how long answers should be" },
    modalities: { butFor: [["text"]], remedy: "ask for text alone" },
    seed: { remedy: leaveOut },
    audio: { remedy: leaveOut },
    web_search_options: { remedy: leaveOut },
    moderation: { remedy: leaveOut },
    functions: { remedy: "send them as `tools`" },
    function_call: { remedy: "send it as `tool_choice`" }
  },
  stream_options: { include_usage: "translated", include_obfuscation: "passed over" },
  response_format: { type: "translated", json_schema: "translated" },
  json_schema: {
    schema: "translated", name: "passed over", strict: "passed over",
    description: { remedy: "put it into the schema's own `description`" }
  },

  system: { role: "translated", content: "translated" },
  user: { role: "translated", content: "translated" },
  assistant: {
    role: "translated", content: "translated", refusal: "translated", tool_calls: "translated",
    annotations: "passed over", parsed: "passed over",
    reasoning: "passed over", reasoning_content: "passed over", reasoning_details: "passed over",
    audio: { remedy: leaveOut },
    function_call: { remedy: "send it as one of `tool_calls`" }
  },
  tool: { role: "translated", content: "translated", tool_call_id: "translated", name: "passed over" },

  text: { type: "translated", text: "translated", cache_control: "translated", prompt_cache_breakpoint: "passed over" },
  refusal: { type: "translated", refusal: "translated" },
  image_url: { type: "translated", image_url: "translated", cache_control: "translated", prompt_cache_breakpoint: "passed over" },
  imageUrl: { url: "translated", detail: "passed over" },
  file: { type: "translated", file: "translated", cache_control: "translated", prompt_cache_breakpoint: "passed over" },
  fileData: { file_data: "translated", filename: "translated", file_id: { remedy: "send the file itself as `file_data`" } },

  toolCall: { id: "translated", type: "translated", function: "translated", index: "passed over", extra_content: "passed over" },
  calledFunction: { name: "translated", arguments: "translated", parsed_arguments: "passed over" },
  tools: { type: "translated", function: "translated", cache_control: "translated" },
  function: { name: "translated", description: "translated", parameters: "translated", strict: "translated" },
  toolChoice: { type: "translated", function: "translated" },
  chosenFunction: { name: "translated" }
} as const satisfies Readonly<Record<string, Table>>

type Tables = typeof tables

/** The fields of an object that are to be translated. */
export type Fields<Name extends keyof Tables> = {
  readonly [Field in keyof Tables[Name] as Tables[Name][Field] extends "translated" ? Field : never]?: unknown
}

/** Checks an object against its table. `path` is empty for the request itself. */
export const fieldsOf = <Name extends keyof Tables>(
  value: unknown,
  name: Name,
  path: string
): Translation<Fields<Name>> => {
  const object = Json.asObject<string>(value)
  if (object === undefined) return refuse(path, "is no object", "send one")
  const table: Table = tables[name]
  const fields: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(object)) {
    const decision = (Object.hasOwn(table, key) ? table[key] : undefined) ?? { remedy: leaveOut }
    if (decision === "passed over" || field === null) continue
    if (decision === "translated") fields[key] = field
    else if (!decision.butFor?.some((allowed) => isSame(allowed, field))) {
      return refuse(path === "" ? key : `${path}.${key}`, noCounterpart, decision.remedy)
    }
  }
  return Either.right<Fields<Name>>(fields)
}

export const noCounterpart = "has no counterpart in Anthropic's API"

export const refuse = (param: string, problem: string, remedy: string): Translation<never> =>
  Either.left({ param, message: `\`${param}\` ${problem}; ${remedy}.` })

/** Translates the items of an array; none if it is no array. */
export const eachOf = <A>(
  value: unknown,
  path: string,
  translate: (item: unknown, path: string, index: number) => Translation<A>
): Translation<ReadonlyArray<A>> => {
  if (value === undefined) return Either.right([])
  return Array.isArray(value)
    ? Either.all(value.map((item: unknown, index) => translate(item, `${path}[${index}]`, index)))
    : refuse(path, "is no array", "send one")
}

export const textOf = (value: unknown, path: string): Translation<string> =>
  typeof value === "string" ? Either.right(value) : refuse(path, "is no text", "send text")

export const isBlank = (text: unknown): boolean => typeof text === "string" && !/\S/.test(text)

const isSame = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right)
