/**
 * A provider that speaks Anthropic's Messages API. Requests of OpenAI's chat completions are put in its words and its
 * answers in theirs, both whole and streamed.
 *
 * What has no counterpart is refused before anything is sent, with the field's name and a remedy, so that nothing
 * of a request is lost in silence: the next tier is asked, and if there is none the caller is told.
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
 * An account of Anthropic's.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Quirks {
  readonly name: string
  /** Without its version path. Default: `https://api.anthropic.com`. */
  readonly baseUrl?: string | undefined
  readonly apiKey?: Redacted.Redacted | undefined
  /** Sent with every request, over the ones of ours; such as `anthropic-beta`, or another `anthropic-version`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The most tokens of an answer whose request names no `max_completion_tokens` or `max_tokens`. Default: 16384. */
  readonly maxTokens?: number | undefined
  /** What its errors mean where the table does not know, or knows otherwise; asked before the table. */
  readonly errors?: ReadonlyArray<Row> | undefined
  readonly upstream: Upstream
}

/**
 * An account of Anthropic's as a provider.
 *
 * **Details**
 * - Sends `anthropic-version: 2023-06-01`, the last one that takes `temperature` and `top_p`.
 * - Numbers, JSON schemas and the arguments of tools go through as they are written, in both directions.
 * - Thinking is passed over; its tokens are counted.
 * - A field without a counterpart, and one that the model does not take, is a failure of kind `unsupported`.
 * - An error is put into OpenAI's envelope, with its status and message.
 * - Otherwise as `OpenAiCompatible.make`: no headers of the caller's, no redirects, and a stream that is cut short
 *   is a failure.
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
