import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ChatRequest } from "../../ChatCompletion.ts"
import type * as ErrorTable from "../../ErrorTable.ts"
import type { Provider } from "../../Provider.ts"
import * as ProviderError from "../../ProviderError.ts"
import * as Quirks from "../../Quirks.ts"
import type { Response, TransportError, Upstream } from "../../Upstream.ts"
import { collect } from "../bytes/bytes.ts"
import * as Utf8 from "../bytes/utf8.ts"
import { type ChatReader, chatStream } from "../stream/chatStream.ts"
import { answered, asked, type Facts } from "./genAi.ts"

/** What sets one protocol apart from another: how a request is put, and how what comes back is read. */
export interface Dialect {
  readonly exchange: Asking<Exchange>
  /** Undefined where it has none. */
  readonly embeddings?: Asking<Omit<Exchange, "reader">> | undefined
  readonly classify: (response: ErrorTable.Response, nowMillis: number) => ProviderError.ProviderError
}

type Asking<A> = (request: ChatRequest, model: string) => Effect.Effect<A, ProviderError.ProviderError>

/** One request, and the readers of its answer. */
export interface Exchange {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly readWhole: (body: Uint8Array) => Whole
  readonly reader: ChatReader
}

export type Whole =
  | { readonly _tag: "Answer"; readonly body: Uint8Array; readonly facts: Facts }
  | { readonly _tag: "Error"; readonly body: string }
  | { readonly _tag: "Malformed" }

/** A provider that speaks this dialect to one account. */
export const provider = (
  account: {
    readonly name: string
    readonly system: string
    readonly baseUrl: string
    readonly upstream: Upstream
    readonly quirks: Quirks.Quirks
    readonly prefill?: Pick<Quirks.Prefill, "answer"> | undefined
  },
  { classify, embeddings, exchange }: Dialect
): Provider => {
  const adapt = Quirks.adapt(account.quirks)

  const failed = (response: Response, body: Uint8Array): Effect.Effect<never, ProviderError.ProviderError> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      classify({ status: response.status, headers: response.headers, body }, now)
    )

  const rejected = (response: Response): Effect.Effect<never, ProviderError.ProviderError> =>
    collect(response.read, maxErrorBytes, tooLarge(response)).pipe(
      Effect.timeout(errorWithin),
      // An error that does not end, or breaks off, is still the error its status says.
      Effect.orElseSucceed(() => new Uint8Array()),
      Effect.flatMap((body) => failed(response, body))
    )

  const send = ({ body, headers, url }: Omit<Exchange, "reader">, accept: string) =>
    account.upstream.send({ method: "POST", url, headers: { accept, ...headers }, body }).pipe(
      Effect.mapError(fromTransport),
      Effect.tap(({ status }) => Effect.annotateCurrentSpan("http.response.status_code", status)),
      Effect.flatMap((response) =>
        response.status >= 200 && response.status < 300 ? Effect.succeed(response) : rejected(response)
      )
    )

  const whole =
    (ask: Asking<Omit<Exchange, "reader">>): Provider["complete"] =>
    (request, model) =>
      Effect.gen(function* () {
        const adapted = adapt(request)
        yield* asked(adapted)
        const asking = yield* ask(adapted, model)
        const response = yield* send(asking, "application/json")
        const body = yield* collect(
          Effect.mapError(response.read, fromTransport),
          maxAnswerBytes,
          tooLarge(response)
        )
        const whole = asking.readWhole(body)
        switch (whole._tag) {
          case "Answer":
            yield* answered(whole.facts)
            return { body: whole.body, usage: whole.facts.usage }
          case "Error":
            return yield* failed(response, Utf8.encode(whole.body))
          case "Malformed":
            return yield* invalidAnswer(response.status)
        }
      })

  const stream: Provider["stream"] = (request, model) =>
    Stream.unwrapScoped(
      Effect.gen(function* () {
        const adapted = adapt(request)
        yield* asked(adapted)
        const asking = yield* exchange(adapted, model)
        const response = yield* send(asking, "text/event-stream")
        if (!isEventStream(response)) return Stream.fail(invalidAnswer(response.status))
        return chatStream(Effect.mapError(response.read, fromTransport), asking.reader, (body) =>
          failed(response, Utf8.encode(body))
        )
      })
    )

  return {
    name: account.name,
    system: account.system,
    server: serverOf(account.baseUrl),
    complete: whole(exchange),
    stream,
    embeddings: embeddings && whole(embeddings),
    prefill: account.prefill?.answer
  }
}

const maxErrorBytes = 1024 * 1024
const errorWithin = "2 seconds"
const maxAnswerBytes = 64 * 1024 * 1024

const invalidAnswer = (status: number): ProviderError.ProviderError =>
  ProviderError.make({ kind: "invalid_answer", status })

/** Made when it comes to it: an error costs more than all the reading. */
const tooLarge = ({ status }: Response): Effect.Effect<never, ProviderError.ProviderError> =>
  Effect.suspend(() => invalidAnswer(status))

const fromTransport = (error: TransportError): ProviderError.ProviderError =>
  ProviderError.make({ kind: error.reason })

const isEventStream = ({ headers }: Response): boolean =>
  (headers["content-type"] ?? "").toLowerCase().startsWith("text/event-stream")

const serverOf = (baseUrl: string): Provider["server"] => {
  const { hostname, port, protocol } = new URL(baseUrl)
  if (hostname.endsWith(".invalid")) return undefined
  return { address: hostname, port: port === "" ? (protocol === "http:" ? 80 : 443) : Number(port) }
}
