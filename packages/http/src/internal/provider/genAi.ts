import * as Attempt from "@understudy/core/Attempt"
import * as Effect from "effect/Effect"
import type { ChatRequest, Usage } from "../../ChatCompletion.ts"
import * as Json from "../bytes/json.ts"
import * as Utf8 from "../bytes/utf8.ts"

// The names are those of OpenTelemetry's current conventions for generative AI; the exporter can rename them to those
// of a former version.

/** The metadata of an answer. */
export interface Facts {
  readonly id: string | undefined
  readonly model: string | undefined
  /** One per choice; `error` for an unfinished one. */
  readonly finishReasons: ReadonlyArray<string>
  readonly usage: Usage | undefined
}

/** Reports what is known of an answer at its end, however it ended. */
export const answered = (facts: Facts): Effect.Effect<void> => {
  const used = units(facts.usage)
  const annotated = Attempt.annotateTier(() => responseAttributes(facts, used))
  return used === undefined ? annotated : Effect.zipRight(Attempt.recordUsage(used), annotated)
}

/** Reports the request's parameters. */
export const asked = (request: ChatRequest): Effect.Effect<void> =>
  Attempt.annotateTier(() => requestAttributes(request))

const units = (usage: Usage | undefined): Attempt.Usage | undefined => {
  if (usage === undefined) return undefined
  const { cacheRead, cacheWrite, input, output, reasoning } = usage
  // One by one: spreading possibly empty objects takes V8 many times as long.
  const used: Record<string, number> = {}
  if (input !== undefined) used["input_tokens"] = input
  if (output !== undefined) used["output_tokens"] = output
  if (cacheRead !== undefined) used["cache_read.input_tokens"] = cacheRead
  if (cacheWrite !== undefined) used["cache_write.input_tokens"] = cacheWrite
  if (reasoning !== undefined) used["reasoning.output_tokens"] = reasoning
  return used
}

const responseAttributes = (
  { finishReasons, id, model }: Facts,
  used: Attempt.Usage = {}
): Readonly<Record<string, unknown>> => ({
  ...(id !== undefined && { "gen_ai.response.id": short(id) }),
  ...(model !== undefined && { "gen_ai.response.model": short(model) }),
  ...(finishReasons.length > 0 && { "gen_ai.response.finish_reasons": finishReasons.map(short) }),
  ...Object.fromEntries(Object.entries(used).map(([unit, count]) => [`gen_ai.usage.${unit}`, count]))
})

type Read = (value: unknown) => unknown

const number: Read = (value) => (typeof value === "number" ? value : undefined)
const integer: Read = (value) => (Number.isSafeInteger(value) ? value : undefined)
const text: Read = (value) => (typeof value === "string" ? short(value) : undefined)
const several: Read = (value) => (Number.isSafeInteger(value) && value !== 1 ? value : undefined)
const texts: Read = (value) => {
  const all = typeof value === "string" ? [value] : Array.isArray(value) ? value : []
  const first = all.slice(0, 16).filter((value) => typeof value === "string")
  return first.length > 0 ? first.map(short) : undefined
}
const outputType: Read = (value) => {
  const type = Json.asObject<"type">(value)?.type
  return type === "json_object" || type === "json_schema" ? "json" : type === "text" ? type : undefined
}

/** From a request's field to its attribute and conversion. Of two fields for one attribute, the later one counts. */
const parameters: ReadonlyArray<readonly [field: string, attribute: string, read: Read]> = [
  ["temperature", "gen_ai.request.temperature", number],
  ["top_p", "gen_ai.request.top_p", number],
  ["top_k", "gen_ai.request.top_k", integer],
  ["max_tokens", "gen_ai.request.max_tokens", integer],
  ["max_completion_tokens", "gen_ai.request.max_tokens", integer],
  ["frequency_penalty", "gen_ai.request.frequency_penalty", number],
  ["presence_penalty", "gen_ai.request.presence_penalty", number],
  ["seed", "gen_ai.request.seed", integer],
  ["n", "gen_ai.request.choice.count", several],
  ["stop", "gen_ai.request.stop_sequences", texts],
  ["reasoning_effort", "gen_ai.request.reasoning.level", text],
  ["encoding_format", "gen_ai.request.encoding_formats", texts],
  ["dimensions", "gen_ai.embeddings.dimension.count", integer],
  ["response_format", "gen_ai.output.type", outputType]
]

const requestAttributes = ({ body, stream }: ChatRequest): Readonly<Record<string, unknown>> => {
  const attributes: Record<string, unknown> = {}
  if (stream) attributes["gen_ai.request.stream"] = true
  const request = Json.asObject<string>(Json.parse(Utf8.decode(body))) ?? {}
  for (const [field, attribute, read] of parameters) {
    const value = read(request[field])
    if (value !== undefined) attributes[attribute] = value
  }
  return attributes
}

/** Bounds a name, whatever callers and upstreams send. */
const short = (text: string): string => text.slice(0, 128)
