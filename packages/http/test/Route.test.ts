import { assert, describe, it } from "@effect/vitest"
import { Attempt, CircuitBreaker, Policy } from "@understudy/core"
import { Array as Arr, Duration, Effect, Either, Stream, TestClock } from "effect"
import { type Provider, ProviderError, Route } from "../src/index.ts"
import { bytes, text } from "./scripted.ts"

const body = bytes('{"model":"chat","messages":[]}')

/** A provider that fails with these kinds in turn, then answers, and notes the models it was asked for. */
const scripted = (name: string, ...kinds: ReadonlyArray<ProviderError.Kind>) => {
  const left = [...kinds]
  const asked: Array<string> = []
  const next = (model: string) =>
    Effect.suspend(() => {
      asked.push(model)
      const kind = left.shift()
      return kind === undefined ? Effect.void : Effect.fail(ProviderError.make({ kind }))
    })
  const provider: Provider.Provider = {
    name,
    system: "scripted",
    server: undefined,
    complete: (_, model) => Effect.as(next(model), { body, usage: undefined }),
    stream: (_, model) =>
      Stream.toPull(
        Stream.as(Stream.fromEffect(next(model)), { bytes: body, content: true, usage: undefined })
      )
  }
  return { provider, asked }
}

/** A policy whose tiers ask these providers, each for the model of the tier's name. */
const policy = (tiers: Readonly<Record<string, Provider.Provider>>, breaker = {}) => {
  const names = Arr.map(Object.keys(tiers), (name) => ({
    name,
    retry: { times: 0 },
    breaker: { openFor: "10s", jitter: 0, ...breaker }
  }))
  assert(Arr.isNonEmptyReadonlyArray(names))
  const decoded = Either.getOrThrow(Policy.decode({ tiers: [names[0], ...names.slice(1)] }))
  return {
    ...decoded,
    tiers: Arr.map(decoded.tiers, (tier) => ({ ...tier, provider: tiers[tier.name]!, model: tier.name }))
  }
}

/** One run: the tier that answered or the error's message, and the breakers that moved. */
const run = ({ complete, name, stream }: Route.Route, streamed = false) =>
  Effect.suspend(() => {
    const moved: Array<string> = []
    const request = { model: name, stream: streamed, body }
    const ended = streamed ? Stream.runDrain(stream(request)) : Effect.asVoid(complete(request))
    return ended.pipe(
      Effect.match({ onFailure: ({ message }) => message, onSuccess: () => "answered" }),
      Effect.provideService(Attempt.Listener, (event) => {
        if (event._tag !== "BreakerChanged") return
        const { labels, run, tier, transition } = event
        moved.push(
          `${run}/${tier} ${labels["model"]} ${transition.from}-${transition.to} ${transition.reason}`
        )
      }),
      Effect.map((end) => ({ end, moved }))
    )
  })

describe("Route: quirks of a tier", () => {
  it.effect("are its own: each tier edits the request as it came", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const provider: Provider.Provider = {
        ...scripted("only").provider,
        complete: ({ body }, model) => {
          asked.push(`${model} ${text(body)}`)
          return ProviderError.make({ kind: "overloaded" })
        },
        stream: ({ body }, model) => {
          asked.push(`${model} ${text(body)}`)
          return ProviderError.make({ kind: "overloaded" })
        }
      }
      const [a, b, c] = policy({ a: provider, b: provider, c: provider }).tiers
      const chat = yield* Route.make("chat", {
        ...policy({ a: provider }),
        tiers: [a, { ...b!, drop: ["seed"] }, { ...c!, rename: { seed: "random_seed" } }]
      })
      const request = { model: "chat", stream: false, body: bytes('{"seed":1}') }
      yield* Effect.exit(chat.complete(request))
      yield* Effect.exit(Stream.runDrain(chat.stream(request)))
      const each = ['a {"seed":1}', "b {}", 'c {"random_seed":1}']
      assert.deepStrictEqual(asked, [...each, ...each])
    })
  )
})

describe("Route: what concerns a credential", () => {
  for (const kind of ["auth", "quota_exhausted"] as const) {
    for (const streamed of [false, true]) {
      it.effect(`${kind} of a ${streamed ? "stream" : "whole answer"} opens every tier of the provider`, () =>
        Effect.gen(function* () {
          const [shared, other] = [scripted("shared", kind), scripted("other")]
          const [chat, draft] = yield* Route.makeAll({
            chat: policy({ a: shared.provider, b: shared.provider, c: other.provider }),
            draft: policy({ d: shared.provider })
          })
          const { end, moved } = yield* run(chat!, streamed)
          assert.strictEqual(end, "answered")
          assert.deepStrictEqual([shared.asked, other.asked], [["a"], ["c"]])
          assert.sameMembers(moved, [
            "chat/a a Closed-Open pushback",
            "chat/b b Closed-Open tripped",
            "draft/d d Closed-Open tripped"
          ])
          assert.isFalse(yield* draft!.available)
          assert.strictEqual((yield* run(draft!)).end, "the circuit of every tier is open")
        })
      )
    }
  }

  for (const kind of ["model_not_found", "tls", "server_error", "rate_limited"] as const) {
    it.effect(`${kind} moves the tier's own breaker alone`, () =>
      Effect.gen(function* () {
        const { asked, provider } = scripted("only", kind)
        const chat = yield* Route.make("chat", policy({ a: provider, b: provider }, { consecutive: 1 }))
        const { end, moved } = yield* run(chat)
        assert.deepStrictEqual([end, asked, moved.length], ["answered", ["a", "b"], 1])
      })
    )
  }

  it.effect("a wait that was asked for holds for all of them", () =>
    Effect.gen(function* () {
      const provider: Provider.Provider = {
        ...scripted("only").provider,
        complete: () => ProviderError.make({ kind: "quota_exhausted", retryAfter: Duration.seconds(40) })
      }
      const chat = yield* Route.make("chat", policy({ a: provider, b: provider }))
      yield* run(chat)
      yield* TestClock.adjust("39 seconds")
      assert.isFalse(yield* chat.available)
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* chat.available)
    })
  )

  it.effect("one probe that fails makes all wait again; one that succeeds closes its own tier", () =>
    Effect.gen(function* () {
      const { asked, provider } = scripted("only", "auth", "auth")
      const chat = yield* Route.make("chat", policy({ a: provider, b: provider }))
      yield* run(chat)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual((yield* run(chat)).moved, [
        "chat/a a Open-HalfOpen elapsed",
        "chat/a a HalfOpen-Open pushback"
      ])
      assert.deepStrictEqual(asked, ["a", "a"])
      yield* TestClock.adjust("9999 millis")
      assert.isFalse(yield* chat.available)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual((yield* run(chat)).moved, [
        "chat/a a Open-HalfOpen elapsed",
        "chat/a a HalfOpen-Closed recovered"
      ])
    })
  )

  it.effect("many failures at once are one opening, however many calls were under way", () =>
    Effect.gen(function* () {
      const { provider } = scripted("only", ...Array.from({ length: 20 }, () => "auth" as const))
      const slow: Provider.Provider = {
        ...provider,
        complete: (request, model) => Effect.delay(provider.complete(request, model), "1 second")
      }
      const chat = yield* Route.make("chat", policy({ a: slow, b: slow }, { factor: 2 }))
      const moved = (calls: number) =>
        Effect.gen(function* () {
          const all = yield* Effect.fork(
            Effect.replicateEffect(run(chat), calls, { concurrency: "unbounded" })
          )
          yield* TestClock.adjust("1 second")
          return (yield* all).flatMap(({ moved }) => moved)
        })
      assert.sameMembers(yield* moved(20), ["chat/a a Closed-Open pushback", "chat/b b Closed-Open tripped"])
      yield* TestClock.adjust("10 seconds")
      assert.sameMembers(yield* moved(2), [
        "chat/a a Open-HalfOpen elapsed",
        "chat/a a HalfOpen-Closed recovered",
        "chat/b b Open-HalfOpen elapsed",
        "chat/b b HalfOpen-Closed recovered"
      ])
    })
  )

  it.effect("a listener that throws does not fail the call", () =>
    Effect.gen(function* () {
      const [shared, other] = [scripted("shared", "auth"), scripted("other")]
      const chat = yield* Route.make(
        "chat",
        policy({ a: shared.provider, b: shared.provider, c: other.provider })
      )
      const deaf = Effect.provideService(
        chat.complete({ model: "chat", stream: false, body }),
        Attempt.Listener,
        () => {
          throw new Error("bug")
        }
      )
      assert.strictEqual((yield* deaf).body, body)
    })
  )

  it.effect("of embeddings asks for those, and takes no tier that makes others or none", () =>
    Effect.gen(function* () {
      const { provider } = scripted("up")
      const embeddings = () => Effect.succeed({ body: bytes("vectors"), usage: undefined })
      const able = { ...provider, embeddings }
      const made = (embeddings: string | undefined, ...providers: ReadonlyArray<Provider.Provider>) => {
        const { tiers, ...rest } = policy({ a: able, b: able })
        return Route.make("search", {
          ...rest,
          tiers: Arr.map(tiers, (tier, index) => ({
            ...tier,
            provider: providers[index] ?? able,
            embeddings: index === 0 ? "small" : embeddings
          }))
        })
      }
      const { complete, serves } = yield* made("small")
      assert.strictEqual(serves, "embeddings")
      const answer = yield* complete({ model: "search", stream: false, body })
      assert.strictEqual(text(answer.body), "vectors")
      for (const misfit of [made("large"), made(undefined), made("small", able, provider)]) {
        const defect = yield* Effect.flip(Effect.catchAllDefect(misfit, Effect.fail))
        assert.strictEqual(String(defect), "RangeError: Route: b does not make the embeddings of search")
      }
    })
  )

  it.effect("may be given the breakers of one that was before it", () =>
    Effect.gen(function* () {
      const { provider } = scripted("up", "auth")
      const tiers = { first: policy({ a: provider, b: provider }), second: policy({ a: provider }) }
      const breakers = new Map<string, CircuitBreaker.CircuitBreaker>()
      const breaker = (route: string, { breaker, name }: Route.RouteTier) =>
        Effect.gen(function* () {
          const key = `${route}/${name}`
          const kept = breakers.get(key) ?? (yield* CircuitBreaker.make({ ...breaker, key }))
          breakers.set(key, kept)
          return kept
        })
      const [before] = yield* Route.makeAll(tiers, { breaker })
      yield* run(before!)
      const [first, second] = yield* Route.makeAll(tiers, { breaker })
      // One of them opened the others, which share its credential.
      assert.deepStrictEqual([yield* first!.available, yield* second!.available], [false, false])
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* run(first!)).end, "answered")
    })
  )
})
