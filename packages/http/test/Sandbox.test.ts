import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Exit, Fiber, Option, Random, Stream, TestClock } from "effect"
import type { Provider } from "../src/Provider.ts"
import type { ProviderError } from "../src/ProviderError.ts"
import * as Sandbox from "../src/Sandbox.ts"
import * as Upstream from "../src/Upstream.ts"
import { partsOf, request, text } from "./scripted.ts"

const said = "The show goes on: this is large, reading the part."
const words = said.split(/(?<= )/)

/** Runs a call until it ends or an hour is over: how it ended and after how many milliseconds. */
const met = <A, E>(call: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    let ended: { readonly exit: Exit.Exit<A, E>; readonly took: number } | undefined
    const fiber = yield* Effect.fork(
      Effect.zipWith(Effect.exit(call), Clock.currentTimeMillis, (exit, now) => {
        ended = { exit, took: now - start }
      })
    )
    yield* TestClock.adjust("1 hour")
    yield* Fiber.interrupt(fiber)
    return ended
  })

const end = (met: { readonly exit: Exit.Exit<unknown, ProviderError>; readonly took: number } | undefined) =>
  met === undefined
    ? { end: "nothing", took: undefined }
    : {
        end: Exit.match(met.exit, {
          onSuccess: () => "answer",
          onFailure: (cause) => Option.getOrThrow(Cause.failureOption(cause)).kind
        }),
        took: met.took
      }

const whole = (sandbox: Provider) => Effect.map(met(Effect.scoped(sandbox.complete(request(), "large"))), end)

const streamed = (sandbox: Provider) =>
  Effect.gen(function* () {
    const pieces: Array<string> = []
    const run = partsOf(sandbox.stream(request(',"stream":true'), "large")).pipe(
      Stream.runForEach((part) => Effect.sync(() => pieces.push(text(part.bytes))))
    )
    const ended = end(yield* met(run))
    const content = [...pieces.join("").matchAll(/"content":"([^"]*)"/g)].map(([, word = ""]) => word)
    return { ...ended, content: content.join("") }
  })

const make = (options: Sandbox.Options) =>
  Sandbox.make({ name: "sandbox", latency: "1 second", chunkEvery: "100 millis", ...options })

describe("Sandbox", () => {
  it.effect("answers after its latency, a stream word by word", () =>
    Effect.gen(function* () {
      const sandbox = make({})
      assert.deepStrictEqual(yield* whole(sandbox), { end: "answer", took: 1000 })
      const took = 1000 + words.length * 100
      assert.deepStrictEqual(yield* streamed(sandbox), { end: "answer", took, content: said })
    })
  )

  it.effect("tells the usage of a stream that is asked for it, at its end, as OpenAI does", () =>
    Effect.gen(function* () {
      const usages = (fields: string, prefix?: string) =>
        partsOf(
          make({ latency: 0, chunkEvery: 0 }).stream(
            { ...request(`,"stream":true,"messages":[{"role":"user","content":"Hi"}]${fields}`), prefix },
            "large"
          )
        ).pipe(
          Stream.runCollect,
          Effect.map((parts) => {
            const all = Array.from(parts, (part) => text(part.bytes)).join("")
            return [...all.matchAll(/^data: (\{.*)$/gm)].map(([, json = ""]) => JSON.parse(json).usage)
          })
        )
      const asked = ',"stream_options":{"include_usage":true}'
      const counted = (prompt_tokens: number, completion_tokens: number) => ({
        prompt_tokens,
        completion_tokens,
        total_tokens: prompt_tokens + completion_tokens
      })
      assert.deepStrictEqual([...new Set(yield* usages(""))], [undefined])
      const whole = yield* usages(asked)
      assert.deepStrictEqual([whole.at(-1), ...new Set(whole.slice(0, -1))], [counted(8, words.length), null])
      const rest = yield* usages(asked, "The show goes")
      assert.deepStrictEqual(rest.at(-1), counted(11, words.length - 3))
    })
  )

  it.effect("fails as often as it is told", () =>
    Effect.gen(function* () {
      const failing = (rate: number) => {
        const sandbox = make({ latency: 0, failure: { status: 503, rate } })
        const call = Effect.isFailure(Effect.scoped(sandbox.complete(request(), "large")))
        return Effect.map(Effect.replicateEffect(call, 200), (calls) => calls.filter(Boolean).length)
      }
      const shares = yield* Effect.withRandom(Effect.forEach([0, 0.3, 1], failing), Random.make("sandbox"))
      assert.deepStrictEqual([shares[0], shares[2]], [0, 200])
      assert.isTrue(shares[1]! > 40 && shares[1]! < 80)
    })
  )

  it.effect("a latency may be a range, drawn by Random", () =>
    Effect.gen(function* () {
      const latencies = (seed: string) =>
        Effect.map(
          Effect.withRandom(
            Effect.replicateEffect(whole(make({ latency: { from: "2 seconds", to: "5 seconds" } })), 20),
            Random.make(seed)
          ),
          (calls) => calls.map(({ took = 0 }) => Math.round(took))
        )
      const [a, again, b] = yield* Effect.forEach(["a", "a", "b"], latencies)
      assert.isTrue(a!.every((millis) => millis >= 2000 && millis <= 5000))
      assert.isTrue(Math.min(...a!) < 2500 && Math.max(...a!) > 4500)
      assert.deepStrictEqual(a, again)
      assert.notDeepEqual(a, b)
    })
  )

  it.effect("follows its script call by call, from the beginning again", () =>
    Effect.gen(function* () {
      const sandbox = make({ script: ["ok", { status: 503, times: 2 }, "nonsense", { latency: 0 }] })
      const turns = yield* Effect.replicateEffect(whole(sandbox), 7)
      assert.deepStrictEqual(
        turns.map(({ end, took }) => [end, took]),
        [
          ["answer", 1000],
          ["overloaded", 1000],
          ["overloaded", 1000],
          ["invalid_answer", 1000],
          ["answer", 0],
          ["answer", 1000],
          ["overloaded", 1000]
        ]
      )
    })
  )

  it.effect("a script leaves nothing to chance; an empty one is none", () =>
    Effect.gen(function* () {
      const failure = { status: 503, rate: 1 }
      assert.strictEqual((yield* whole(make({ failure, script: ["ok"] }))).end, "answer")
      assert.strictEqual((yield* whole(make({ failure, script: [] }))).end, "overloaded")
    })
  )

  it.effect("an error may have a code and a wait", () =>
    Effect.gen(function* () {
      const turn = { status: 429, code: "insufficient_quota", retryAfter: "1500 millis" } as const
      const sandbox = make({ latency: 0, script: [turn] })
      const error = yield* Effect.flip(Effect.scoped(sandbox.complete(request(), "large")))
      assert.deepInclude(error, { kind: "quota_exhausted", status: 429 })
      assert.deepStrictEqual(error.retryAfter, Duration.millis(1500))
    })
  )

  it.effect("of a whole answer that breaks off, as large a share comes as of its words", () =>
    Effect.gen(function* () {
      const bytes = (script: ReadonlyArray<Sandbox.Turn>) =>
        Effect.gen(function* () {
          const { send } = Sandbox.upstream({ latency: 0, script })
          const response = yield* send({ ...request(), method: "POST", url: "", headers: {} })
          return text(yield* Upstream.whole(response))
        }).pipe(Effect.scoped, Effect.withRandom(Random.make("sandbox")))
      const all = yield* bytes([{}])
      for (const [after, share] of [
        [0, 0],
        [5, 5 / words.length],
        [99, 1]
      ] as const) {
        const begun = yield* bytes([{ breaks: "end", after }])
        assert.isTrue(all.startsWith(begun))
        assert.strictEqual(begun.length, Math.floor((all.length - 1) * share))
      }
    })
  )

  const nothing = { content: "", took: 1000 }
  const three = { content: words.slice(0, 3).join(""), took: 1300 }
  const silence = { end: "nothing", took: undefined }
  const turns: Readonly<
    Record<string, readonly [Sandbox.Word | Sandbox.Turn, whole: object, streamed: object]>
  > = {
    hang: ["hang", silence, { ...silence, content: "" }],
    reset: ["reset", { end: "connection", took: 1000 }, { ...nothing, end: "connection" }],
    nonsense: ["nonsense", { end: "invalid_answer", took: 1000 }, { ...nothing, end: "invalid_answer" }],
    "hang at once": [{ breaks: "hang" }, silence, { ...silence, content: "" }],
    "hang after three": [{ breaks: "hang", after: 3 }, silence, { ...silence, content: three.content }],
    "reset after three": [
      { breaks: "reset", after: 3 },
      { end: "connection", took: 1000 },
      { ...three, end: "connection" }
    ],
    "end after three": [
      { breaks: "end", after: 3 },
      { end: "invalid_answer", took: 1000 },
      { ...three, end: "stream_truncated" }
    ],
    "end after more than there are": [
      { breaks: "end", after: 99 },
      { end: "invalid_answer", took: 1000 },
      { content: said, took: 1000 + words.length * 100, end: "stream_truncated" }
    ],
    "error after three": [
      { breaks: "error", after: 3 },
      { end: "stream_error", took: 1000 },
      { ...three, end: "stream_error" }
    ],
    "slow words": [
      { chunkEvery: "2 seconds" },
      { end: "answer", took: 1000 },
      { content: said, took: 1000 + words.length * 2000, end: "answer" }
    ]
  }
  for (const [name, [turn, ofWhole, ofStream]] of Object.entries(turns)) {
    it.effect(`${name}: what comes of a whole answer and of a stream`, () =>
      Effect.gen(function* () {
        const sandbox = make({ script: [turn] })
        assert.deepStrictEqual(yield* whole(sandbox), ofWhole)
        assert.deepStrictEqual(yield* streamed(sandbox), ofStream)
      })
    )
  }
})
