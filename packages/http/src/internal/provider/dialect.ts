import * as Deadline from "@understudy/core/Deadline"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { ChatRequest } from "../../ChatCompletion.ts"
import type * as ErrorTable from "../../ErrorTable.ts"
import type { Answer, Provider } from "../../Provider.ts"
import * as ProviderError from "../../ProviderError.ts"
import * as Quirks from "../../Quirks.ts"
import type { Response, TransportError, Upstream } from "../../Upstream.ts"
import { collect } from "../bytes/bytes.ts"
import * as Json from "../bytes/json.ts"
import * as Utf8 from "../bytes/utf8.ts"
import { type ChatReader, chatStream, malformed } from "../stream/chatStream.ts"
import * as ErrorBody from "./errorBody.ts"
import { answered, asked, type Facts } from "./genAi.ts"

/** The differences between protocols: how a request is written, and how its answer is read. */
interface Dialect {
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>
  readonly exchange: Asking<Exchange>
  /** Undefined if it has none. */
  readonly embeddings?: Asking<Omit<Exchange, "reader">> | undefined
  readonly classify: (response: ErrorTable.Response, nowMillis: number) => ProviderError.ProviderError
}

type Asking<A> = (request: ChatRequest, model: string) => Effect.Effect<A, ProviderError.ProviderError>

/** One request, with the readers of its answer. */
interface Exchange {
  readonly url: string
  readonly body: Uint8Array
  readonly readWhole: (body: Uint8Array) => Whole
  /** The reader of a streamed answer. */
  readonly reader: () => ChatReader
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
  { classify, embeddings, exchange, headers }: Dialect
): Provider => {
  const adapt = Quirks.adapt(account.quirks)
  const keys = keysIn(headers)

  const failed = (response: Response, body: Uint8Array): Effect.Effect<never, ProviderError.ProviderError> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      classify({ status: response.status, headers: response.headers, body: without(keys, body) }, now)
    )

  const rejected = (response: Response): Effect.Effect<never, ProviderError.ProviderError> =>
    Effect.flatMap(errorBody(response), (body) => failed(response, body))

  /** A stream was requested: any other response is no answer, but may contain an error. */
  const noStream = (response: Response): Effect.Effect<never, ProviderError.ProviderError> =>
    Effect.flatMap(errorBody(response), (body) =>
      ErrorBody.isError(Json.parse(Utf8.decode(body)))
        ? failed(response, body)
        : Effect.fail(invalidAnswer(response.status))
    )

  const onHead = {
    onFailure: (cause: Cause.Cause<TransportError>) => Effect.failCause(Cause.map(cause, fromTransport)),
    onSuccess: (response: Response) =>
      Effect.zipRight(
        answeredWith(response),
        response.status >= 200 && response.status < 300 ? Effect.succeed(response) : rejected(response)
      )
  }

  const asks = <X extends Omit<Exchange, "reader">, A, R>(
    ask: Asking<X>,
    accept: string,
    read: (asking: X) => (response: Response) => Effect.Effect<A, ProviderError.ProviderError, R>
  ) => {
    const accepting = { accept, ...headers }
    const send = ({ body, url }: X) =>
      Effect.matchCauseEffect(
        account.upstream.send({ method: "POST", url, headers: accepting, body }),
        onHead
      )
    return (
      request: ChatRequest,
      model: string
    ): Effect.Effect<A, ProviderError.ProviderError, R | Scope.Scope> =>
      Effect.suspend(() => {
        const adapted = adapt(request)
        return Effect.matchCauseEffect(Effect.zipRight(asked(adapted), ask(adapted, model)), {
          onSuccess: (asking) => Effect.flatMap(send(asking), read(asking)),
          onFailure: notAsked
        })
      })
  }

  const whole = (ask: Asking<Omit<Exchange, "reader">>): Provider["complete"] =>
    asks(
      ask,
      "application/json",
      ({ readWhole }) =>
        (response) =>
          Effect.matchEffect(collect(response.read, maxAnswerBytes, tooLarge(response)), {
            onFailure: (error) => Effect.fail(error._tag === "TransportError" ? fromTransport(error) : error),
            onSuccess: (body) =>
              judged(
                response,
                orMalformed(() => readWhole(body))
              )
          })
    )

  const judged = (response: Response, whole: Whole): Effect.Effect<Answer, ProviderError.ProviderError> => {
    switch (whole._tag) {
      case "Answer":
        return Effect.as(answered(whole.facts), { body: whole.body, usage: whole.facts.usage })
      case "Error":
        return failed(response, Utf8.encode(whole.body))
      case "Malformed":
        return Effect.fail(invalidAnswer(response.status))
    }
  }

  const stream: Provider["stream"] = asks(
    exchange,
    "text/event-stream",
    ({ reader }) =>
      (response) =>
        isEventStream(response)
          ? chatStream(response.read, careful(reader()), {
              inTransport: fromTransport,
              // Only the event's data goes back to the caller.
              inEvent: (body) => failed({ ...response, headers: asJson(response.headers) }, Utf8.encode(body))
            })
          : noStream(response)
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

const nothing = new Uint8Array()

/**
 * An exception caused by a request is an ordinary failure. As a defect it would open the tier's breaker for everybody,
 * and no other tier would be asked.
 */
const notAsked = (
  cause: Cause.Cause<ProviderError.ProviderError>
): Effect.Effect<never, ProviderError.ProviderError> =>
  Cause.isDie(cause) ? ProviderError.make({ kind: "unsupported" }) : Effect.failCause(cause)

const orMalformed = <A>(read: () => A): A | typeof malformed => {
  try {
    return read()
  } catch {
    return malformed
  }
}

const careful = ({ facts, hasAll, isWhole, read }: ChatReader): ChatReader => ({
  read: (event) => orMalformed(() => read(event)),
  isWhole,
  hasAll,
  facts
})

/** Annotates the attempt's span, if there is one. */
const answeredWith = ({ status }: Response): Effect.Effect<void> =>
  Effect.withFiberRuntime(({ currentSpan }) => {
    if (currentSpan?._tag === "Span") currentSpan.attribute("http.response.status_code", status)
    return Effect.void
  })

/** A body that does not end, or breaks off, is still the error of its status. */
const errorBody = (response: Response): Effect.Effect<Uint8Array> =>
  Effect.match(
    Deadline.timeoutOption(collect(response.read, maxErrorBytes, tooLarge(response)), errorWithin),
    {
      onFailure: () => nothing,
      onSuccess: Option.getOrElse(() => nothing)
    }
  )

/** As a server would quote them. What is shorter is no key, but a word that a server wants to hear. */
const keysIn = (headers: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  Object.entries(headers)
    .filter(([name]) => /authorization|key|token|secret/.test(name))
    .map(([, value]) => value.replace(/^\S+ +/, ""))
    .filter((key) => key.length >= 8)

/** An error may go on to the caller, and some servers quote the header that they could not make sense of. */
const without = (keys: ReadonlyArray<string>, body: Uint8Array): Uint8Array => {
  const text = Utf8.decode(body)
  const quoted = keys.filter((key) => text.includes(key))
  if (quoted.length === 0) return body
  return Utf8.encode(quoted.reduce((text, key) => text.replaceAll(key, "<redacted>"), text))
}

const asJson = (headers: Response["headers"]): Response["headers"] => ({
  ...headers,
  "content-type": "application/json"
})

const maxErrorBytes = 1024 * 1024
const errorWithin = "2 seconds"
const maxAnswerBytes = 64 * 1024 * 1024

const invalidAnswer = (status: number): ProviderError.ProviderError =>
  ProviderError.make({ kind: "invalid_answer", status })

/** Lazily, since creating an error costs more than the reading. */
const tooLarge = ({ status }: Response): Effect.Effect<never, ProviderError.ProviderError> =>
  Effect.suspend(() => invalidAnswer(status))

const fromTransport = ({ code, reason }: TransportError): ProviderError.ProviderError =>
  ProviderError.make({ kind: reason, code })

const isEventStream = ({ headers }: Response): boolean =>
  (headers["content-type"] ?? "").toLowerCase().startsWith("text/event-stream")

const serverOf = (baseUrl: string): Provider["server"] => {
  const { hostname, port, protocol } = new URL(baseUrl)
  if (hostname.endsWith(".invalid")) return undefined
  return { address: hostname, port: port === "" ? (protocol === "http:" ? 80 : 443) : Number(port) }
}
