import { assert, describe, it } from "@effect/vitest"
import { Fallback, Tier } from "@understudy/core"
import { Effect, TestClock } from "effect"
import { request, route, seen } from "../support/tracedRun.ts"

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

  it.effect("hedge: two tiers at once, of which the slower one is interrupted", () =>
    Effect.gen(function* () {
      const hedged = yield* route(["hang"], { tier: { hedge: { after: "2s" } } })
      const lines = yield* seen(hedged.complete(request()))
      assert.deepStrictEqual(
        lines.filter((line) => /\d (ok|error|interrupted)$|outcome|fallback|served_by|error/.test(line)),
        [
          "fallback chat (internal) 0-2100 ok",
          '  understudy.outcome="success"',
          "  understudy.fallback=true",
          '  understudy.served_by="standby"',
          "    chat large (client) 0-2100 interrupted",
          '      error.type="interrupted"',
          "        attempt (client) 0-2100 interrupted",
          '          understudy.outcome="interrupted"',
          '          error.type="interrupted"',
          "    chat small (client) 2000-2100 ok",
          "        attempt (client) 2000-2100 ok",
          '          understudy.outcome="success"'
        ]
      )
    })
  )

  it.effect("retry: the wait lies between the attempts, not in them", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* seen(
          (yield* route([{ status: 500 }, "ok"], {
            tier: { retry: { times: 1, base: "1s", jitter: "none" } }
          })).complete(request())
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

  it.effect("of a request: texts where texts belong, and nothing of what else is there", () =>
    Effect.gen(function* () {
      const { complete } = yield* route(["ok"])
      const stop = [{ toString: 1, valueOf: 1 }, "end", 7, ["a"]]
      const told = (yield* seen(complete(request({ stop, encoding_format: [{}] })))).join("\n")
      assert.include(told, 'gen_ai.request.stop_sequences=["end"]')
      assert.notInclude(told, "encoding_formats")
    })
  )

  it.effect("fallback: a tier that gave up is an error, the run is none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* seen((yield* route(["hang"], { tier: { timeout: "2s" } })).complete(request())),
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
      const { complete } = yield* route([{ status: 503 }], {
        tier: { breaker: { consecutive: 1, openFor: "1m", jitter: 0 } }
      })
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
        yield* seen((yield* route(["hang"], { policy: { deadline: "4s" } })).complete(request())),
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
})
