import * as Either from "effect/Either"
import * as RawJson from "../bytes/rawJson.ts"
import * as Utf8 from "../bytes/utf8.ts"
import { type Fields, fieldsOf, isBlank, noCounterpart, refuse, type Translation } from "./fields.ts"
import { conversation } from "./messages.ts"
import { toolFields } from "./tools.ts"

interface Translated {
  readonly body: Uint8Array
  /** Whether the caller asked for a stream's usage. */
  readonly includeUsage: boolean
}

/**
 * Translates OpenAI's request into Anthropic's, or returns the first field that cannot be translated. Numbers, schemas
 * and arguments are copied verbatim.
 */
export const translate = (body: Uint8Array, model: string, maxTokens: number): Translation<Translated> =>
  Either.gen(function* () {
    const fields = yield* fieldsOf(RawJson.read(body), "request", "")
    const values = RawJson.members(body)
    const written = (field: keyof Fields<"request">): RawJson.Text | undefined =>
      fields[field] === undefined ? undefined : RawJson.written(values.get(field))
    const { messages, system } = yield* conversation(fields.messages)
    const { tool_choice, tools } = yield* toolFields(fields, values.get("tools"))
    const translated = RawJson.object({
      model: JSON.stringify(model),
      max_tokens: written("max_completion_tokens") ?? written("max_tokens") ?? String(maxTokens),
      system: system.length === 0 ? undefined : RawJson.array(system),
      messages: RawJson.array(messages),
      tools,
      tool_choice,
      temperature: yield* temperature(fields.temperature, written("temperature")),
      top_p: written("top_p"),
      top_k: written("top_k"),
      stop_sequences: RawJson.text(yield* stopSequences(fields.stop)),
      thinking: written("thinking") ?? (fields.reasoning_effort === "none" ? noThinking : undefined),
      output_config: yield* outputConfig(fields, values.get("response_format")),
      metadata: userMetadata(fields.safety_identifier ?? fields.user),
      cache_control: written("cache_control"),
      stream: written("stream")
    })
    return { body: Utf8.encode(translated), includeUsage: yield* includesUsage(fields.stream_options) }
  })

const temperature = (
  value: unknown,
  written: RawJson.Text | undefined
): Translation<RawJson.Text | undefined> =>
  typeof value === "number" && value > 1
    ? refuse("temperature", "is above 1, the highest of Anthropic's API", "send 1 or less")
    : Either.right(written)

const stopSequences = (value: unknown): Translation<ReadonlyArray<unknown> | undefined> => {
  if (value === undefined) return Either.right(undefined)
  const sequences: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
  return sequences.some(isBlank)
    ? refuse("stop", "is white space alone, which Anthropic's API does not take", "leave it out")
    : Either.right(sequences)
}

const noThinking = '{"type":"disabled"}'

const efforts: Readonly<Record<string, string | undefined>> = {
  none: undefined,
  minimal: "low",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "xhigh",
  max: "max"
}

const outputConfig = (
  { reasoning_effort, response_format }: Fields<"request">,
  written: RawJson.Value | undefined
): Translation<RawJson.Text | undefined> =>
  Either.gen(function* () {
    const effort = RawJson.text(yield* outputEffort(reasoning_effort))
    const format = yield* outputFormat(response_format, written)
    return effort === undefined && format === undefined ? undefined : RawJson.object({ effort, format })
  })

const outputEffort = (value: unknown): Translation<string | undefined> => {
  if (value === undefined) return Either.right(undefined)
  return typeof value === "string" && Object.hasOwn(efforts, value)
    ? Either.right(efforts[value])
    : refuse("reasoning_effort", noCounterpart, `send one of ${Object.keys(efforts).join(", ")}`)
}

const outputFormat = (
  value: unknown,
  written: RawJson.Value | undefined
): Translation<RawJson.Text | undefined> =>
  Either.gen(function* () {
    if (value === undefined) return undefined
    const { json_schema, type } = yield* fieldsOf(value, "response_format", "response_format")
    switch (type) {
      case "text":
        return undefined
      case "json_schema": {
        const path = "response_format.json_schema"
        const { schema } = yield* fieldsOf(json_schema, "json_schema", path)
        if (schema === undefined) return yield* refuse(`${path}.schema`, "is missing", "send one")
        return RawJson.object({
          type: '"json_schema"',
          schema: RawJson.written(RawJson.at(written, "json_schema", "schema"))
        })
      }
      default:
        return yield* refuse("response_format.type", noCounterpart, "send a schema, as json_schema")
    }
  })

const userMetadata = (user_id: unknown): RawJson.Text | undefined =>
  user_id === undefined ? undefined : JSON.stringify({ user_id })

const includesUsage = (value: unknown): Translation<boolean> =>
  value === undefined
    ? Either.right(false)
    : Either.map(
        fieldsOf(value, "stream_options", "stream_options"),
        ({ include_usage }) => include_usage === true
      )
