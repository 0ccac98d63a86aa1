/**
 * The names of OpenTelemetry's conventions for generative AI, current and former.
 *
 * Spans are made with the names of the newest conventions; an exporter renames them for dashboards that still use
 * former ones.
 *
 * @since 0.1.0
 */

/**
 * Which names to export: the newest, those of the last version published with OpenTelemetry's other conventions (1.41),
 * or both.
 *
 * @since 0.1.0
 * @category models
 */
export type Semconv = "latest" | "1.41" | "both"

/**
 * Parses a version; `undefined` for any other text.
 *
 * @example
 * import { GenAi } from "@understudy/otel"
 *
 * console.log(GenAi.semconv("both"), GenAi.semconv("0.9")) // => both undefined
 *
 * @since 0.1.0
 * @category constructors
 */
export const semconv = (text: string): Semconv | undefined => versions.find((version) => version === text)

const versions = ["latest", "1.41", "both"] as const

/** From names of the newest conventions to those of 1.41, where they differ; `undefined` if there was none. */
const former: Readonly<Record<string, string | undefined>> = {
  "gen_ai.usage.cache_write.input_tokens": "gen_ai.usage.cache_creation.input_tokens",
  "gen_ai.client.inference.duration": "gen_ai.client.operation.duration",
  "gen_ai.client.inference.time_to_first_chunk": "gen_ai.client.operation.time_to_first_chunk",
  "gen_ai.client.inference.time_per_output_chunk": "gen_ai.client.operation.time_per_output_chunk",
  "gen_ai.client.inference.usage.input_tokens": undefined,
  "gen_ai.client.inference.usage.output_tokens": undefined,
  "gen_ai.client.inference.usage.cache_read.input_tokens": undefined,
  "gen_ai.client.inference.usage.cache_write.input_tokens": undefined,
  "gen_ai.client.inference.usage.reasoning.output_tokens": undefined,
  "gen_ai.client.inference.operation.input_tokens": "gen_ai.client.token.usage",
  "gen_ai.client.inference.operation.output_tokens": "gen_ai.client.token.usage"
}

/** Metrics that are not specific to models, exported under the conventions' name as well. */
const alias: Readonly<Record<string, string>> = {
  "understudy.time_to_first_token": "gen_ai.response.time_to_first_chunk"
}

/**
 * Whether the environment asks for prompts and answers on spans: `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`
 * is `SPAN_ONLY`, `SPAN_AND_EVENT` or, in its former form, `true`.
 *
 * @example
 * import { GenAi } from "@understudy/otel"
 *
 * console.log(GenAi.capturesContent({ OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: "SPAN_ONLY" })) // => true
 * console.log(GenAi.capturesContent({})) // => false
 *
 * @since 0.1.0
 * @category environment
 */
export const capturesContent = (env: Readonly<Record<string, string | undefined>>): boolean =>
  ["span_only", "span_and_event", "true"].includes(
    env["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"]?.trim().toLowerCase() ?? ""
  )

/**
 * The names under which an attribute or a metric of the newest conventions is exported.
 *
 * @example
 * import { GenAi } from "@understudy/otel"
 *
 * console.log(GenAi.names("gen_ai.client.inference.duration", "1.41")) // => [ 'gen_ai.client.operation.duration' ]
 * console.log(GenAi.names("gen_ai.request.model", "1.41")) // => [ 'gen_ai.request.model' ]
 *
 * @since 0.1.0
 * @category naming
 */
export const names = (name: string, version: Semconv): ReadonlyArray<string> => {
  const also = Object.hasOwn(alias, name) ? alias[name] : undefined
  const now = also === undefined ? [name] : [name, also]
  if (version === "latest" || !Object.hasOwn(former, name)) return now
  const before = former[name]
  return [...(version === "both" ? now : []), ...(before === undefined ? [] : [before])]
}
