import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Attempt } from "@understudy/core"
import {
  Cause,
  Config,
  ConfigError,
  ConfigProvider,
  Context,
  Duration,
  Effect,
  Fiber,
  Layer,
  Schema,
  TestClock
} from "effect"
import { ChatModel, OpenAiCompatible, Provider, Sandbox, Upstream } from "../src/index.ts"
import { type Asked, fails, hi, says, scripted, sends } from "./chatModels.ts"

/** Everything of a reply but how it came about. */
const replyTo = (message: object, finishReason?: string) =>
  Effect.gen(function* () {
    const { chat } = scripted({ large: [says(message, finishReason)] })
    const {
      attempts: _,
      body: __,
      fallback: ___,
      json: ____,
      servedBy: _____,
      ...reply
    } = yield* (yield* chat).complete(hi)
    return reply
  })

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

const Weather = Schema.Struct({ city: Schema.String, degrees: Schema.NumberFromString })
const weather = says({ content: '{"city":"Oslo","degrees":"-3"}' })

/** The names of the formats that were asked for, and whether they are strict. */
const formats = (asked: ReadonlyArray<Asked>) =>
  asked.map(({ response_format: format }) => [format?.json_schema?.["name"], format?.json_schema?.["strict"]])

describe("ChatModel: an object", () => {
  it.effect("is decoded, beside all there is of the answer", () =>
    Effect.gen(function* () {
      const { asked, chat } = scripted({ large: [weather] })
      const { servedBy, text, value } = yield* (yield* chat).completeObject({ ...hi, schema: Weather })
      assert.deepStrictEqual(value, { city: "Oslo", degrees: -3 })
      assert.deepStrictEqual([servedBy.tier, text], ["primary", '{"city":"Oslo","degrees":"-3"}'])
      assert.deepStrictEqual(formats(asked), [["answer", true]])
    })
  )

  it.effect("is called what it is", () =>
    Effect.gen(function* () {
      class Report extends Schema.Class<Report>("app/Report")({ city: Schema.String }) {}
      const { asked, chat } = scripted({ large: [weather] })
      const { completeObject } = yield* chat
      const { value } = yield* completeObject({ ...hi, schema: Report })
      assert.instanceOf(value, Report)
      yield* completeObject({ ...hi, schema: Report, name: "mine", strict: false })
      assert.deepStrictEqual(formats(asked), [
        ["app_Report", true],
        ["mine", false]
      ])
    })
  )

  it.effect("that does not fit is tried again, then asked of the next tier, and no breaker counts it", () =>
    Effect.gen(function* () {
      const bad = [says({ content: "The weather is fine." }), says({ content: null, refusal: "No." })]
      const { calls, chat } = scripted(
        { large: [...bad, ...bad, weather], small: [weather] },
        { retry: { times: 1, base: "1s", jitter: "none" }, breaker: { consecutive: 1 } }
      )
      const { completeObject } = yield* chat
      const ask = Effect.gen(function* () {
        const fiber = yield* Effect.fork(completeObject({ ...hi, schema: Weather }))
        yield* TestClock.adjust("1 second")
        const { attempts, servedBy } = yield* Fiber.join(fiber)
        return [servedBy.tier, attempts.map(({ errorType, outcome }) => errorType ?? outcome)]
      })
      const fallenBack = ["standby", ["invalid_output", "invalid_output", "success"]]
      assert.deepStrictEqual(
        [yield* ask, yield* ask, yield* ask],
        [fallenBack, fallenBack, ["primary", ["success"]]]
      )
      assert.deepStrictEqual(calls, { large: 5, small: 2 })
    })
  )

  it.effect("that fits nowhere is an error without a word of it", () =>
    Effect.gen(function* () {
      const { chat } = scripted({
        large: [says({ content: "secret" })],
        small: [says({ content: "secret" })]
      })
      const error = yield* Effect.flip((yield* chat).completeObject({ ...hi, schema: Weather }))
      assert.strictEqual(error.message, "all tiers failed after 2 attempts")
      assert.notInclude(inspect(error, { depth: 9 }), "secret")
    })
  )

  it.effect("may need services to be decoded", () =>
    Effect.gen(function* () {
      class Unit extends Context.Tag("Unit")<Unit, string>() {}
      const Degrees = Schema.transformOrFail(Schema.String, Schema.String, {
        decode: (degrees) => Effect.map(Unit, (unit) => degrees + unit),
        encode: Effect.succeed
      })
      const { chat } = scripted({ large: [weather] })
      const { completeObject } = yield* chat
      const asked = completeObject({ ...hi, schema: Schema.Struct({ degrees: Degrees }) })
      assert.deepStrictEqual((yield* Effect.provideService(asked, Unit, "C")).value, { degrees: "-3C" })
    })
  )
})

describe("ChatModel.decodeArguments", () => {
  const decode = (json: string) =>
    Effect.either(
      ChatModel.decodeArguments(Schema.Struct({ city: Schema.optional(Schema.String) }))({
        id: "c1",
        name: "weather",
        arguments: json
      })
    )

  it.effect("takes none for an empty object, and says what does not fit", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* decode(" "), yield* decode("{}"))
      assert.deepInclude(yield* decode('{"city":"Oslo"}'), { right: { city: "Oslo" } })
      for (const json of ['{"city":7}', '{"city', "[]"]) {
        assert.strictEqual((yield* decode(json))._tag, "Left")
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
      assert.strictEqual((yield* Fiber.join(fiber)).message, "the deadline ended the run after 1 attempts")
      assert.deepStrictEqual(new Set(runs), new Set(["mail"]))
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
      const noUrl = yield* Effect.flip(environment({ ...given, URL: "a.example" })(ask))
      assert.include(String(noUrl), "the provider cannot be made")
    })
  )
})
