import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Option, Stream, TestClock } from "effect"
import { ChatModel, type Provider, Sandbox } from "../src/index.ts"
import { type Act, delta, fails, hi, scripted, stop, streams } from "./chatModels.ts"

type Scripts = Parameters<typeof scripted>[0]

/** What was streamed, as far as it came, and how it ended. */
const streamed = (scripts: Scripts, tier?: Parameters<typeof scripted>[1]) =>
  Effect.gen(function* () {
    const { calls, chat } = scripted(scripts, tier)
    const { stream } = yield* chat
    const parts: Array<ChatModel.Part> = []
    const exit = yield* Effect.exit(
      Stream.runForEach(stream(hi), (part) => Effect.sync(() => parts.push(part)))
    )
    const error = Option.getOrUndefined(Option.flatMap(Exit.causeOption(exit), Cause.failureOption))
    return { parts, calls, error }
  })

const said = (...chunks: ReadonlyArray<unknown>) =>
  Effect.map(streamed({ large: [streams(...chunks, stop)] }), ({ parts }) => {
    const [started, ...deltas] = parts
    const finished = deltas.pop()
    assert(started?._tag === "Started" && finished?._tag === "Finished")
    return { started, finished, deltas: deltas.slice(0, -1) }
  })

const text = (parts: ReadonlyArray<ChatModel.Part>) =>
  parts.map((part) => (part._tag === "TextDelta" ? part.text : "")).join("")

const broken = (act: Act): Act => ({ ...act, breaks: true })

describe("ChatModel: a stream", () => {
  it.effect("says first who serves, then piece by piece what is said, and at last all of it", () =>
    Effect.gen(function* () {
      const role = delta({ role: "assistant", content: "" })
      const [hel, lo] = [delta({ content: "Hel" }), delta({ content: "lo" })]
      const usage = { choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } }
      const filters = { choices: [], prompt_filter_results: [] }
      const { parts } = yield* streamed({ large: [streams(role, hel, lo, stop, usage, filters)] })
      const [started, ...rest] = parts
      assert(started?._tag === "Started")
      assert.deepStrictEqual(started.servedBy, { tier: "primary", model: "large", provider: "up" })
      assert.deepStrictEqual([started.fallback, started.attempts.length], [false, 1])
      assert.deepStrictEqual(rest, [
        { _tag: "Other", json: role },
        { _tag: "TextDelta", text: "Hel", json: hel },
        { _tag: "TextDelta", text: "lo", json: lo },
        { _tag: "Other", json: stop },
        { _tag: "Other", json: usage },
        { _tag: "Other", json: filters },
        {
          _tag: "Finished",
          text: "Hello",
          reasoning: undefined,
          refusal: undefined,
          toolCalls: [],
          finishReason: "stop",
          usage: { input: 3, output: 2 },
          message: { role: "assistant", content: "Hello" }
        }
      ])
    })
  )

  it.effect("reasons, refuses and speaks, all in one chunk if it likes", () =>
    Effect.gen(function* () {
      const all = delta({ reasoning_content: "Hm", content: [{ type: "text", text: "Well" }], refusal: "No" })
      const { deltas, finished } = yield* said(
        all,
        delta({ reasoning: "m." }),
        delta({ content: null, refusal: "." })
      )
      assert.deepStrictEqual(
        deltas.map((part) => [part._tag, "text" in part && part.text]),
        [
          ["ReasoningDelta", "Hm"],
          ["TextDelta", "Well"],
          ["RefusalDelta", "No"],
          ["ReasoningDelta", "m."],
          ["RefusalDelta", "."]
        ]
      )
      assert.deepStrictEqual([finished.text, finished.refusal], ["Well", "No."])
    })
  )

  it.effect("loses nothing where content is text at one time and parts at another", () =>
    Effect.gen(function* () {
      const [capital, reference] = [
        { type: "text", text: "The capital" },
        { type: "reference", reference_ids: [0] }
      ]
      for (const [contents, kept] of [
        // Mistral: vercel/ai#4747.
        [
          ["The capital ", "is Paris", [reference], "."],
          ["The capital is Paris", reference, "."]
        ],
        [
          [[reference], "The capital", null, " is Paris", ""],
          [reference, "The capital is Paris"]
        ],
        [
          [[capital], [capital, reference]],
          [capital, capital, reference]
        ]
      ] as const) {
        const { deltas, finished } = yield* said(...contents.map((content) => delta({ content })))
        const content = kept.map((part) => (typeof part === "string" ? { type: "text", text: part } : part))
        assert.strictEqual(finished.text, text(deltas))
        assert.deepStrictEqual(finished.message, {
          role: "assistant",
          content: finished.text,
          extra: { content }
        })
      }
    })
  )

  it.effect("has thought all that it was heard to think, whatever that was called", () =>
    Effect.gen(function* () {
      const { finished } = yield* said(delta({ reasoning_content: "Hm" }), delta({ reasoning: "m." }))
      assert.strictEqual(finished.reasoning, "Hmm.")
    })
  )

  it.effect("puts tool calls together from their pieces, with what is signed to them", () =>
    Effect.gen(function* () {
      const pieces = [
        { index: 0, id: "c1", type: "function", function: { name: "weather", arguments: "" } },
        {
          index: 0,
          function: { arguments: '{"city":' },
          extra_content: { google: { thought_signature: "s" } }
        },
        { index: 1, id: "c2", function: { name: "time", arguments: "{}" } },
        { index: 0, id: "", function: { name: "weather", arguments: '"Oslo"}' } }
      ]
      const { deltas, finished } = yield* said(...pieces.map((piece) => delta({ tool_calls: [piece] })))
      assert.deepStrictEqual(
        deltas.map(
          (part) => part._tag === "ToolCallDelta" && [part.index, part.id, part.name, part.arguments]
        ),
        [
          [0, "c1", "weather", ""],
          [0, undefined, undefined, '{"city":'],
          [1, "c2", "time", "{}"],
          [0, undefined, "weather", '"Oslo"}']
        ]
      )
      const toolCalls = [
        {
          id: "c1",
          name: "weather",
          arguments: '{"city":"Oslo"}',
          extra: { extra_content: { google: { thought_signature: "s" } } }
        },
        { id: "c2", name: "time", arguments: "{}" }
      ]
      assert.deepStrictEqual(finished.toolCalls, toolCalls)
      assert.deepStrictEqual(finished.message, { role: "assistant", toolCalls })
    })
  )

  it.effect("tells calls that are not numbered apart by their ids", () =>
    Effect.gen(function* () {
      const { deltas, finished } = yield* said(
        delta({ tool_calls: [{ function: { name: "a", arguments: "{" } }] }),
        delta({ tool_calls: [{ function: { arguments: "}" } }, { id: "c2", function: { name: "b" } }] }),
        delta({ tool_calls: [{ id: "c2", function: { arguments: "{}" } }] })
      )
      assert.deepStrictEqual(
        deltas.map((part) => part._tag === "ToolCallDelta" && part.index),
        [0, 0, 1, 1]
      )
      assert.deepStrictEqual(finished.toolCalls, [
        { id: "", name: "a", arguments: "{}" },
        { id: "c2", name: "b", arguments: "{}" }
      ])
    })
  )

  it.effect("melts no two calls into one, however they are numbered and named", () =>
    Effect.gen(function* () {
      const named = (name: string, args?: unknown) => ({ function: { name, arguments: args } })
      const goesOn = (args: string) => ({ function: { arguments: args } })
      const [a, b] = ['{"x":1}', '{"y":2}']
      const cases = [
        // Every call is number 0: omnigent-ai/omnigent#28.
        [
          [0, { index: 0, id: "c1", ...named("f", a) }],
          [1, { index: 0, id: "c2", ...named("f", b) }]
        ],
        [
          [0, { index: 0, id: "c1", ...named("f", "") }],
          [0, { index: 0, id: "", ...goesOn(a) }],
          [1, { index: 0, id: "c2", ...named("f", "") }],
          [1, { index: 0, id: "", ...goesOn(b) }]
        ],
        [
          [0, { index: 0, id: "c1", ...named("f", '{"x"') }],
          [1, { index: 0, id: "c2", ...named("f", b) }],
          [0, { index: 0, id: "c1", ...goesOn(":1") }],
          [0, { index: 0, ...goesOn("}") }]
        ],
        // And has no id: NousResearch/hermes-agent#62937.
        [
          [0, { index: 0, id: "", ...named("f", a) }],
          [1, { index: 0, id: "", ...named("f", b) }],
          [1, { index: 0, id: "", ...named("f", "") }]
        ],
        [
          [0, { index: 0, ...named("f", '{"x":') }],
          [0, { index: 0, ...named("f", "1}") }],
          [1, { index: 0, ...named("g", b) }]
        ],
        [
          [0, { index: 0, ...named("f", '{"x":') }],
          [0, { index: 0, ...goesOn("1}") }],
          [1, { index: 0, ...named("f", '{"y":') }],
          [1, { index: 0, ...named("f", "{}") }],
          [1, { index: 0, ...goesOn("}") }]
        ],
        [
          [0, { index: 0, ...named("f", "") }],
          [0, { index: 0, ...goesOn('{"x":') }],
          [0, { index: 0, ...goesOn("1} ") }],
          [0, { index: 0, ...named("f", "") }],
          [1, { index: 0, ...goesOn('{"y"') }],
          [1, { index: 0, ...goesOn(":2}") }]
        ],
        // What is too much is of no other call.
        [
          [0, { index: 0, ...named("f", '{"x":1}') }],
          [0, { index: 0, ...named("f", "}") }],
          [0, { index: 0, ...goesOn("{") }],
          [1, { index: 1, ...named("f", b) }]
        ],
        // An id that comes late, and one that changes with every piece: poolsideai/pool#9.
        [
          [0, { index: 0, ...named("f", '{"x":') }],
          [0, { index: 0, id: "c1", ...goesOn("1}") }],
          [1, { index: 1, id: "c2", ...named("g", "{") }],
          [1, { index: 1, id: "c3", ...goesOn('"y":2}') }]
        ],
        // The calls are numbered among other things: pipecat-ai/pipecat#4987.
        [
          [0, { index: 1, id: "c1", ...named("f", a) }],
          [1, { index: 3, id: "c2", ...named("g", b) }]
        ],
        // No number.
        [
          [0, named("f", '{"x":')],
          [0, goesOn("1}")],
          [1, named("f", { y: 2 })]
        ],
        [
          [0, named("f")],
          [1, named("g", b)]
        ],
        [
          [0, { id: "c1", ...named("f", '{"x":') }],
          [1, { id: "c2", ...named("f", '{"y":') }],
          [0, { id: "c1", ...goesOn("1}") }],
          [1, { id: "c2", ...goesOn("2}") }]
        ]
      ] as const
      for (const pieces of cases) {
        const { deltas, finished } = yield* said(...pieces.map(([, piece]) => delta({ tool_calls: [piece] })))
        const calls = deltas.filter((part) => part._tag === "ToolCallDelta")
        assert.deepStrictEqual(
          calls.map(({ index }) => index),
          pieces.map(([index]) => index)
        )
        assert.deepStrictEqual(
          finished.toolCalls,
          [0, 1].map((index) => {
            const pieces = calls.filter((part) => part.index === index)
            return {
              id: pieces.find(({ id }) => id !== undefined)?.id ?? "",
              name: pieces.find(({ name }) => name !== undefined)?.name ?? "",
              arguments: pieces.map(({ arguments: text }) => text).join("")
            }
          })
        )
      }
    })
  )

  it.effect("keeps for the next turn what it has no name for, and leaves the chunks as they were", () =>
    Effect.gen(function* () {
      const details = (index: number) =>
        delta({ content: "x", details: [index], audio: { id: "a", data: "b" }, n: index })
      const { deltas, finished } = yield* said(details(1), details(2))
      assert.deepStrictEqual(finished.message.extra, {
        details: [1, 2],
        audio: { id: "a", data: "bb" },
        n: 2
      })
      assert.deepStrictEqual(
        deltas.map((part) => "json" in part && part.json),
        [details(1), details(2)]
      )
    })
  )

  it.effect("is not to be led astray by the names of fields", () =>
    Effect.gen(function* () {
      const evil = JSON.parse(
        '{"content":"x","__proto__":{"polluted":1},"toString":{"__proto__":{"polluted":1}}}'
      )
      yield* said(delta(evil), delta(evil))
      assert.isFalse("polluted" in {})
      const unsaid = JSON.parse('{"__proto__":{"content":"evil","refusal":"evil","polluted":1}}')
      const { deltas, finished } = yield* said(delta(unsaid), delta({ tool_calls: [unsaid] }))
      assert.deepStrictEqual(
        deltas.map(({ _tag }) => _tag),
        ["Other", "ToolCallDelta"]
      )
      assert.deepStrictEqual([finished.text, finished.refusal], ["", undefined])
      assert.deepStrictEqual(finished.message, {
        role: "assistant",
        toolCalls: [{ id: "", name: "", arguments: "" }]
      })
    })
  )

  it.effect("of several choices is the first; the others are other chunks", () =>
    Effect.gen(function* () {
      const { deltas, finished } = yield* said(
        delta({ content: "a" }, null, 1),
        delta({}, "length", 1),
        delta({ content: "b" }, null, null)
      )
      assert.deepStrictEqual(
        deltas.map(({ _tag }) => _tag),
        ["Other", "Other", "TextDelta"]
      )
      assert.deepStrictEqual([finished.text, finished.finishReason], ["b", "stop"])
    })
  )
})

describe("ChatModel: a stream of a provider of one's own", () => {
  it.effect("is read however large its events are", () =>
    Effect.gen(function* () {
      const content = "x".repeat(9 * 1024 * 1024)
      const bytes = new TextEncoder().encode(streams(delta({ content }), stop).body)
      const provider: Provider.Provider = {
        ...Sandbox.make({ name: "own" }),
        stream: () => Stream.toPull(Stream.make({ bytes, content: true, usage: undefined }))
      }
      const { stream } = yield* ChatModel.make({ tiers: [{ name: "primary", provider, model: "large" }] })
      const finished = Option.getOrThrow(yield* Stream.runLast(stream(hi)))
      assert(finished._tag === "Finished")
      assert.deepStrictEqual([finished.text.length, finished.finishReason], [content.length, "stop"])
    })
  )
})

describe("ChatModel: a stream that breaks", () => {
  const hello = streams(delta({ content: "Hello" }), stop)

  it.effect("before its first content is the next tier's to give, and known to be", () =>
    Effect.gen(function* () {
      const { error, parts } = yield* streamed({
        large: [broken(streams(delta({ role: "assistant" })))],
        small: [hello]
      })
      const [started] = parts
      assert(started?._tag === "Started")
      assert.deepStrictEqual([started.servedBy.tier, started.fallback], ["standby", true])
      assert.deepStrictEqual(
        started.attempts.map(({ errorType }) => errorType),
        ["connection", undefined]
      )
      assert.deepStrictEqual([text(parts), error], ["Hello", undefined])
    })
  )

  it.effect("after it fails with the provider's error, never finished and never asked again", () =>
    Effect.gen(function* () {
      const cut = streams(delta({ content: "Hel" }))
      for (const [act, kind] of [
        [broken(cut), "connection"],
        [cut, "stream_truncated"]
      ] as const) {
        const { calls, error, parts } = yield* streamed(
          { large: [act], small: [hello] },
          { retry: { times: 2 } }
        )
        assert(error?._tag === "ProviderError")
        assert.deepStrictEqual([text(parts), error.kind], ["Hel", kind])
        assert.deepStrictEqual([parts.at(-1)?._tag, calls], ["TextDelta", { large: 1, small: 0 }])
      }
    })
  )

  it.effect("everywhere before it began is one error with all attempts", () =>
    Effect.gen(function* () {
      const { error, parts } = yield* streamed({ large: [fails(503)], small: [fails(429)] })
      assert(error?._tag === "AllTiersFailed")
      assert.deepStrictEqual(
        error.attempts.map(({ errorType }) => errorType),
        ["overloaded", "rate_limited"]
      )
      assert.deepStrictEqual(parts, [])
    })
  )

  it.effect("that is silent for too long at its beginning gives way in time", () =>
    Effect.gen(function* () {
      const { chat } = scripted(
        { large: [{ ...hello, after: "1 hour" }], small: [hello] },
        { firstToken: "3s" }
      )
      const { stream } = yield* chat
      const fiber = yield* Effect.fork(Stream.runHead(stream(hi)))
      yield* TestClock.adjust("3 seconds")
      const started = Option.getOrThrow(yield* Fiber.join(fiber))
      assert(started._tag === "Started")
      assert.deepStrictEqual(
        started.attempts.map(({ outcome, tier }) => [tier, outcome]),
        [
          ["primary", "timeout"],
          ["standby", "success"]
        ]
      )
    })
  )
})
