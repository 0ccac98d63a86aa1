/**
 * An Azure OpenAI resource as a provider. It speaks OpenAI's protocol with other URLs and another header for the key; a
 * model is the name of a deployment.
 *
 * @since 0.1.0
 */
import * as Redacted from "effect/Redacted"
import type { Row } from "./ErrorTable.ts"
import * as OpenAi from "./internal/provider/openAi.ts"
import type { Provider } from "./Provider.ts"
import type { Quirks } from "./Quirks.ts"
import type { Upstream } from "./Upstream.ts"

/**
 * An Azure OpenAI resource.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Quirks {
  readonly name: string
  /** The resource, such as `https://x.openai.azure.com`. */
  readonly baseUrl: string
  /** A dated API version, such as `2024-10-21`. Default: the `v1` API, which needs none. */
  readonly apiVersion?: string | undefined
  /** Sent as `api-key`. To use a token instead, send it in `headers`. */
  readonly apiKey?: Redacted.Redacted | undefined
  /** Sent with every request, overriding ours. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Rows for its errors, which take precedence over `ErrorTable.table`. */
  readonly errors?: ReadonlyArray<Row> | undefined
  readonly upstream: Upstream
}

/**
 * An Azure OpenAI resource as a provider.
 *
 * **Details**
 * - With an `apiVersion` it calls `{baseUrl}/openai/deployments/{model}/chat/completions?api-version={apiVersion}`,
 *   without one `{baseUrl}/openai/v1/chat/completions`; embeddings are at `embeddings` in place of `chat/completions`.
 * - Bytes, errors, bounds and streams are as in `OpenAiCompatible.make`. The chunks with Azure's content filter results
 *   are passed on unchanged and do not count as content.
 *
 * @example
 * import { Effect } from "effect"
 * import { AzureOpenAi, Upstream } from "@understudy/http"
 *
 * const asked: Array<string> = []
 * const upstream: Upstream.Upstream = {
 *   send: ({ url }) => {
 *     asked.push(url)
 *     return Upstream.respond({ status: 404, headers: {}, body: new Uint8Array() })
 *   }
 * }
 * const azure = (apiVersion?: string) =>
 *   AzureOpenAi.make({ name: "azure", baseUrl: "https://x.openai.azure.com", apiVersion, upstream })
 * const body = new TextEncoder().encode('{"model":"chat","messages":[]}')
 *
 * for (const provider of [azure("2024-10-21"), azure()]) {
 *   await Effect.runPromiseExit(Effect.scoped(provider.complete({ model: "chat", stream: false, body }, "gpt")))
 * }
 *
 * console.log(asked[0]) // => https://x.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21
 * console.log(asked[1]) // => https://x.openai.azure.com/openai/v1/chat/completions
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Provider => {
  const version = options.apiVersion && encodeURIComponent(options.apiVersion)
  return OpenAi.provider({
    name: options.name,
    system: "azure.ai.openai",
    baseUrl: options.baseUrl,
    upstream: options.upstream,
    path: (endpoint, model) =>
      version === undefined
        ? `/openai/v1/${endpoint}`
        : `/openai/deployments/${encodeURIComponent(model)}/${endpoint}?api-version=${version}`,
    key: options.apiKey && { "api-key": Redacted.value(options.apiKey) },
    headers: options.headers,
    quirks: options,
    errors: options.errors
  })
}
