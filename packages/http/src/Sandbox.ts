/**
 * A provider without a network: it answers by itself, and fails as often as it is told.
 *
 * It is an {@link Upstream} that speaks OpenAI's protocol, so that everything above it is the production code.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { readRequest } from "./ChatCompletion.ts"
import * as Utf8 from "./internal/utf8.ts"
import * as OpenAiCompatible from "./OpenAiCompatible.ts"
import type { Provider } from "./Provider.ts"
import * as Sse from "./Sse.ts"
import type { Response, Upstream } from "./Upstream.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Time to the answer, or to a stream's first content. Default: 120 ms. */
  readonly latency?: Duration.DurationInput | undefined
  /** Time between two words of a stream. Default: 20 ms. */
  readonly chunkEvery?: Duration.DurationInput | undefined
  /** The share of calls that get an error, and its status. Default: none. */
  readonly failure?: { readonly status: number; readonly rate: number } | undefined
}

/**
 * @example
 * import { Effect } from "effect"
 * import { Sandbox } from "@understudy/http"
 *
 * const body = new TextEncoder().encode('{"model":"chat","messages":[]}')
 * const sandbox = Sandbox.make({ name: "sandbox", latency: "1 millis" })
 * const answer = await Effect.runPromise(
 *   Effect.scoped(sandbox.complete({ model: "chat", stream: false, body }, "sandbox-large"))
 * )
 *
 * console.log(JSON.parse(new TextDecoder().decode(answer.body)).model) // => sandbox-large
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options & { readonly name: string }): Provider =>
  OpenAiCompatible.make({
    ...options,
    system: "sandbox",
    baseUrl: "http://sandbox.invalid/v1",
    upstream: upstream(options)
  })

/**
 * The sandbox as the upstream it is; its faults and waits come from `Random` and `Clock`.
 *
 * @example
 * import { Effect } from "effect"
 * import { Sandbox } from "@understudy/http"
 *
 * const { send } = Sandbox.upstream({ failure: { status: 503, rate: 1 }, latency: 0 })
 * const body = new TextEncoder().encode('{"model":"sandbox-large","messages":[]}')
 * const request = { method: "POST", url: "http://sandbox.invalid", headers: {}, body } as const
 *
 * console.log((await Effect.runPromise(Effect.scoped(send(request)))).status) // => 503
 *
 * @since 0.1.0
 * @category constructors
 */
export const upstream = (options: Options): Upstream => {
  const latency = Duration.decode(options.latency ?? "120 millis")
  const chunkEvery = Duration.decode(options.chunkEvery ?? "20 millis")
  const { rate, status } = options.failure ?? { rate: 0, status: 503 }
  return {
    send: ({ body = new Uint8Array() }) =>
      Effect.gen(function* () {
        yield* Effect.sleep(latency)
        if ((yield* Random.next) < rate) return failure(status)
        const request = readRequest(body ?? new Uint8Array())
        if (request._tag === "Left") return failure(400)
        const { model, stream } = request.right
        const head = {
          id: `chatcmpl-${(yield* Random.nextIntBetween(0, 2 ** 31)).toString(36)}`,
          created: Math.floor((yield* Clock.currentTimeMillis) / 1000),
          model
        }
        return stream ? streamed(head, chunkEvery) : whole(head)
      })
  }
}

const words = (model: string): ReadonlyArray<string> =>
  `The show goes on: this is ${model}, reading the part.`.split(/(?<= )/)

const usage = (model: string) => {
  const completion_tokens = words(model).length
  return { prompt_tokens: 8, completion_tokens, total_tokens: 8 + completion_tokens }
}

interface Head {
  readonly id: string
  readonly created: number
  readonly model: string
}

const whole = (head: Head): Response =>
  json(200, {
    ...head,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: words(head.model).join(""), refusal: null },
        logprobs: null,
        finish_reason: "stop"
      }
    ],
    usage: usage(head.model)
  })

const streamed = (head: Head, chunkEvery: Duration.Duration): Response => {
  const chunk = (delta: object, finish_reason: string | null = null) =>
    Sse.data(
      JSON.stringify({
        ...head,
        object: "chat.completion.chunk",
        choices: [{ index: 0, delta, logprobs: null, finish_reason }]
      })
    )
  const content = Stream.fromIterable(words(head.model)).pipe(
    Stream.mapEffect((word) => Effect.as(Effect.sleep(chunkEvery), chunk({ content: word })))
  )
  return {
    status: 200,
    headers: { "content-type": "text/event-stream" },
    body: Stream.make(chunk({ role: "assistant", content: "" })).pipe(
      Stream.concat(content),
      Stream.concat(Stream.make(chunk({}, "stop"), Sse.done))
    )
  }
}

const failure = (status: number): Response =>
  json(status, {
    error: {
      message: "The sandbox fails as often as it is told.",
      type: "sandbox_error",
      param: null,
      code: null
    }
  })

const json = (status: number, body: object): Response => ({
  status,
  headers: { "content-type": "application/json" },
  body: Stream.make(Utf8.encode(JSON.stringify(body)))
})
