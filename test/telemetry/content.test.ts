import { assert, describe, it } from "@effect/vitest"
import { Config, Gateway } from "@understudy/gateway"
import { ContentCapture, type Provider, Sandbox } from "@understudy/http"
import { Effect, Stream } from "effect"
import { ask, chatBody } from "../support/caller.ts"
import { chat } from "../support/gateway.ts"
import { recordedSpans } from "../support/spans.ts"
import { request, routeOver } from "../support/tracedRun.ts"
import { answer, content, role, stream, wall } from "../support/wall.ts"

/** What is on the span of the tier after it was asked this of this provider. */
const captured = (provider: Provider.Provider, fields: object, streamed = false) =>
  Effect.gen(function* () {
    const route = yield* routeOver([provider])
    const spans = recordedSpans()
    const asked = request(fields, streamed)
    const run = streamed ? Stream.runDrain(route.stream(asked)) : Effect.asVoid(route.complete(asked))
    yield* Effect.exit(Effect.withTracer(run, spans.tracer))
    const [span] = spans.named("chat large")
    const messages = (of: "input" | "output") =>
      JSON.parse(String(span?.attributes.get(`gen_ai.${of}.messages`)))
    return { input: messages("input"), output: messages("output") }
  })

const sandbox = (script?: Sandbox.Options["script"], maxBytes?: number) =>
  ContentCapture.capture(Sandbox.make({ name: "sandbox", latency: 0, chunkEvery: 0, script }), { maxBytes })

/** What a message with one part takes beside its text and its names. */
const around = 64

const spoken = "The show goes on: this is large, reading the part."

describe("content on spans", () => {
  it.live("has the shape of OpenTelemetry's messages, and nothing of images", () =>
    Effect.gen(function* () {
      const messages = [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "Who is this?" },
            { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }
          ]
        },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c1", type: "function", function: { name: "look", arguments: "{}" } }]
        },
        { role: "tool", tool_call_id: "c1", content: "a cat" }
      ]
      const { input, output } = yield* captured(sandbox(), { messages })
      assert.deepStrictEqual(input, [
        { role: "system", parts: [{ type: "text", content: "Be brief." }] },
        { role: "user", parts: [{ type: "text", content: "Who is this?" }, { type: "image_url" }] },
        { role: "assistant", parts: [{ type: "tool_call", id: "c1", name: "look", arguments: "{}" }] },
        { role: "tool", parts: [{ type: "tool_call_response", id: "c1", response: "a cat" }] }
      ])
      assert.deepStrictEqual(output, [
        { role: "assistant", parts: [{ type: "text", content: spoken }], finish_reason: "stop" }
      ])
    })
  )

  it.live("is of a stream what had come when it ended, whole or not", () =>
    Effect.gen(function* () {
      const whole = yield* captured(sandbox(), { messages: [] }, true)
      assert.deepStrictEqual(whole.output, [
        { role: "assistant", parts: [{ type: "text", content: spoken }], finish_reason: "stop" }
      ])
      const broken = yield* captured(sandbox([{ breaks: "reset", after: 2 }]), { messages: [] }, true)
      assert.deepStrictEqual(broken.output, [
        { role: "assistant", parts: [{ type: "text", content: "The show " }], finish_reason: "error" }
      ])
    })
  )

  it.live("is no longer than it may be, cut between letters", () =>
    Effect.gen(function* () {
      const messages = [
        { role: "user", content: "äöü" },
        { role: "user", content: "more" }
      ]
      const { input, output } = yield* captured(sandbox(undefined, around + "user".length + 5), { messages })
      assert.deepStrictEqual(input, [{ role: "user", parts: [{ type: "text", content: "äö" }] }])
      assert.deepStrictEqual(output[0].parts, [{ type: "text", content: "The show " }])
    })
  )

  it.live("is no longer for messages and parts that say nothing, nor for names that never end", () =>
    Effect.gen(function* () {
      const endless = "x".repeat(1_000_000)
      for (const messages of [
        Array(100_000).fill({}),
        Array(100_000).fill(7),
        [{ role: "user", content: Array(100_000).fill({}) }],
        [{ role: "user", content: Array(20).fill({ type: endless }) }],
        [{ role: "user", content: "", tool_calls: Array(100_000).fill({}) }],
        Array(10).fill({ role: endless }),
        Array(10).fill({ role: "tool", tool_call_id: endless, content: "a" }),
        Array(10).fill({ role: "assistant", tool_calls: [{ id: endless, function: { name: endless } }] })
      ]) {
        const { input } = yield* captured(sandbox(undefined, 1024), { messages })
        assert.isNotEmpty(input)
        assert.isBelow(JSON.stringify(input).length, 2048)
      }
    })
  )

  it.live("has no id where that is no text", () =>
    Effect.gen(function* () {
      const messages = [{ role: "tool", tool_call_id: { a: 1 }, content: "a cat" }]
      const { input } = yield* captured(sandbox(), { messages })
      assert.deepStrictEqual(input[0].parts, [{ type: "tool_call_response", response: "a cat" }])
    })
  )

  it.scopedLive("is nowhere unless it is asked for", () =>
    Effect.gen(function* () {
      const said = (capturesContent: boolean) =>
        Effect.gen(function* () {
          const upstream = yield* wall
          upstream.script(answer(["secret"]), stream([role, content("secret")], "reset"))
          const spans = recordedSpans()
          const log: Array<string> = []
          const config = yield* Config.parse(
            chat([upstream.url], { tier: "retry: { times: 0 }" }),
            "test.yaml",
            {}
          )
          const { url } = yield* Gateway.start(
            { ...config, server: { ...config.server, port: 0 } },
            (_, event) => log.push(JSON.stringify(event)),
            { capturesContent }
          ).pipe(Effect.withTracer(spans.tracer))
          const messages = [{ role: "user", content: "secret" }]
          for (const stream of [false, true]) yield* ask(url, { body: chatBody({ messages, stream }) })
          assert.notInclude(log.join(), "secret")
          return spans.tree().join()
        })
      assert.notInclude(yield* said(false), "secret")
      assert.include(yield* said(true), "secret")
    })
  )
})
