import { assert, describe, it } from "@effect/vitest"
import { Policy } from "@understudy/core"
import { Route, Sandbox } from "@understudy/http"
import { Array as Arr, Effect, Either, Fiber, Random, Stream, TestClock } from "effect"
import { recordedSpans } from "../support/spans.ts"

describe("the spans of a run", () => {
  it.effect("whose stream breaks off and is gone on with: a tier that failed, and one that served", () =>
    Effect.gen(function* () {
      const decoded = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary" }, { name: "standby" }] }))
      const sandbox = (script: NonNullable<Sandbox.Options["script"]>) =>
        Sandbox.make({ name: "sandbox", latency: "100 millis", chunkEvery: "10 millis", script })
      const providers = [sandbox([{ breaks: "reset", after: 3 }]), sandbox(["ok"])] as const
      const route = yield* Route.make("chat", {
        ...decoded,
        tiers: Arr.map(decoded.tiers, (tier, index) => ({
          ...tier,
          provider: providers[index] ?? providers[1],
          model: "large",
          continue: "restart" as const
        }))
      })
      const spans = recordedSpans()
      const body = new TextEncoder().encode('{"model":"chat","messages":[],"stream":true}')
      const fiber = yield* Stream.runDrain(route.stream({ model: "chat", stream: true, body })).pipe(
        Effect.withTracer(spans.tracer),
        Effect.withRandom(Random.make("seed")),
        Effect.fork
      )
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(spans.tree(), [
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
        "    chat large (client) 130-330 ok",
        '      gen_ai.operation.name="chat"',
        '      gen_ai.provider.name="sandbox"',
        '      gen_ai.request.model="large"',
        '      understudy.tier="standby"',
        "      gen_ai.request.stream=true",
        "      understudy.time_to_first_token=0.14",
        '      gen_ai.response.id="chatcmpl-3ciaim"',
        '      gen_ai.response.model="large"',
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
