import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { request, route, seen } from "../support/tracedRun.ts"

describe("the spans of a streamed run", () => {
  it.effect("last as long as the stream does", () =>
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

  it.effect("that breaks off after its commit point", () =>
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

  it.effect("that its caller leaves", () =>
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

  it.effect("that breaks off and is gone on with: a tier that failed, and one that served", () =>
    Effect.gen(function* () {
      const { stream } = yield* route([{ breaks: "reset", after: 3 }], { continue: "restart" })
      assert.deepStrictEqual(yield* seen(Stream.runDrain(stream(request({}, true)))), [
        "fallback chat (internal) 0-330 ok",
        '  understudy.outcome="success"',
        "  understudy.attempts=2",
        "  understudy.fallback=true",
        '  understudy.served_by="standby"',
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
        '          error.type="connection"',
        "    chat small (client) 130-330 ok",
        '      gen_ai.operation.name="chat"',
        '      gen_ai.provider.name="sandbox"',
        '      gen_ai.request.model="small"',
        '      understudy.tier="standby"',
        "      gen_ai.request.stream=true",
        "      understudy.time_to_first_token=0.14",
        '      gen_ai.response.id="chatcmpl-3ciaim"',
        '      gen_ai.response.model="small"',
        '      gen_ai.response.finish_reasons=["stop"]',
        "        attempt (client) 130-330 ok",
        '          understudy.tier="standby"',
        "          understudy.attempt.number=1",
        "          http.response.status_code=200",
        '          understudy.outcome="success"'
      ])
    })
  )
})
