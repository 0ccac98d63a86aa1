import { assert } from "@effect/vitest"
import { Attempt, Policy } from "@understudy/core"
import { Array as Arr, Cause, Effect, Either, Exit, Option, Stream } from "effect"
import {
  OpenAiCompatible,
  type Provider,
  ProviderError,
  type Quirks,
  Route,
  Sse,
  Upstream
} from "../src/index.ts"
import { bytes, sse, text } from "./scripted.ts"

/** What an upstream sends of a stream, and whether the connection breaks after that. */
export interface Act {
  readonly status?: number
  readonly sends: ReadonlyArray<string>
  readonly breaks?: boolean
}

export const whole = (...sends: ReadonlyArray<string>): Act => ({ sends })
export const broken = (...sends: ReadonlyArray<string>): Act => ({ sends, breaks: true })
export const refuses = (status: number): Act => ({ status, sends: ['{"error":{"message":"secret"}}'] })

/** The chunks of one answer, each an event of its own. */
export const chunks = (id: string) => {
  const chunk = (delta: object, finish_reason: string | null = null, more: object = {}): string =>
    `data: ${JSON.stringify({
      id,
      object: "chat.completion.chunk",
      created: id.length,
      model: `model-${id}`,
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
      ...more
    })}\n\n`
  return {
    chunk,
    role: chunk({ role: "assistant", content: "" }),
    says: (...words: ReadonlyArray<string>) => words.map((content) => chunk({ content })),
    stop: chunk({}, "stop"),
    usage: (usage: object) =>
      `data: ${JSON.stringify({ id, object: "chat.completion.chunk", created: id.length, model: `model-${id}`, choices: [], usage })}\n\n`,
    done: "data: [DONE]\n\n"
  }
}

export const first = chunks("first")
export const second = chunks("second")

type Acts = Act | ((request: string) => Act)

/** A provider that does this, and the requests that it got. */
export const upstream = (acts: Acts, options: Partial<OpenAiCompatible.Options> = { prefill: true }) => {
  const asked: Array<string> = []
  const upstream: Upstream.Upstream = {
    send: ({ body: request = new Uint8Array() }) => {
      asked.push(text(request))
      const { breaks = false, sends, status = 200 } = typeof acts === "function" ? acts(text(request)) : acts
      const broken = Stream.fail(new Upstream.TransportError({ reason: "connection", code: "ECONNRESET" }))
      const body = Stream.fromIterable(sends).pipe(Stream.map(bytes))
      return Upstream.respond({ status, headers: sse, body: breaks ? Stream.concat(body, broken) : body })
    }
  }
  return {
    asked,
    provider: OpenAiCompatible.make({ name: "up", baseUrl: "http://up.example/v1", upstream, ...options })
  }
}

type Tier = { readonly provider: Provider.Provider; readonly continue?: Route.Continue } & Quirks.Quirks

/** A route over these tiers, called `tier1`, `tier2`, …, none of which tries again. */
export const routeOf = (...tiers: Arr.NonEmptyReadonlyArray<Tier>) =>
  Effect.suspend(() => {
    const policy = Either.getOrThrow(
      Policy.decode({
        tiers: Arr.map(tiers, (_, index) => ({ name: `tier${index + 1}`, retry: { times: 0 } }))
      })
    )
    return Route.make("chat", {
      ...policy,
      tiers: Arr.map(policy.tiers, (tier, index) => ({ ...tier, model: `m${index + 1}`, ...tiers[index]! }))
    })
  })

export const hi = '{"model":"chat","stream":true,"messages":[{"role":"user","content":"Hi"}]}'

/** What a caller of this request is given, and how that ends. */
export const stream = (route: Route.Route, body = hi, n?: number) =>
  Effect.gen(function* () {
    const parts: Array<Provider.Part> = []
    const events: Array<Attempt.Event> = []
    const request = { model: "chat", stream: true, body: bytes(body), ...(n !== undefined && { n }) }
    const exit = yield* route.stream(request).pipe(
      Stream.runForEach((part) => Effect.sync(() => parts.push(part))),
      Effect.provideService(Attempt.Listener, (event) => events.push(event)),
      Effect.exit
    )
    const error = Option.getOrUndefined(Option.flatMap(Exit.causeOption(exit), Cause.failureOption))
    const sent = parts.map((part) => text(part.bytes)).join("")
    return {
      ...read(sent),
      sent,
      parts,
      events,
      error: error instanceof ProviderError.ProviderError ? error.kind : error
    }
  })

/** What a caller is given where the first tier sends this and breaks off, and this upstream goes on with it. */
export const resumed = (
  sends: ReadonlyArray<string>,
  standby: ReturnType<typeof upstream>,
  way: Route.Continue,
  ...asked: [body?: string, n?: number]
) =>
  Effect.gen(function* () {
    const primary = upstream(broken(first.role, ...sends))
    const route = yield* routeOf(
      { provider: primary.provider },
      { provider: standby.provider, continue: way }
    )
    return { ...(yield* stream(route, ...asked)), primary, standby }
  })

/** A stream as a client of OpenAI's reads it. */
const read = (sent: string) => {
  const data = Sse.make()
    .push(bytes(sent))
    .flatMap(({ data }) => data ?? [])
  const json = data.filter((data) => data !== "[DONE]").map((data) => JSON.parse(data))
  const deltas = json.flatMap(({ choices }) =>
    (choices ?? []).map((choice: { delta: object }) => choice.delta)
  )
  return {
    json,
    said: deltas.map(({ content = "" }) => content).join(""),
    roles: deltas.filter(({ role }) => role !== undefined).length,
    ends: json.flatMap(({ choices }) =>
      (choices ?? []).flatMap(({ finish_reason }: { finish_reason: unknown }) => finish_reason ?? [])
    ),
    dones: data.filter((data) => data === "[DONE]").length,
    heads: new Set(json.map(({ created, id, model }) => `${id} ${created} ${model}`))
  }
}

/** The attempts of a run and its end, in a line each. */
export const told = (events: ReadonlyArray<Attempt.Event>): ReadonlyArray<string> =>
  events.flatMap((event) => {
    switch (event._tag) {
      case "AttemptEnded": {
        const { errorType = "", outcome, tier } = event.attempt
        return [`${tier} ${outcome} ${errorType}`.trim()]
      }
      case "RunEnded":
        return [`run ${event.outcome} by ${event.servedBy}`]
      default:
        return []
    }
  })

export const assertWhole = (got: Effect.Effect.Success<ReturnType<typeof stream>>, said: string) =>
  assert.deepStrictEqual(
    {
      said: got.said,
      roles: got.roles,
      ends: got.ends,
      dones: got.dones,
      heads: got.heads.size,
      error: got.error
    },
    { said, roles: 1, ends: ["stop"], dones: 1, heads: 1, error: undefined }
  )

export const assertCut = (
  got: Effect.Effect.Success<ReturnType<typeof stream>>,
  said: string,
  error: unknown
) =>
  assert.deepStrictEqual(
    { said: got.said, ends: got.ends, dones: got.dones, heads: got.heads.size, error: got.error },
    { said, ends: [], dones: 0, heads: 1, error }
  )
