/**
 * A provider that speaks OpenAI's own protocol. The caller's bytes are sent as they came but for the model's name,
 * and the upstream's answer is given back as it came.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type ChatRequest, readAnswer, withModel } from "./ChatCompletion.ts"
import * as ErrorTable from "./ErrorTable.ts"
import { collect } from "./internal/bytes.ts"
import { chatStream } from "./internal/chatStream.ts"
import * as Utf8 from "./internal/utf8.ts"
import type { Answer, Provider } from "./Provider.ts"
import * as ProviderError from "./ProviderError.ts"
import type { Response, TransportError, Upstream } from "./Upstream.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly name: string
  /** With its version path, such as `https://api.openai.com/v1`. */
  readonly baseUrl: string
  readonly apiKey?: Redacted.Redacted | undefined
  /** Sent with every request, over the ones of ours. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** OpenTelemetry's `gen_ai.provider.name`. Default: `openai`. */
  readonly system?: string | undefined
  readonly upstream: Upstream
}

/**
 * **Details**
 * - Nothing of the caller's headers is sent on, only this provider's own key and headers.
 * - Redirects are not followed, and an upstream's error is read to 1 MiB at most, a whole answer to 64 MiB.
 * - A stream ends with success only when every choice was finished by the model; a `[DONE]` alone is no proof.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { OpenAiCompatible, type Upstream } from "@understudy/http"
 *
 * const upstream: Upstream.Upstream = {
 *   send: ({ url }) => Effect.succeed({ status: 404, headers: { "x-asked": url }, body: Stream.empty })
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
  const url = `${options.baseUrl.replace(/\/+$/, "")}/chat/completions`
  const headers = {
    "content-type": "application/json",
    ...(options.apiKey && { authorization: `Bearer ${Redacted.value(options.apiKey)}` }),
    ...Record.mapKeys(options.headers ?? {}, (name) => name.toLowerCase())
  }

  const send = (request: ChatRequest, model: string, accept: string) =>
    options.upstream
      .send({
        method: "POST",
        url,
        headers: { accept, ...headers },
        body: withModel(request.body, model)
      })
      .pipe(
        Effect.mapError(fromTransport),
        Effect.tap(({ status }) => Effect.annotateCurrentSpan("http.response.status_code", status)),
        Effect.flatMap((response) =>
          response.status >= 200 && response.status < 300 ? Effect.succeed(response) : rejected(response)
        )
      )

  const complete = (
    request: ChatRequest,
    model: string
  ): Effect.Effect<Answer, ProviderError.ProviderError, Scope.Scope> =>
    Effect.gen(function* () {
      const response = yield* send(request, model, "application/json")
      const body = yield* collect(Stream.mapError(response.body, fromTransport), maxAnswerBytes)
      const view = readAnswer(body)
      switch (view._tag) {
        case "Answer":
          return { body, usage: view.usage }
        case "Error":
          return yield* errorIn(response, view.body)
        case "Malformed":
          return yield* invalidAnswer(response.status)
      }
    })

  const stream: Provider["stream"] = (request, model) =>
    Stream.unwrapScoped(
      Effect.map(send(request, model, "text/event-stream"), (response) =>
        isEventStream(response)
          ? chatStream(Stream.mapError(response.body, fromTransport), (body) => errorIn(response, body))
          : Stream.fail(invalidAnswer(response.status))
      )
    )

  return {
    name: options.name,
    system: options.system ?? "openai",
    server: serverOf(options.baseUrl),
    complete,
    stream
  }
}

const maxErrorBytes = 1024 * 1024
const maxAnswerBytes = 64 * 1024 * 1024

const rejected = (response: Response): Effect.Effect<never, ProviderError.ProviderError> =>
  Effect.gen(function* () {
    const body = yield* collect(Stream.mapError(response.body, fromTransport), maxErrorBytes).pipe(
      // An error that does not end, or breaks off, is still the error its status says.
      Effect.orElseSucceed(() => new Uint8Array())
    )
    const now = yield* Clock.currentTimeMillis
    return yield* ErrorTable.classify({ status: response.status, headers: response.headers, body }, now)
  })

const errorIn = (response: Response, body: string): Effect.Effect<never, ProviderError.ProviderError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    ErrorTable.classify({ status: response.status, headers: response.headers, body: Utf8.encode(body) }, now)
  )

const invalidAnswer = (status: number): ProviderError.ProviderError =>
  ProviderError.make({ kind: "invalid_answer", status })

const fromTransport = (error: TransportError): ProviderError.ProviderError =>
  ProviderError.make({ kind: error.reason })

const isEventStream = ({ headers }: Response): boolean =>
  (headers["content-type"] ?? "").toLowerCase().startsWith("text/event-stream")

const serverOf = (baseUrl: string): Provider["server"] => {
  const { hostname, port, protocol } = new URL(baseUrl)
  if (hostname.endsWith(".invalid")) return undefined
  return { address: hostname, port: port === "" ? (protocol === "http:" ? 80 : 443) : Number(port) }
}
