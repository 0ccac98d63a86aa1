/**
 * A provider that speaks OpenAI's protocol. The caller's bytes are sent unchanged except for the model's name, and the
 * upstream's answer is returned unchanged.
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
  /** Which server it is: its quirks apply, in addition to those given here. Default: OpenAI, without quirks. */
  readonly dialect?: Quirks.Name | undefined
  /** With its version path, such as `https://api.openai.com/v1`. */
  readonly baseUrl: string
  readonly apiKey?: Redacted.Redacted | undefined
  /** Sent with every request, overriding ours. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /**
   * Whether its models continue a final assistant message, and answer with the rest. Default: as is known of its
   * dialect.
   */
  readonly prefill?: boolean | undefined
  /** Rows for its errors, which take precedence over `ErrorTable.table`. */
  readonly errors?: ReadonlyArray<Row> | undefined
  /** OpenTelemetry's `gen_ai.provider.name`. Default: the dialect's, such as `openai`. */
  readonly system?: string | undefined
  readonly upstream: Upstream
}

/**
 * A server that speaks OpenAI's protocol, as a provider.
 *
 * **Details**
 * - None of the caller's headers are sent, only this provider's own key and headers.
 * - Redirects are not followed. An error's body is read for at most 2 seconds and up to 1 MiB, a whole answer up to 64
 *   MiB, and a stream up to 1 MiB before its first content.
 * - A stream succeeds only if the model finished every choice; a `[DONE]` alone is no proof. Once all are finished,
 *   anything else, such as usage, is waited for at most 2 seconds.
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
