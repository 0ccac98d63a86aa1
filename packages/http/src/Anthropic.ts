/**
 * A provider that speaks Anthropic's Messages API. Chat completion requests are translated into it and its answers
 * back, both whole and streamed.
 *
 * A field without a counterpart is refused before anything is sent, with its name and a remedy, so that nothing of a
 * request is silently lost: the next tier is asked, and if there is none, the caller is told.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import type { Row } from "./ErrorTable.ts"
import { readMessage } from "./internal/anthropic/answer.ts"
import * as AnthropicError from "./internal/anthropic/error.ts"
import { messageReader } from "./internal/anthropic/reader.ts"
import { translate } from "./internal/anthropic/request.ts"
import * as Dialect from "./internal/provider/dialect.ts"
import { bodyOf } from "./internal/stream/prefill.ts"
import type { Provider } from "./Provider.ts"
import type { Quirks } from "./Quirks.ts"
import type { Upstream } from "./Upstream.ts"

/**
 * An Anthropic account.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Quirks {
  readonly name: string
  /** Without its version path. Default: `https://api.anthropic.com`. */
  readonly baseUrl?: string | undefined
  readonly apiKey?: Redacted.Redacted | undefined
  /** Sent with every request, overriding ours; such as `anthropic-beta`, or another `anthropic-version`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The most tokens of an answer if the request has no `max_completion_tokens` or `max_tokens`. Default: 16384. */
  readonly maxTokens?: number | undefined
  /** Rows for its errors, which take precedence over `ErrorTable.table`. */
  readonly errors?: ReadonlyArray<Row> | undefined
  readonly upstream: Upstream
}

/**
 * An Anthropic account as a provider.
 *
 * **Details**
 * - Sends `anthropic-version: 2023-06-01`, the last one that accepts `temperature` and `top_p`.
 * - Numbers, JSON schemas and tool arguments pass through verbatim in both directions.
 * - Thinking is left out; its tokens are counted.
 * - A field without a counterpart, or one that the model does not accept, is a failure of kind `unsupported`.
 * - An error is translated into OpenAI's envelope, with its status and message.
 * - Otherwise like `OpenAiCompatible.make`: none of the caller's headers are sent, redirects are not followed, and a
 *   truncated stream is a failure.
 *
 * @example
 * import { Effect, Redacted } from "effect"
 * import { Anthropic, Upstream } from "@understudy/http"
 *
 * const json = (text: string) => new TextEncoder().encode(text)
 * const upstream: Upstream.Upstream = {
 *   send: () =>
 *     Upstream.respond({
 *       status: 200,
 *       headers: {},
 *       body: json('{"content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}')
 *     })
 * }
 * const provider = Anthropic.make({ name: "anthropic", apiKey: Redacted.make("sk-ant-1"), upstream })
 * const ask = (fields: string) => {
 *   const body = json(`{"model":"chat","messages":[{"role":"user","content":"Hi"}]${fields}}`)
 *   return Effect.scoped(provider.complete({ model: "chat", stream: false, body }, "claude-sonnet-4-5"))
 * }
 * const answer = await Effect.runPromise(ask(""))
 *
 * console.log(JSON.parse(new TextDecoder().decode(answer.body)).choices[0].message.content) // => Hi
 * console.log((await Effect.runPromise(Effect.flip(ask(',"n":2')))).kind) // => unsupported
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Provider => {
  const baseUrl = (options.baseUrl ?? "https://api.anthropic.com").replace(/(\/v1)?\/*$/, "")
  const url = `${baseUrl}/v1/messages`
  const headers = {
    "content-type": "application/json",
    "anthropic-version": "2023-06-01",
    ...(options.apiKey && { "x-api-key": Redacted.value(options.apiKey) }),
    ...Record.mapKeys(options.headers ?? {}, (name) => name.toLowerCase())
  }
  const maxTokens = options.maxTokens ?? 16_384
  return Dialect.provider(
    {
      name: options.name,
      system: "anthropic",
      baseUrl,
      upstream: options.upstream,
      quirks: options,
      prefill: { answer: "rest" }
    },
    {
      headers,
      exchange: (request, model) =>
        Effect.gen(function* () {
          const { body, includeUsage } = yield* Either.mapLeft(
            translate(bodyOf(request), model, maxTokens),
            AnthropicError.unsupported
          )
          const created = Math.floor((yield* Clock.currentTimeMillis) / 1000)
          return {
            url,
            body,
            readWhole: (body) => readMessage(body, created),
            reader: () => messageReader({ created, includeUsage })
          }
        }),
      classify: AnthropicError.classify(options.errors)
    }
  )
}
