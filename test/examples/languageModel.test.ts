import { LanguageModel, Tool, Toolkit } from "@effect/ai"
import { assert, describe, it } from "@effect/vitest"
import { ChatModel, OpenAiCompatible, Provider, Upstream } from "@understudy/http"
import { Chunk, Effect, Exit, Layer, Schema, Stream } from "effect"
import * as UnderstudyModel from "../../examples/adapters/languageModel.ts"
import {
  type Behaviour,
  content,
  fails,
  finish,
  raw,
  role,
  sends,
  stream,
  type Wall,
  wall
} from "../support/wall.ts"

/** Two upstreams, and what answers the program below: a language model that is a policy over them. */
const asked = <A, E>(
  behaviours: readonly [ReadonlyArray<Behaviour>, ReadonlyArray<Behaviour>],
  program: Effect.Effect<A, E, LanguageModel.LanguageModel>
) =>
  Effect.gen(function* () {
    const walls = [yield* wall, yield* wall] as const
    walls[0].script(...behaviours[0])
    walls[1].script(...behaviours[1])
    const provider = ({ url }: Wall) =>
      Provider.fromConfig(OpenAiCompatible.make, { name: "up", baseUrl: url })
    const retry = { times: 1, base: "1ms" }
    const ModelLive = UnderstudyModel.layer.pipe(
      Layer.provide(
        ChatModel.layerConfig({
          tiers: [
            { name: "primary", provider: provider(walls[0]), model: "large", retry },
            { name: "standby", provider: provider(walls[1]), model: "small", retry }
          ]
        })
      ),
      Layer.provide(Upstream.layerFetch)
    )
    const answer = yield* Effect.exit(Effect.provide(program, ModelLive))
    const sent = walls.map(({ received }) => received.map(({ body }) => JSON.parse(body.toString())))
    return { answer, sent }
  })

const says = (message: object, finish_reason = "stop") =>
  sends(
    200,
    "application/json",
    JSON.stringify({
      choices: [{ index: 0, message, finish_reason }],
      usage: { prompt_tokens: 3, completion_tokens: 2 }
    })
  )

const call = (json: string) => ({
  content: null,
  tool_calls: [{ id: "c1", type: "function", function: { name: "weather", arguments: json } }]
})

const toolkit = Toolkit.make(
  Tool.make("weather", {
    description: "How warm it is.",
    parameters: { city: Schema.String },
    success: Schema.Struct({ degrees: Schema.Number })
  })
)
const Tools = toolkit.toLayer({ weather: ({ city }) => Effect.succeed({ degrees: city.length }) })

describe("the example of @effect/ai", () => {
  it.scopedLive("generateText is served by the next tier where the first has none", () =>
    Effect.gen(function* () {
      const prompt = [
        { role: "system", content: "Be brief." },
        { role: "user", content: [{ type: "text", text: "Hi" }] }
      ] as const
      const reply = says({ reasoning_content: "Hm.", content: "Hello" }, "length")
      const { answer, sent } = yield* asked([[fails(503)], [reply]], LanguageModel.generateText({ prompt }))
      const { content, finishReason, reasoningText, text, usage } = yield* answer
      assert.deepStrictEqual([reasoningText, text, finishReason], ["Hm.", "Hello", "length"])
      assert.deepStrictEqual([usage.inputTokens, usage.outputTokens], [3, 2])
      const [metadata] = content
      assert(metadata?.type === "response-metadata")
      assert.deepStrictEqual(metadata.metadata["understudy"], { tier: "standby", fallback: true })
      assert.deepStrictEqual(sent[1], [
        {
          model: "small",
          messages: [
            { role: "system", content: "Be brief." },
            { role: "user", content: [{ type: "text", text: "Hi" }] }
          ]
        }
      ])
    })
  )

  it.scopedLive("generateText calls tools, and a turn later their results are there", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const first = yield* LanguageModel.generateText({ prompt: "How warm is Oslo?", toolkit })
        assert.deepStrictEqual(
          first.toolResults.map(({ result }) => result),
          [{ degrees: 4 }]
        )
        return yield* LanguageModel.generateText({
          prompt: [
            {
              role: "assistant",
              content: [{ type: "tool-call", id: "c1", name: "weather", params: { city: "Oslo" } }]
            },
            {
              role: "tool",
              content: [
                {
                  type: "tool-result",
                  id: "c1",
                  name: "weather",
                  result: { degrees: 4 },
                  isFailure: false,
                  providerExecuted: false
                }
              ]
            }
          ],
          toolkit,
          toolChoice: { tool: "weather" }
        }).pipe(Effect.flip)
      }).pipe(Effect.provide(Tools))
      const broken = says(call('{"city'), "tool_calls")
      const { answer, sent } = yield* asked(
        [[says(call('{"city":"Oslo"}'), "tool_calls"), broken], []],
        program
      )
      assert.strictEqual((yield* answer)._tag, "MalformedOutput")
      const [first, second] = sent[0] ?? []
      assert.strictEqual(first.tool_choice, "auto")
      assert.deepInclude(first.tools[0].function, { name: "weather", description: "How warm it is." })
      assert.deepStrictEqual(first.tools[0].function.parameters.required, ["city"])
      assert.deepStrictEqual(second.tool_choice, { type: "function", function: { name: "weather" } })
      assert.deepStrictEqual(second.messages, [
        { role: "assistant", ...call('{"city":"Oslo"}') },
        { role: "tool", tool_call_id: "c1", content: '{"degrees":4}' }
      ])
    })
  )

  it.scopedLive(
    "generateObject is tried again where the object does not fit, and then the next tier is asked",
    () =>
      Effect.gen(function* () {
        const schema = Schema.Struct({ city: Schema.String, degrees: Schema.NumberFromString })
        const good = says({ content: '{"city":"Oslo","degrees":"4"}' })
        const bad = says({ content: '{"city":"Oslo","degrees":4}' })
        const { answer, sent } = yield* asked(
          [[bad], [good]],
          LanguageModel.generateObject({ prompt: "How warm is Oslo?", schema, objectName: "weather" })
        )
        assert.deepStrictEqual((yield* answer).value, { city: "Oslo", degrees: 4 })
        assert.deepStrictEqual(
          sent.map((requests) => requests.length),
          [2, 1]
        )
        assert.strictEqual(sent[1]?.[0].response_format.json_schema.name, "weather")
      })
  )

  it.scopedLive("streamText is one coherent stream of the tier that spoke first", () =>
    Effect.gen(function* () {
      const chunk = (delta: object, finish_reason: string | null = null) =>
        raw(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`)
      const { tool_calls } = call('{"city":"Oslo"}')
      const speaks = stream([
        chunk({ reasoning: "Hm." }),
        content("Hel"),
        content("lo"),
        chunk({ tool_calls }),
        chunk({}, "tool_calls")
      ])
      const { answer } = yield* asked(
        [[stream([role], "reset")], [speaks]],
        Stream.runCollect(LanguageModel.streamText({ prompt: "Hi", toolkit })).pipe(Effect.provide(Tools))
      )
      const parts = Chunk.toArray(yield* answer)
      assert.deepStrictEqual(
        parts.map((part) => part.type),
        [
          "response-metadata",
          "reasoning-start",
          "reasoning-delta",
          "text-start",
          "text-delta",
          "text-delta",
          "reasoning-end",
          "text-end",
          "tool-call",
          "finish",
          "tool-result"
        ]
      )
      const text = parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join("")
      assert.strictEqual(text, "Hello")
    })
  )

  it.scopedLive("what goes wrong is an AiError that keeps the cause, and a stream that breaks says so", () =>
    Effect.gen(function* () {
      const ask = Effect.flip(LanguageModel.generateText({ prompt: "Hi" }))
      const rejected = yield* (yield* asked([[fails(400)], []], ask)).answer
      assert(rejected._tag === "MalformedInput")
      assert.strictEqual(rejected.description, "invalid request (HTTP 400)")
      const failed = yield* (yield* asked([[fails(503)], [fails(503)]], ask)).answer
      assert(failed._tag === "UnknownError")
      assert.strictEqual(failed.description, "all tiers failed after 4 attempts")
      const cut = stream([content("Hel")], "eof")
      const { answer } = yield* asked(
        [[cut], [stream([content("no"), finish])]],
        Stream.runDrain(LanguageModel.streamText({ prompt: "Hi" }))
      )
      assert(Exit.isFailure(answer))
      assert.include(String(answer.cause), "MalformedOutput")
    })
  )
})
