import { assert, describe, it } from "@effect/vitest"
import { Fallback, Policy, Tier } from "@understudy/core"
import { type ChatCompletion, Route, Sandbox } from "@understudy/http"
import { Array as Arr, type Duration, Effect, Either, Fiber, Random, Stream, TestClock } from "effect"
import { recordedSpans } from "../support/spans.ts"

type Script = NonNullable<Sandbox.Options["script"]>

/** A route `chat` of the tiers `primary` (large) and `standby` (small), which meet with this. */
const route = (primary: Script, standby: Script = ["ok"], policy: object = {}, tier: object = {}) => {
  const file = { name: "primary", retry: { times: 0 }, ...tier }
  const decoded = Either.getOrThrow(Policy.decode({ ...policy, tiers: [file, { name: "standby" }] }))
  const sandbox = (name: string, script: Script) =>
    Sandbox.make({ name, latency: "100 millis", chunkEvery: "10 millis", script })
  const [first, second] = [sandbox("one", primary), sandbox("two", standby)]
  return Route.make("chat", {
    ...decoded,
    tiers: Arr.map(decoded.tiers, (tier, index) =>
      index === 0
        ? { ...tier, provider: first, model: "large" }
        : { ...tier, provider: second, model: "small" }
    )
  })
}

const request = (fields: object = {}, stream = false): ChatCompletion.ChatRequest => ({
  model: "chat",
  stream,
  body: new TextEncoder().encode(JSON.stringify({ model: "chat", messages: [], stream, ...fields }))
})

/** What is seen of an effect that runs for so long. */
const seen = <A, E>(effect: Effect.Effect<A, E>, leavesAfter: Duration.DurationInput = "1 hour") =>
  Effect.gen(function* () {
    const spans = recordedSpans()
    const fiber = yield* effect.pipe(
      Effect.withTracer(spans.tracer),
      Effect.withRandom(Random.make("seed")),
      Effect.fork
    )
    yield* TestClock.adjust(leavesAfter)
    yield* Fiber.interrupt(fiber)
    return spans.tree()
  })

describe("the spans of a run", () => {
  it.effect("success: a run whose first attempt answers", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* seen(
          (yield* route(["ok"])).complete(
            request({
              temperature: 0.5,
              max_tokens: 10,
              seed: 7,
              n: 2,
              stop: "end",
              top_k: 40,
              reasoning_effort: "low",
              response_format: { type: "json_object" }
            })
          )
        ),
        [
          "fallback chat (internal) 0-100 ok",
          '  understudy.outcome="success"',
          "  understudy.attempts=1",
          "  understudy.fallback=false",
          '  understudy.served_by="primary"',
          "    chat large (client) 0-100 ok",
          '      gen_ai.operation.name="chat"',
          '      gen_ai.provider.name="sandbox"',
          '      gen_ai.request.model="large"',
          '      understudy.tier="primary"',
          "      gen_ai.request.temperature=0.5",
          "      gen_ai.request.top_k=40",
          "      gen_ai.request.max_tokens=10",
          "      gen_ai.request.seed=7",
          "      gen_ai.request.choice.count=2",
          '      gen_ai.request.stop_sequences=["end"]',
          '      gen_ai.request.reasoning.level="low"',
          '      gen_ai.output.type="json"',
          '      gen_ai.response.id="chatcmpl-8v6hd"',
          '      gen_ai.response.model="large"',
          '      gen_ai.response.finish_reasons=["stop"]',
          "      gen_ai.usage.input_tokens=8",
          "      gen_ai.usage.output_tokens=10",
          "        attempt (client) 0-100 ok",
          '          understudy.tier="primary"',
          "          understudy.attempt.number=1",
          "          http.response.status_code=200",
          '          understudy.outcome="success"'
        ]
      )
    })
  )

  it.effect("retry: the wait lies between the attempts, not in them", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* seen(
          (yield* route(
            [{ status: 500 }, "ok"],
            ["ok"],
            {},
            { retry: { times: 1, base: "1s", jitter: "none" } }
          )).complete(request())
        ),
        [
          "fallback chat (internal) 0-1200 ok",
          '  understudy.outcome="success"',
          "  understudy.attempts=2",
          "  understudy.fallback=false",
          '  understudy.served_by="primary"',
          "    chat large (client) 0-1200 ok",
          '      gen_ai.operation.name="chat"',
          '      gen_ai.provider.name="sandbox"',
          '      gen_ai.request.model="large"',
          '      understudy.tier="primary"',
          '      gen_ai.response.id="chatcmpl-3ciaim"',
          '      gen_ai.response.model="large"',
          '      gen_ai.response.finish_reasons=["stop"]',
          "      gen_ai.usage.input_tokens=8",
          "      gen_ai.usage.output_tokens=10",
          "        attempt (client) 0-100 error",
          '          understudy.tier="primary"',
          "          understudy.attempt.number=1",
          "          http.response.status_code=500",
          '          understudy.outcome="failure"',
          '          error.type="server_error"',
          "        attempt (client) 1100-1200 ok",
          '          understudy.tier="primary"',
          "          understudy.attempt.number=2",
          "          http.request.resend_count=1",
          "          http.response.status_code=200",
          '          understudy.outcome="success"'
        ]
      )
    })
  )

  it.effect("fallback: a tier that gave up is an error, the run is none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* seen((yield* route(["hang"], ["ok"], {}, { timeout: "2s" })).complete(request())),
        [
          "fallback chat (internal) 0-2100 ok",
          '  understudy.outcome="success"',
          "  understudy.attempts=2",
          "  understudy.fallback=true",
          '  understudy.served_by="standby"',
          "    chat large (client) 0-2000 error",
          '      gen_ai.operation.name="chat"',
          '      gen_ai.provider.name="sandbox"',
          '      gen_ai.request.model="large"',
          '      understudy.tier="primary"',
          '      error.type="timeout"',
          "        attempt (client) 0-2000 error",
          '          understudy.tier="primary"',
          "          understudy.attempt.number=1",
          '          understudy.outcome="timeout"',
          '          error.type="timeout"',
          "    chat small (client) 2000-2100 ok",
          '      gen_ai.operation.name="chat"',
          '      gen_ai.provider.name="sandbox"',
          '      gen_ai.request.model="small"',
          '      understudy.tier="standby"',
          '      gen_ai.response.id="chatcmpl-swtieo"',
          '      gen_ai.response.model="small"',
          '      gen_ai.response.finish_reasons=["stop"]',
          "      gen_ai.usage.input_tokens=8",
          "      gen_ai.usage.output_tokens=10",
          "        attempt (client) 2000-2100 ok",
          '          understudy.tier="standby"',
          "          understudy.attempt.number=1",
          "          http.response.status_code=200",
          '          understudy.outcome="success"'
        ]
      )
    })
  )

  it.effect("breaker refusal: an event of the run, and no tier", () =>
    Effect.gen(function* () {
      const { complete } = yield* route(
        [{ status: 503 }],
        ["ok"],
        {},
        { breaker: { consecutive: 1, openFor: "1m", jitter: 0 } }
      )
      yield* Effect.zipRight(Effect.fork(complete(request())), TestClock.adjust("5 seconds"))
      assert.deepStrictEqual(yield* seen(complete(request())), [
        "fallback chat (internal) 5000-5100 ok",
        '  understudy.outcome="success"',
        "  understudy.attempts=1",
        "  understudy.fallback=true",
        '  understudy.served_by="standby"',
        '  * tier refused at 5000 {"understudy.tier":"primary","understudy.retry_after_ms":55100}',
        "    chat small (client) 5000-5100 ok",
        '      gen_ai.operation.name="chat"',
        '      gen_ai.provider.name="sandbox"',
        '      gen_ai.request.model="small"',
        '      understudy.tier="standby"',
        '      gen_ai.response.id="chatcmpl-8v6hd"',
        '      gen_ai.response.model="small"',
        '      gen_ai.response.finish_reasons=["stop"]',
        "      gen_ai.usage.input_tokens=8",
        "      gen_ai.usage.output_tokens=10",
        "        attempt (client) 5000-5100 ok",
        '          understudy.tier="standby"',
        "          understudy.attempt.number=1",
        "          http.response.status_code=200",
        '          understudy.outcome="success"'
      ])
    })
  )

  it.effect("hedge: who comes too late is interrupted", () =>
    Effect.gen(function* () {
      const slow = Tier.make({ name: "slow", effect: Effect.delay(Effect.succeed("late"), "5 seconds") })
      const fast = Tier.make({ name: "fast", effect: Effect.delay(Effect.succeed("early"), "1 second") })
      const hedged = Fallback.named(Fallback.hedge(slow, fast, { after: "2 seconds" }), "chat")
      assert.deepStrictEqual(yield* seen(hedged), [
        "fallback chat (internal) 0-3000 ok",
        '  understudy.outcome="success"',
        "  understudy.attempts=2",
        "  understudy.fallback=true",
        '  understudy.served_by="fast"',
        "    tier slow (client) 0-3000 interrupted",
        '      understudy.tier="slow"',
        '      error.type="interrupted"',
        "        attempt (client) 0-3000 interrupted",
        '          understudy.tier="slow"',
        "          understudy.attempt.number=1",
        '          understudy.outcome="interrupted"',
        '          error.type="interrupted"',
        "    tier fast (client) 2000-3000 ok",
        '      understudy.tier="fast"',
        "        attempt (client) 2000-3000 ok",
        '          understudy.tier="fast"',
        "          understudy.attempt.number=1",
        '          understudy.outcome="success"'
      ])
    })
  )

  it.effect("abort: a request that is at fault is asked about once", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* seen((yield* route([{ status: 400 }])).complete(request())), [
        "fallback chat (internal) 0-100 error",
        '  understudy.outcome="rejected"',
        "  understudy.attempts=1",
        "  understudy.fallback=false",
        '  error.type="invalid_request"',
        "    chat large (client) 0-100 error",
        '      gen_ai.operation.name="chat"',
        '      gen_ai.provider.name="sandbox"',
        '      gen_ai.request.model="large"',
        '      understudy.tier="primary"',
        '      error.type="invalid_request"',
        "        attempt (client) 0-100 error",
        '          understudy.tier="primary"',
        "          understudy.attempt.number=1",
        "          http.response.status_code=400",
        '          understudy.outcome="ignored"',
        '          error.type="invalid_request"'
      ])
    })
  )

  it.effect("cancel: a caller that leaves in the middle of an attempt", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* seen((yield* route(["hang"])).complete(request()), "3 seconds"), [
        "fallback chat (internal) 0-3000 interrupted",
        '  understudy.outcome="cancelled"',
        "  understudy.attempts=1",
        "  understudy.fallback=false",
        '  error.type="interrupted"',
        "    chat large (client) 0-3000 interrupted",
        '      gen_ai.operation.name="chat"',
        '      gen_ai.provider.name="sandbox"',
        '      gen_ai.request.model="large"',
        '      understudy.tier="primary"',
        '      error.type="interrupted"',
        "        attempt (client) 0-3000 interrupted",
        '          understudy.tier="primary"',
        "          understudy.attempt.number=1",
        '          understudy.outcome="interrupted"',
        '          error.type="interrupted"'
      ])
    })
  )

  it.effect("deadline: the time of the run ends the attempt and the run", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* seen((yield* route(["hang"], ["ok"], { deadline: "4s" })).complete(request())),
        [
          "fallback chat (internal) 0-4000 error",
          '  understudy.outcome="failure"',
          "  understudy.attempts=1",
          "  understudy.fallback=false",
          '  error.type="deadline"',
          "    chat large (client) 0-4000 error",
          '      gen_ai.operation.name="chat"',
          '      gen_ai.provider.name="sandbox"',
          '      gen_ai.request.model="large"',
          '      understudy.tier="primary"',
          '      error.type="deadline"',
          "        attempt (client) 0-4000 error",
          '          understudy.tier="primary"',
          "          understudy.attempt.number=1",
          '          understudy.outcome="timeout"',
          '          error.type="deadline"'
        ]
      )
    })
  )

  it.effect("a stream: its spans last as long as it does", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* seen(Stream.runDrain((yield* route(["ok"])).stream(request({}, true)))), [
        "fallback chat (internal) 0-200 ok",
        '  understudy.outcome="success"',
        "  understudy.attempts=1",
        "  understudy.fallback=false",
        '  understudy.served_by="primary"',
        "    chat large (client) 0-200 ok",
        '      gen_ai.operation.name="chat"',
        '      gen_ai.provider.name="sandbox"',
        '      gen_ai.request.model="large"',
        '      understudy.tier="primary"',
        "      gen_ai.request.stream=true",
        "      understudy.time_to_first_token=0.11",
        '      gen_ai.response.id="chatcmpl-8v6hd"',
        '      gen_ai.response.model="large"',
        '      gen_ai.response.finish_reasons=["stop"]',
        "        attempt (client) 0-200 ok",
        '          understudy.tier="primary"',
        "          understudy.attempt.number=1",
        "          http.response.status_code=200",
        '          understudy.outcome="success"'
      ])
    })
  )

  it.effect("a stream that breaks off after its commit point", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* seen(
          Stream.runDrain((yield* route([{ breaks: "reset", after: 3 }])).stream(request({}, true)))
        ),
        [
          "fallback chat (internal) 0-130 error",
          '  understudy.outcome="failure"',
          "  understudy.attempts=1",
          "  understudy.fallback=false",
          '  understudy.served_by="primary"',
          '  error.type="connection"',
          "    chat large (client) 0-130 error",
          '      gen_ai.operation.name="chat"',
          '      gen_ai.provider.name="sandbox"',
          '      gen_ai.request.model="large"',
          '      understudy.tier="primary"',
          "      gen_ai.request.stream=true",
          "      understudy.time_to_first_token=0.11",
          '      gen_ai.response.id="chatcmpl-8v6hd"',
          '      gen_ai.response.model="large"',
          '      gen_ai.response.finish_reasons=["error"]',
          '      error.type="connection"',
          "        attempt (client) 0-130 error",
          '          understudy.tier="primary"',
          "          understudy.attempt.number=1",
          "          http.response.status_code=200",
          '          understudy.outcome="failure"',
          '          error.type="connection"'
        ]
      )
    })
  )

  it.effect("a stream that its caller leaves", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* seen(
          Stream.runDrain((yield* route([{ breaks: "hang", after: 3 }])).stream(request({}, true))),
          "3 seconds"
        ),
        [
          "fallback chat (internal) 0-3000 interrupted",
          '  understudy.outcome="cancelled"',
          "  understudy.attempts=1",
          "  understudy.fallback=false",
          '  understudy.served_by="primary"',
          '  error.type="interrupted"',
          "    chat large (client) 0-3000 interrupted",
          '      gen_ai.operation.name="chat"',
          '      gen_ai.provider.name="sandbox"',
          '      gen_ai.request.model="large"',
          '      understudy.tier="primary"',
          "      gen_ai.request.stream=true",
          "      understudy.time_to_first_token=0.11",
          '      gen_ai.response.id="chatcmpl-8v6hd"',
          '      gen_ai.response.model="large"',
          '      gen_ai.response.finish_reasons=["error"]',
          '      error.type="interrupted"',
          "        attempt (client) 0-3000 interrupted",
          '          understudy.tier="primary"',
          "          understudy.attempt.number=1",
          "          http.response.status_code=200",
          '          understudy.outcome="interrupted"',
          '          error.type="interrupted"'
        ]
      )
    })
  )
})
