import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option, Stream, TestClock } from "effect"
import { messageReader } from "../src/internal/anthropic/reader.ts"
import * as Sse from "../src/Sse.ts"
import { TransportError } from "../src/Upstream.ts"
import { anthropic, events, stream } from "./anthropic.ts"
import { bytes, sse, text } from "./scripted.ts"

type Body = Stream.Stream<Uint8Array, TransportError>

/** How a stream of this body comes out: its parts, their text, and how it ended. */
const streamed = (body: string | Body, fields: object = {}) =>
  Effect.gen(function* () {
    const up = anthropic({ headers: sse, body })
    const parts: Array<{ readonly text: string; readonly content: boolean; readonly usage: unknown }> = []
    const exit = yield* Effect.exit(
      Stream.runForEach(stream(up, fields), (part) =>
        Effect.sync(() => parts.push({ ...part, text: text(part.bytes) }))
      )
    )
    return {
      parts,
      text: parts.map((part) => part.text).join(""),
      kind: Exit.isSuccess(exit) ? undefined : Option.getOrThrow(Cause.failureOption(exit.cause)).kind
    }
  })

const start = {
  type: "message_start",
  message: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-1",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: {
      input_tokens: 3,
      cache_read_input_tokens: 4,
      cache_creation_input_tokens: null,
      output_tokens: 1
    }
  }
}
const startBlock = (index: number, content_block: object) => ({
  type: "content_block_start",
  index,
  content_block
})
const delta = (index: number, delta: object) => ({ type: "content_block_delta", index, delta })
const stopBlock = (index: number) => ({ type: "content_block_stop", index })
const textBlock = (index: number, ...pieces: ReadonlyArray<string>) => [
  startBlock(index, { type: "text", text: "", citations: null }),
  ...pieces.map((text) => delta(index, { type: "text_delta", text })),
  stopBlock(index)
]
const toolBlock = (index: number, id: string, ...pieces: ReadonlyArray<string>) => [
  startBlock(index, { type: "tool_use", id, name: "add", input: {} }),
  ...pieces.map((partial_json) => delta(index, { type: "input_json_delta", partial_json })),
  stopBlock(index)
]
const change = (stop_reason: string | null, output_tokens = 9) => ({
  type: "message_delta",
  delta: { stop_reason, stop_sequence: null },
  usage: { output_tokens, input_tokens: null }
})
const ping = { type: "ping" }
const stop = { type: "message_stop" }
const said = (...pieces: ReadonlyArray<string>) => [start, ...textBlock(0, ...pieces)]

const everything = [
  start,
  ping,
  startBlock(0, { type: "thinking", thinking: "", signature: "" }),
  delta(0, { type: "thinking_delta", thinking: "hm" }),
  delta(0, { type: "signature_delta", signature: "s" }),
  stopBlock(0),
  startBlock(1, { type: "redacted_thinking", data: "d" }),
  stopBlock(1),
  startBlock(2, { type: "text", text: "", citations: null }),
  delta(2, { type: "text_delta", text: "Grüße" }),
  delta(2, { type: "text_delta", text: "" }),
  delta(2, { type: "citations_delta", citation: {} }),
  delta(2, { type: "text_delta", text: " 👋" }),
  stopBlock(2),
  ...toolBlock(3, "toolu_1", "", '{"n": 90071992', "54740993}"),
  ping,
  ...toolBlock(4, "toolu_2"),
  startBlock(5, { type: "tool_use", id: "toolu_3", name: "sub", input: { a: [1] } }),
  stopBlock(5),
  change("tool_use"),
  stop
]

/** The events of a stream as text: each comment, and each chunk's choices and usage. */
const told = (stream: string): ReadonlyArray<unknown> =>
  stream
    .split("\n\n")
    .slice(0, -1)
    .map((event) => {
      if (event.startsWith(":") || event === "data: [DONE]") return event
      const { choices, created, id, model, object, ...rest } = JSON.parse(event.replace("data: ", ""))
      assert.deepStrictEqual([id, model, object, created], ["msg_1", "claude-1", "chat.completion.chunk", 0])
      return choices.length === 0
        ? rest
        : { ...choices[0].delta, ...rest, finish: choices[0].finish_reason ?? undefined }
    })

const call = (index: number, rest: object) => ({ tool_calls: [{ index, ...rest }], finish: undefined })
const named = (id: string, name = "add") => ({ id, type: "function", function: { name, arguments: "" } })
const args = (text: string) => ({ function: { arguments: text } })

describe("Anthropic: a stream", () => {
  it.effect("comes in OpenAI's chunks", () =>
    Effect.gen(function* () {
      const { kind, text } = yield* streamed(events(everything))
      assert.isUndefined(kind)
      assert.deepStrictEqual(told(text), [
        { role: "assistant", content: "", finish: undefined },
        ": ping",
        { content: "Grüße", finish: undefined },
        { content: " 👋", finish: undefined },
        call(0, named("toolu_1")),
        call(0, args('{"n": 90071992')),
        call(0, args("54740993}")),
        ": ping",
        call(1, named("toolu_2")),
        call(1, args("{}")),
        call(2, named("toolu_3", "sub")),
        call(2, args('{"a":[1]}')),
        { finish: "tool_calls" },
        "data: [DONE]"
      ])
    })
  )

  it.effect("has its usage in every chunk and one more, for who asks; its parts have it always", () =>
    Effect.gen(function* () {
      const without = yield* streamed(events([...said("Hi"), change("end_turn"), stop]))
      const asked = yield* streamed(events([...said("Hi"), change("end_turn"), stop]), {
        stream_options: { include_usage: true }
      })
      assert.notInclude(without.text, "usage")
      const usage = {
        prompt_tokens: 7,
        completion_tokens: 9,
        total_tokens: 16,
        prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 0 }
      }
      assert.deepStrictEqual(told(asked.text), [
        { role: "assistant", content: "", usage: null, finish: undefined },
        { content: "Hi", usage: null, finish: undefined },
        { usage: null, finish: "stop" },
        { usage },
        "data: [DONE]"
      ])
      for (const { parts } of [without, asked]) {
        assert.deepStrictEqual(parts.flatMap((part) => part.usage ?? []).at(-1) as object, {
          input: 7,
          output: 9,
          cacheRead: 4
        })
      }
    })
  )

  it.effect("has no usage that nobody counted", () =>
    Effect.gen(function* () {
      const uncounted = { ...start, message: { ...start.message, usage: undefined } }
      const end = { type: "message_delta", delta: { stop_reason: "end_turn" } }
      const all = [uncounted, ...textBlock(0, "Hi"), end, stop]
      const { text } = yield* streamed(events(all), { stream_options: { include_usage: true } })
      assert.notInclude(text, "prompt_tokens")
    })
  )

  it.effect("is the same wherever it is cut", () =>
    Effect.gen(function* () {
      const whole = bytes(events(everything))
      const expected = (yield* streamed(events(everything))).text
      const byByte = yield* streamed(Stream.fromIterable([...whole].map((byte) => Uint8Array.of(byte))))
      assert.deepStrictEqual([byByte.kind, byByte.text], [undefined, expected])
      for (let cut = 1; cut < whole.length; cut++) {
        const sse = Sse.make()
        const reader = messageReader({ created: 0, includeUsage: false })
        const blocks = [...sse.push(whole.subarray(0, cut)), ...sse.push(whole.subarray(cut)), ...sse.end()]
        const reads = blocks
          .map(reader.read)
          .map((read) => (read._tag === "Part" ? text(read.bytes) : read._tag))
        assert.strictEqual(`${reads.join("")}data: [DONE]\n\n`.replaceAll(/Nothing|End/g, ""), expected)
        assert.isTrue(reader.isWhole())
      }
    })
  )

  it.effect("is content from its first text or call on; neither its role nor thinking nor a ping is", () =>
    Effect.gen(function* () {
      const contentOf = (event: object) =>
        Effect.map(
          streamed(
            Stream.fromIterable([...everything, event].map((one) => bytes(events([one as typeof stop]))))
          ),
          ({ parts }) => parts.map(({ content, text }) => [content, text.slice(0, 6)])
        )
      const content = yield* contentOf(ping)
      assert.deepStrictEqual(
        content.map(([content]) => content),
        [false, false, true, true, true, true, true, false, true, true, true, true, true, false]
      )
    })
  )

  it.effect("is made at the time it is asked for", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_700_000_000_999)
      const { text } = yield* streamed(events([...said("Hi"), change("end_turn"), stop]))
      assert.include(text, '"created":1700000000,')
    })
  )

  it.effect("that says when it is done is whole, with or without a reason, whatever comes after", () =>
    Effect.gen(function* () {
      const reset = Stream.fail(new TransportError({ reason: "connection", code: "ECONNRESET" }))
      const ends: ReadonlyArray<readonly [string, Body]> = [
        ["a reason and a stop", Stream.make(bytes(events([...said("Hi"), change("max_tokens"), stop])))],
        ["a reason alone", Stream.make(bytes(events([...said("Hi"), change("max_tokens")])))],
        [
          "a reason, then a reset",
          Stream.concat(Stream.make(bytes(events([...said("Hi"), change("max_tokens")]))), reset)
        ],
        [
          "a stop, then more",
          Stream.make(bytes(events([...said("Hi"), change("max_tokens"), stop, ...textBlock(1, "more")])))
        ],
        [
          "two reasons",
          Stream.make(bytes(events([...said("Hi"), change("max_tokens"), change("end_turn"), stop])))
        ],
        [
          "counts before the reason",
          Stream.make(bytes(events([...said("Hi"), change(null), change("max_tokens"), stop])))
        ],
        [
          "counts after the reason",
          Stream.make(bytes(events([...said("Hi"), change("max_tokens"), change(null), stop])))
        ]
      ]
      for (const [how, body] of ends) {
        const { kind, text } = yield* streamed(body)
        assert.isUndefined(kind, how)
        assert.deepStrictEqual(told(text).slice(2), [{ finish: "length" }, "data: [DONE]"], how)
      }
      const { parts, text } = yield* streamed(events([...said("Hi"), stop]))
      assert.deepStrictEqual(told(text).slice(2), [{ finish: "stop" }, "data: [DONE]"])
      assert.deepStrictEqual(parts.at(-2)?.usage as object, { input: 7, output: 1, cacheRead: 4 })
    })
  )

  it.effect("that ends before its reason was cut short, wherever that was", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* streamed(events([...said("Hi"), change(null)]))).kind, "stream_truncated")
      const until = everything.findIndex(({ type }) => type === "message_delta")
      for (let count = 0; count <= until; count++) {
        const { kind, text } = yield* streamed(events(everything.slice(0, count)))
        assert.strictEqual(kind, "stream_truncated")
        assert.notInclude(text, "[DONE]")
      }
    })
  )

  it.effect("with an error in it fails as the error says, and what came before is there", () =>
    Effect.gen(function* () {
      const error = (type: string) => ({ type: "error", error: { type, message: "m" } })
      for (const [type, kind] of [
        ["overloaded_error", "overloaded"],
        ["api_error", "server_error"],
        ["rate_limit_error", "rate_limited"],
        ["of_tomorrow", "stream_error"]
      ] as const) {
        const before = yield* streamed(events([start, error(type)]))
        assert.strictEqual(before.kind, kind)
        const after = yield* streamed(events([...said("Hi"), error(type), change("end_turn"), stop]))
        assert.deepStrictEqual([after.kind, told(after.text).length], [kind, 2])
      }
      for (const odd of ["event: error\ndata: no JSON\n\n", 'data: {"error":{"message":"m"}}\n\n']) {
        assert.strictEqual((yield* streamed(events([start]) + odd)).kind, "stream_error")
      }
    })
  )

  it.effect("has no id and no model where they are no text", () =>
    Effect.gen(function* () {
      const nameless = { ...start, message: { ...start.message, id: { a: 1 }, model: ["claude-1"] } }
      const { parts } = yield* streamed(events([nameless, ...textBlock(0, "Hi"), change("end_turn"), stop]))
      const { id, model } = JSON.parse(parts[0]!.text.split("\n\n")[0]!.replace("data: ", ""))
      assert.deepStrictEqual([id, model], ["", ""])
    })
  )

  it.effect("leaves out malformed events and counts them", () =>
    Effect.gen(function* () {
      const malformed = [
        "data: {oops\n\n",
        "data: 7\n\n",
        events([start]),
        events([delta(9, { type: "text_delta", text: "x" }), stopBlock(9)]),
        events([
          startBlock(1, { type: "tool_use", name: "f" }),
          startBlock(1, { type: "tool_use", id: "a" })
        ]),
        events([startBlock(2, { type: "text", text: "" }), delta(2, { type: "text_delta" })]),
        events([...toolBlock(3, "a").slice(0, 1), delta(3, { type: "input_json_delta", partial_json: 1 })])
      ]
      const early = events([change("end_turn"), ...textBlock(0, "x")])
      const { span, ...result } = yield* Effect.gen(function* () {
        const body = early + events(said("Hi")) + malformed.join("") + events([change("end_turn"), stop])
        return { ...(yield* streamed(body)), span: yield* Effect.currentSpan }
      }).pipe(Effect.withSpan("attempt"))
      assert.deepStrictEqual(told(result.text), [
        { role: "assistant", content: "", finish: undefined },
        { content: "Hi", finish: undefined },
        call(0, named("a")),
        { finish: "stop" },
        "data: [DONE]"
      ])
      assert.strictEqual(span.attributes.get("understudy.stream.malformed_events"), 4 + 9)
    })
  )

  it.effect("may have events, blocks and deltas of tomorrow, comments and events without data", () =>
    Effect.gen(function* () {
      const body = [
        ": comment\n\nevent: ping\n\n",
        events([{ type: "of_tomorrow" }, start, startBlock(0, { type: "of_tomorrow", text: "x" })]),
        events([
          delta(0, { type: "of_tomorrow", text: "x" }),
          delta(0, { type: "input_json_delta", partial_json: "{" })
        ]),
        events([stopBlock(0), ...textBlock(1, "Hi"), change("of_tomorrow"), stop])
      ]
      const { kind, text } = yield* streamed(body.join(""))
      assert.isUndefined(kind)
      assert.deepStrictEqual(told(text).slice(1), [
        { content: "Hi", finish: undefined },
        { finish: "stop" },
        "data: [DONE]"
      ])
    })
  )

  it.effect("may begin a block with its text", () =>
    Effect.gen(function* () {
      const body = events([
        start,
        startBlock(0, { type: "text", text: "Hi" }),
        stopBlock(0),
        change("end_turn")
      ])
      assert.deepStrictEqual(told((yield* streamed(body)).text)[1] as object, {
        content: "Hi",
        finish: undefined
      })
    })
  )

  it.effect("numbers of an input that comes at once are as they are written", () =>
    Effect.gen(function* () {
      const block = events([startBlock(0, { type: "tool_use", id: "a", name: "f", input: "INPUT" })])
      const body =
        events([start]) +
        block.replace('"INPUT"', '{"n": 9007199254740993, "n": 1.0}') +
        events([stopBlock(0), change("tool_use")])
      assert.deepStrictEqual(
        told((yield* streamed(body)).text)[2],
        call(0, args('{"n": 9007199254740993, "n": 1.0}'))
      )
    })
  )
})
