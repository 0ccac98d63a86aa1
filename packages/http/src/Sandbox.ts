/**
 * A provider without a network: it makes up its answers, and fails at random or by script.
 *
 * It is an {@link Upstream} that speaks OpenAI's protocol, so that everything above it is production code. It continues
 * a final assistant message with the words that come next.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Random from "effect/Random"
import { readRequest } from "./ChatCompletion.ts"
import * as Answers from "./internal/provider/sandboxAnswer.ts"
import { prefixIn } from "./internal/stream/prefill.ts"
import * as OpenAiCompatible from "./OpenAiCompatible.ts"
import type { Provider } from "./Provider.ts"
import { respond, TransportError, type Upstream } from "./Upstream.ts"

/**
 * How the sandbox behaves.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Time to the answer, or to a stream's first content. Default: 120 ms. */
  readonly latency?: Latency | undefined
  /** Time between two words of a stream. Default: 20 ms. */
  readonly chunkEvery?: Duration.DurationInput | undefined
  /** The share of calls that get an error, and its status; ignored if there is a script. Default: none. */
  readonly failure?: { readonly status: number; readonly rate: number } | undefined
  /** The result of each call in turn, starting over at the end. Default: none, results are random. */
  readonly script?: ReadonlyArray<Word | Turn> | undefined
}

/**
 * A time, or one drawn evenly from a range.
 *
 * @since 0.1.0
 * @category models
 */
export type Latency =
  | Duration.DurationInput
  | { readonly from: Duration.DurationInput; readonly to: Duration.DurationInput }

/**
 * The result of a call in one word: an answer, endless silence, a connection that breaks before the answer, or HTML in
 * its place.
 *
 * @since 0.1.0
 * @category models
 */
export type Word = "ok" | "hang" | "reset" | "nonsense"

/**
 * The result of a call. Default: an answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Turn {
  /** For this many calls in a row. Default: 1. */
  readonly times?: number | undefined
  /** Default: the sandbox's. */
  readonly latency?: Latency | undefined
  /** Default: the sandbox's. */
  readonly chunkEvery?: Duration.DurationInput | undefined
  /** An error of this status in place of an answer. */
  readonly status?: number | undefined
  /** The error's code. */
  readonly code?: string | undefined
  /** The error's `Retry-After`. */
  readonly retryAfter?: Duration.DurationInput | undefined
  /**
   * How an answer breaks off: endless silence, a broken connection, a premature end, or an error with status 200.
   */
  readonly breaks?: "hang" | "reset" | "end" | "error" | undefined
  /** How many words of it come before that; for a whole answer, the same share of it. Default: 0. */
  readonly after?: number | undefined
}

/**
 * The sandbox as a provider.
 *
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
    prefill: true,
    upstream: upstream(options)
  })

/**
 * The sandbox as an upstream; its faults and waits come from `Random` and `Clock`.
 *
 * @example
 * import { Effect } from "effect"
 * import { Sandbox } from "@understudy/http"
 *
 * const script = [{ status: 429, times: 2 }, "ok"] as const
 * const { send } = Sandbox.upstream({ latency: 0, script })
 * const body = new TextEncoder().encode('{"model":"sandbox-large","messages":[]}')
 * const call = send({ method: "POST", url: "http://sandbox.invalid", headers: {}, body })
 * const calls = Effect.replicateEffect(Effect.scoped(call), 4)
 *
 * console.log((await Effect.runPromise(calls)).map(({ status }) => status)) // => [ 429, 429, 200, 429 ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const upstream = (options: Options): Upstream => {
  const script = options.script?.flatMap((turn) => Array<Word | Turn>(timesOf(turn)).fill(turn)) ?? []
  let calls = 0
  const turn = Effect.suspend(() => {
    // Without a script the remainder is `NaN`, which is no index.
    const scripted = script[calls++ % script.length]
    return scripted === undefined ? byChance(options.failure) : Effect.succeed(scripted)
  })
  return {
    send: ({ body = new Uint8Array(), url }) =>
      Effect.flatMap(
        Effect.gen(function* () {
          const now = yield* turn
          const { chunkEvery, latency, ...rest }: Turn = typeof now === "string" ? {} : now
          yield* Effect.flatMap(drawn(latency ?? options.latency ?? "120 millis"), Effect.sleep)
          if (now === "hang") return yield* Effect.never
          if (now === "reset") return yield* new TransportError({ reason: "connection", code: "ECONNRESET" })
          if (now === "nonsense") return Answers.html
          if (rest.status !== undefined) return Answers.failure({ ...rest, status: rest.status })
          if (url.endsWith("/embeddings")) return embedded(body)
          return yield* answer(body, rest, Duration.decode(chunkEvery ?? options.chunkEvery ?? "20 millis"))
        }),
        respond
      )
  }
}

const timesOf = (turn: Word | Turn): number => (typeof turn === "string" ? 1 : (turn.times ?? 1))

const byChance = ({ rate, status } = { rate: 0, status: 503 }): Effect.Effect<Word | Turn> =>
  Effect.map(Random.next, (random) => (random < rate ? { status } : "ok"))

const drawn = (latency: Latency): Effect.Effect<Duration.Duration> => {
  if (!(typeof latency === "object" && "from" in latency)) return Effect.succeed(Duration.decode(latency))
  const [from, to] = [Duration.toMillis(latency.from), Duration.toMillis(latency.to)]
  return Effect.map(Random.nextRange(from, to), Duration.millis)
}

const embedded = (body: Uint8Array): Answers.Said =>
  Either.match(readRequest(body), {
    onLeft: () => Answers.failure({ status: 400 }),
    onRight: ({ model }) => Answers.embeddings(model, body)
  })

const answer = (
  body: Uint8Array,
  { after = 0, breaks }: Turn,
  chunkEvery: Duration.Duration
): Effect.Effect<Answers.Said> =>
  Effect.gen(function* () {
    const request = readRequest(body)
    if (request._tag === "Left") return Answers.failure({ status: 400 })
    const { model, stream } = request.right
    const head = {
      id: `chatcmpl-${(yield* Random.nextIntBetween(0, 2 ** 31)).toString(36)}`,
      created: Math.floor((yield* Clock.currentTimeMillis) / 1000),
      model
    }
    const broken = breaks && { after, breaks }
    const words = Answers.wordsOf(model, prefixIn(body))
    return stream
      ? Answers.streamed(head, words, { chunkEvery, includeUsage: Answers.asksForUsage(body) }, broken)
      : Answers.whole(head, words, broken)
  })
