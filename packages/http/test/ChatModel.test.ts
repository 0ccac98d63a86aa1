import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Attempt } from "@understudy/core"
import { Cause, Config, ConfigError, ConfigProvider, Duration, Effect, Fiber, Layer, TestClock } from "effect"
import { ChatModel, OpenAiCompatible, Provider, Sandbox, Upstream } from "../src/index.ts"
import { fails, hi, says, scripted, sends } from "./chatModels.ts"

const replyTo = (message: object, finishReason?: string) =>
  Effect.flatMap(scripted({ large: [says(message, finishReason)] }).chat, ({ complete }) => complete(hi))

const call = (id: string, json: unknown, more: object = {}) => ({
  id,
  type: "function",
  function: { name: "weather", arguments: json },
  ...more
})

describe("ChatModel: a whole answer", () => {
  it.effect("says what was said, by whom, and keeps every byte of it", () =>
    Effect.gen(function* () {
      const act = says({ content: "Hello" })
      const { chat } = scripted({ large: [act] })
      const { attempts, ...answer } = yield* (yield* chat).complete(hi)
      assert.deepStrictEqual(answer, {
        text: "Hello",
        reasoning: undefined,
        refusal: undefined,
        toolCalls: [],
        finishReason: "stop",
        usage: { input: 3, output: 5 },
        message: { role: "assistant", content: "Hello" },
        servedBy: { tier: "primary", model: "large", provider: "up" },
        fallback: false,
        body: new TextEncoder().encode(act.body),
        json: JSON.parse(act.body)
      })
      assert.deepStrictEqual(
        attempts.map(({ outcome, tier }) => [tier, outcome]),
        [["primary", "success"]]
      )
    })
  )

  it.effect("comes from the next tier where the first has none, after all its tries", () =>
    Effect.gen(function* () {
      const retry = { times: 1, base: "1s", jitter: "none" } as const
      const { chat } = scripted({ large: [fails(503)], small: [says({ content: "Hello" })] }, { retry })
      const events: Array<Attempt.Event> = []
      const fiber = yield* Effect.fork(
        Effect.provideService(
          Effect.flatMap(chat, ({ complete }) => complete(hi)),
          Attempt.Listener,
          (event) => events.push(event)
        )
      )
      yield* TestClock.adjust("1 second")
      const { attempts, fallback, servedBy, text } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        [text, servedBy.tier, servedBy.model, fallback],
        ["Hello", "standby", "small", true]
      )
      assert.deepStrictEqual(
        attempts.map(({ errorType, tier, waited }) => [tier, errorType, Duration.toMillis(waited)]),
        [
          ["primary", "overloaded", 0],
          ["primary", "overloaded", 1000],
          ["standby", undefined, 0]
        ]
      )
      const end = events.at(-1)
      assert(end?._tag === "RunEnded")
      assert.deepStrictEqual([end.run, end.servedBy, end.attempts], ["chat", "standby", 3])
    })
  )

  it.effect("has the tool calls that were wished for, as the model wrote them", () =>
    Effect.gen(function* () {
      const signed = { extra_content: { google: { thought_signature: "s" } } }
      const tool_calls = [call("c1", '{"city": "Oslo"', signed), call("c2", { city: "Bergen" }), { id: "c3" }]
      const { message, ...reply } = yield* replyTo({ content: null, tool_calls }, "tool_calls")
      const toolCalls = [
        { id: "c1", name: "weather", arguments: '{"city": "Oslo"', extra: signed },
        { id: "c2", name: "weather", arguments: '{"city":"Bergen"}' },
        { id: "c3", name: "", arguments: "" }
      ]
      assert.deepStrictEqual([reply.text, reply.toolCalls, reply.finishReason], ["", toolCalls, "tool_calls"])
      assert.deepStrictEqual(message, { role: "assistant", toolCalls })
    })
  )

  it.effect("keeps for the next turn what it has no name for, but nothing empty", () =>
    Effect.gen(function* () {
      const reply = yield* replyTo({
        content: "Hello",
        reasoning_content: "Think.",
        refusal: null,
        annotations: [],
        citations: ["a"]
      })
      assert.strictEqual(reply.reasoning, "Think.")
      assert.deepStrictEqual(reply.message, {
        role: "assistant",
        content: "Hello",
        extra: { reasoning_content: "Think.", citations: ["a"] }
      })
    })
  )

  it.effect("reads the text of parts, other words for reasoning, and a refusal", () =>
    Effect.gen(function* () {
      const content = [{ type: "thinking", thinking: [] }, { type: "text", text: "Hel" }, { text: "lo" }, 7]
      const parts = yield* replyTo({ content })
      assert.deepStrictEqual([parts.text, parts.message.extra], ["Hello", { content }])
      assert.strictEqual((yield* replyTo({ content: "", reasoning: "Think." })).reasoning, "Think.")
      const refused = yield* replyTo({ content: null, refusal: "No." }, "")
      assert.deepStrictEqual([refused.refusal, refused.finishReason], ["No.", undefined])
    })
  )

  it.effect("of several choices is the first, wherever it stands", () =>
    Effect.gen(function* () {
      const choices = [
        { index: 1, message: { content: "second" } },
        { index: 0, message: { content: "first" } }
      ]
      const { chat } = scripted({ large: [sends({ choices })] })
      assert.strictEqual((yield* (yield* chat).complete(hi)).text, "first")
    })
  )
})

describe("ChatModel: no answer", () => {
  it.effect("the caller's mistake is the provider's error, and nobody else is asked", () =>
    Effect.gen(function* () {
      const { calls, chat } = scripted({ large: [fails(400)], small: [says({ content: "Hello" })] })
      const kind = yield* Effect.flatMap(chat, ({ complete }) => complete(hi)).pipe(
        Effect.catchTag("ProviderError", ({ kind, status }) => Effect.succeed([kind, status]))
      )
      assert.deepStrictEqual([kind, calls], [["invalid_request", 400], { large: 1, small: 0 }])
    })
  )

  it.effect("of any tier is one error with all attempts, which shows nothing of what was said", () =>
    Effect.gen(function* () {
      const { chat } = scripted({ large: [fails(503)], small: [fails(401)] })
      const error = yield* Effect.flip((yield* chat).complete(hi))
      assert(error._tag === "AllTiersFailed")
      assert.deepStrictEqual(
        error.attempts.map(({ errorType }) => errorType),
        ["overloaded", "auth"]
      )
      for (const printed of [String(error), inspect(error, { depth: 9 }), Cause.pretty(Cause.fail(error))]) {
        assert.notInclude(printed, "secret")
      }
    })
  )
})

describe("ChatModel: its policy", () => {
  const provider = Sandbox.make({ name: "sandbox" })
  const tier = { name: "primary", provider, model: "large" }

  it.effect("is read as a file is, and refused with the place", () =>
    Effect.gen(function* () {
      const refused = (policy: ChatModel.Options) =>
        Effect.map(Effect.flip(Layer.launch(ChatModel.layer(policy))), ({ message }) => message)
      assert.include(yield* refused({ deadline: "soon", tiers: [tier] }), '["deadline"]')
      assert.include(yield* refused({ tiers: [tier, tier] }), "duplicate tier name")
      assert.include(yield* refused({ tiers: [{ ...tier, model: "" }] }), '["model"]')
      const noProvider = yield* refused({ tiers: [{ ...tier, provider: { apiKey: "sk-1" } as never }] })
      assert.include(noProvider, "expected a provider")
      assert.notInclude(noProvider, "sk-1")
      const typo = { ...tier, timout: "5s" }
      assert.include(yield* refused({ tiers: [typo] }), '["timout"]')
    })
  )

  it.effect("names its runs, and bounds them", () =>
    Effect.gen(function* () {
      const runs: Array<string> = []
      const { complete } = yield* ChatModel.make({ name: "mail", deadline: "100ms", tiers: [tier] })
      const ask = Effect.provideService(complete(hi), Attempt.Listener, ({ run }) => runs.push(run))
      const fiber = yield* Effect.fork(Effect.flip(ask))
      yield* TestClock.adjust("100 millis")
      assert.strictEqual((yield* Fiber.join(fiber)).message, "the deadline ended the run after 1 attempt")
      assert.deepStrictEqual(new Set(runs), new Set(["mail"]))
    })
  )

  it.effect("may leave nothing to the configuration", () =>
    Effect.gen(function* () {
      const ask = Effect.flatMap(ChatModel.ChatModel, ({ complete }) => complete(hi))
      const answer = Effect.provide(ask, ChatModel.layerConfig({ tiers: [tier] }))
      const fiber = yield* Effect.fork(answer)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber)).servedBy.model, "large")
    })
  )

  const environment = (entries: Record<string, string>) =>
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(entries))))

  it.effect("comes from the configuration, field by field", () =>
    Effect.gen(function* () {
      const keys: Array<string | undefined> = []
      const UpstreamTest = Layer.succeed(Upstream.Upstream, {
        send: (request) => {
          keys.push(request.headers["authorization"])
          return Sandbox.upstream({ latency: 0 }).send(request)
        }
      })
      const openai = Provider.fromConfig(OpenAiCompatible.make, {
        name: "openai",
        baseUrl: Config.string("URL"),
        apiKey: Config.redacted("KEY")
      })
      const ChatLive = ChatModel.layerConfig({
        name: Config.string("NAME"),
        maxTiers: Config.integer("TIERS").pipe(Config.withDefault(undefined)),
        tiers: [
          { name: "primary", provider: openai, model: Config.string("MODEL") },
          { name: "standby", provider, model: "small", timeout: Config.string("TIMEOUT") }
        ]
      })
      const ask = Effect.flatMap(ChatModel.ChatModel, ({ complete }) => complete(hi)).pipe(
        Effect.provide(ChatLive),
        Effect.provide(UpstreamTest)
      )
      const given = { URL: "https://a.example/v1", KEY: "sk-1", NAME: "chat", MODEL: "large", TIMEOUT: "5s" }
      const { servedBy } = yield* environment(given)(ask)
      assert.deepStrictEqual(servedBy, { tier: "primary", model: "large", provider: "openai" })
      assert.deepStrictEqual(keys, ["Bearer sk-1"])
      for (const name of ["KEY", "MODEL", "TIMEOUT"] as const) {
        const { [name]: _, ...rest } = given
        const error = yield* Effect.flip(environment(rest)(ask))
        assert.isTrue(ConfigError.isConfigError(error))
        assert.include(String(error), name)
      }
      assert.strictEqual(
        (yield* Effect.flip(environment({ ...given, TIMEOUT: "soon" })(ask)))._tag,
        "ParseError"
      )
      const neither = String(
        yield* Effect.flip(environment({ NAME: "chat", MODEL: "large", TIMEOUT: "5s" })(ask))
      )
      assert.deepStrictEqual([neither.includes("URL"), neither.includes("KEY")], [true, true])
      const noUrl = yield* Effect.flip(environment({ ...given, URL: "a.example" })(ask))
      assert.include(String(noUrl), "the provider cannot be made")
    })
  )
})
