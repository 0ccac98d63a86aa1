/**
 * An upstream account that answers chat completions, and possibly embeddings, in its own dialect.
 *
 * @since 0.1.0
 */
import type { Pull } from "@understudy/core/FallbackStream"
import type { Details } from "@understudy/core/Log"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ChatRequest, Usage } from "./ChatCompletion.ts"
import { load, type OrConfig } from "./internal/provider/orConfig.ts"
import { ProviderError } from "./ProviderError.ts"
import { Upstream } from "./Upstream.ts"

/**
 * An upstream account, with the protocol that it speaks.
 *
 * @since 0.1.0
 * @category models
 */
export interface Provider {
  readonly name: string
  /** OpenTelemetry's `gen_ai.provider.name`. */
  readonly system: string
  /** Its address, for spans; `undefined` inside the process. */
  readonly server: { readonly address: string; readonly port: number } | undefined
  readonly complete: (
    request: ChatRequest,
    model: string
  ) => Effect.Effect<Answer, ProviderError, Scope.Scope>
  /**
   * A streamed answer, opened in the scope and pulled like `Stream.toPull`. It ends with `None` only if the model
   * finished its answer.
   */
  readonly stream: (
    request: ChatRequest,
    model: string
  ) => Effect.Effect<Pull<Part, ProviderError>, ProviderError, Scope.Scope>
  /** One request for embeddings; undefined if it has none. */
  readonly embeddings?: Provider["complete"] | undefined
  /**
   * What its stream contains if the request has a `prefix`: the `rest`, or the `whole` including the prefix. Default:
   * it cannot continue a prefix.
   */
  readonly prefill?: "rest" | "whole" | undefined
}

/**
 * A whole answer, in the upstream's bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answer {
  readonly body: Uint8Array
  readonly usage: Usage | undefined
}

/**
 * A piece of a streamed answer: one or more complete server-sent events.
 *
 * @since 0.1.0
 * @category models
 */
export interface Part {
  readonly bytes: Uint8Array
  /** Whether it contains anything a reader would see; see `ChatCompletion.readChunk`. */
  readonly content: boolean
  readonly usage: Usage | undefined
}

/**
 * Makes a provider of any kind that sends through the `Upstream` service. Any of its options may be a `Config`; invalid
 * options are a configuration error too.
 *
 * @example
 * import { Config, ConfigProvider, Effect } from "effect"
 * import { OpenAiCompatible, Provider, Upstream } from "@understudy/http"
 *
 * const openai = Provider.fromConfig(OpenAiCompatible.make, {
 *   name: "openai",
 *   baseUrl: Config.string("OPENAI_BASE_URL").pipe(Config.withDefault("https://api.openai.com/v1")),
 *   apiKey: Config.redacted("OPENAI_API_KEY")
 * })
 * const environment = ConfigProvider.fromMap(new Map([["OPENAI_API_KEY", "sk-1"]]))
 *
 * const { server } = await openai.pipe(
 *   Effect.provide(Upstream.layerFetch),
 *   Effect.withConfigProvider(environment),
 *   Effect.runPromise
 * )
 *
 * console.log(server) // => { address: 'api.openai.com', port: 443 }
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromConfig = <Options extends { readonly upstream: Upstream }>(
  make: (options: Options) => Provider,
  options: OrConfig<Omit<Options, "upstream">>
): Effect.Effect<Provider, ConfigError.ConfigError, Upstream> =>
  Effect.flatMap(Effect.all([load(options), Upstream]), ([loaded, upstream]) =>
    Effect.try({
      try: () => make({ ...loaded, upstream } as unknown as Options),
      catch: (thrown) => ConfigError.InvalidData([], `the provider cannot be made: ${thrown}`)
    })
  )

/**
 * Additional log fields of attempts that call a provider: `status` of the error, if there was an answer, and
 * `input_tokens` and `output_tokens`, as far as the provider reported them.
 *
 * @example
 * import { Effect, Logger } from "effect"
 * import { Log } from "@understudy/core"
 * import { ChatModel, Provider, Sandbox } from "@understudy/http"
 *
 * const lines: Array<string> = []
 * const logger = Logger.make(({ annotations, message }) => {
 *   const { output_tokens, status } = Object.fromEntries(annotations)
 *   lines.push(`${message} ${status ?? "-"} ${output_tokens ?? "-"}`)
 * })
 * const provider = Sandbox.make({ name: "stage", latency: "1 millis", script: [{ status: 503 }, "ok"] })
 * const chat = ChatModel.layer({ tiers: [{ name: "primary", provider, model: "large", retry: { base: "1 millis" } }] })
 * const ask = Effect.flatMap(ChatModel.ChatModel, ({ complete }) =>
 *   complete({ messages: [{ role: "user", content: "Who are you?" }] })
 * )
 * const program = ask.pipe(
 *   Effect.provide(Log.layer({ details: Provider.logDetails })),
 *   Effect.provide(chat),
 *   Effect.provide(Logger.replace(Logger.defaultLogger, logger))
 * )
 *
 * await Effect.runPromise(program)
 * console.log(lines) // => [ 'attempt 503 -', 'attempt - 10', 'run - -' ]
 *
 * @since 0.1.0
 * @category telling
 */
export const logDetails: Details = {
  error: (fields, error) => {
    const known = error instanceof ProviderError ? error : undefined
    fields["status"] = known?.status
    fields["error_code"] = known?.code
  },
  usage: (fields, usage) => {
    fields["input_tokens"] = usage?.["input_tokens"]
    fields["output_tokens"] = usage?.["output_tokens"]
  }
}
