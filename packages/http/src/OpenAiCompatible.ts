/**
 * A provider that speaks OpenAI's own protocol. The caller's bytes are sent as they came but for the model's name,
 * and the upstream's answer is given back as it came.
 *
 * @since 0.1.0
 */
import * as Redacted from "effect/Redacted"
import type { Row } from "./ErrorTable.ts"
import * as OpenAi from "./internal/provider/openAi.ts"
import type { Provider } from "./Provider.ts"
import * as Quirks from "./Quirks.ts"
import type { Upstream } from "./Upstream.ts"

/**
 * An account of a server that speaks OpenAI's protocol.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Quirks.Quirks {
  readonly name: string
  /** Which server it is: its quirks are heeded, and those given here as well. Default: OpenAI's own, which has none. */
  readonly dialect?: Quirks.Name | undefined
  /** With its version path, such as `https://api.openai.com/v1`. */
  readonly baseUrl: string
  readonly apiKey?: Redacted.Redacted | undefined
  /** Sent with every request, over the ones of ours. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /**
   * Whether its models go on from a last message of the assistant's, and answer with the rest. Default: as is known of
   * its dialect.
   */
  readonly prefill?: boolean | undefined
  /** What its errors mean where the table does not know, or knows otherwise; asked before the table. */
  readonly errors?: ReadonlyArray<Row> | undefined
  /** OpenTelemetry's `gen_ai.provider.name`. Default: the dialect's, such as `openai`. */
  readonly system?: string | undefined
  readonly upstream: Upstream
}

/**
 * A server that speaks OpenAI's protocol, as a provider.
 *
 * **Details**
 * - Nothing of the caller's headers is sent on, only this provider's own key and headers.
 * - Redirects are not followed, and an upstream's error is read for 2 seconds and to 1 MiB at most, a whole answer
 *   to 64 MiB. What a stream says before its first content is 1 MiB at most.
 * - A stream ends with success only when every choice was finished by the model; a `[DONE]` alone is no proof. Once
 *   all are finished, what else may come, such as usage, is waited for 2 seconds at most.
 *
 * @example
 * import { Effect } from "effect"
 * import { OpenAiCompatible, Upstream } from "@understudy/http"
 *
 * const upstream: Upstream.Upstream = {
 *   send: ({ url }) => Upstream.respond({ status: 404, headers: { "x-asked": url }, body: new Uint8Array() })
 * }
 * const provider = OpenAiCompatible.make({ name: "local", baseUrl: "http://127.0.0.1:11434/v1", upstream })
 * const body = new TextEncoder().encode('{"model":"chat","messages":[]}')
 * const call = Effect.scoped(provider.complete({ model: "chat", stream: false, body }, "llama3.2:1b"))
 *
 * console.log(Effect.runSync(Effect.flip(call)).kind) // => model_not_found
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Provider => {
  const preset = Quirks.presets[options.dialect ?? "openai"]
  return OpenAi.provider({
    name: options.name,
    system: options.system ?? preset.system,
    baseUrl: options.baseUrl,
    upstream: options.upstream,
    path: (endpoint) => `/${endpoint}`,
    key: options.apiKey && { authorization: `Bearer ${Redacted.value(options.apiKey)}` },
    headers: options.headers,
    quirks: Quirks.combine(preset, options),
    prefill:
      options.prefill === false ? undefined : (preset.prefill ?? (options.prefill && { answer: "rest" })),
    errors: [...(options.errors ?? []), ...(preset.errors ?? [])]
  })
}
