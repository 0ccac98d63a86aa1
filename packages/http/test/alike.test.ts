import { assert, describe, it, vi } from "@effect/vitest"
import { FastCheck } from "effect"
import { Sse } from "../src/index.ts"
import { Alike } from "../src/internal/stream/alike.ts"
import { chunkReader } from "../src/internal/stream/chunkReader.ts"

/** The same stream by a reader that compares and by one that parses every event. */
const bothWays = (bytes: Uint8Array) => {
  const find = vi.spyOn(Alike.prototype, "find")
  const compared = readingOf(bytes)
  const found = find.mock.results.filter(({ value }) => value !== undefined).length
  find.mockReturnValue(undefined)
  const parsed = readingOf(bytes)
  find.mockRestore()
  return { compared, parsed, found }
}

const readingOf = (bytes: Uint8Array) => {
  const reader = chunkReader(2)
  const events = Sse.make()
  return [...events.push(bytes), ...events.end()].map((event) => ({
    read: reader.read(event),
    isWhole: reader.isWhole(),
    hasAll: reader.hasAll(),
    facts: reader.facts()
  }))
}

/** Where the words of an event go. */
const W = "<words>"
const choices = (delta: string, rest = "") => `{"id":"a","choices":[{"index":0,"delta":${delta}${rest}}]}`
const text = `"content":"${W}"`

const shapes = [
  choices(`{${text}}`),
  choices(`{${text}}`, ',"finish_reason":null'),
  choices(`{${text}}`, ',"finish_reason":"stop"'),
  choices(`{${text}}`, `,"finish_reason":"${W}"`),
  choices(`{${text}}`, `,"index":${W.length}`),
  choices(`{${text}}`, `,"error":"${W}"`),
  choices(`{${text}}`, `,"error":{${text}}`),
  choices(`{${text},${text}}`),
  choices(`{${text},"content":null}`),
  choices(`{${text},"cont\\u0065nt":""}`),
  choices(`{"cont\\u0065nt":"${W}",${text}}`),
  choices(`{"\\"content":"${W}"}`),
  choices(`{"${W}":"x",${text}}`),
  choices(`{"refusal":"${W}"}`),
  choices(`{"role":"${W}","content":""}`),
  choices(`{"reasoning":"${W}","reasoning_details":[{"type":"x","text":"${W}"}],"content":""}`),
  choices(`{"reasoning_content":"${W}","content":null}`),
  choices(`{"tool_calls":[{"index":0,"id":"${W}","function":{"name":"f","arguments":"${W}"}}]}`),
  choices(`{"audio":{${text}}}`),
  choices(`{"other":{${text}}}`),
  choices(`[{${text}}]`),
  choices(`"${W}"`),
  `{"id":"${W}","model":"${W}","choices":[{"delta":{${text}}},{"index":1,"delta":{"content":"${W}"}}],"obfuscation":"${W}"}`,
  `{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"text":"${W}"}}`,
  `{"choices":[{"delta":{${text}}}],"usage":{"prompt_tokens":3}}`,
  `{"choices":[],"text":"${W}"}`,
  `{"choices":[{"message":{${text}},"delta":{}}]}`,
  `{"choices":[],"choices":[{"delta":{${text}}}]}`,
  `{"choices":"${W}","content":"${W}"}`,
  `{"error":{${text}},"choices":[]}`,
  `{"object":"${W}","choices":[{"delta":{${text}}}]}`,
  `{"choices":[{"delta":{${text}}}]`,
  `{"choices":[{"delta":{ "content" : "${W}" , "content":"${W}"}}]}`,
  `[{"error":"${W}"},{${text}}]`,
  `"${W}"`,
  "[DONE]"
]

const words = FastCheck.oneof(
  FastCheck.constantFrom(
    ...["", "a", "the", " ", "é", "語", "😀", "\u2028", "\uFEFF", "\u007f", "\t", "\u0000", "\r", "\n"],
    ...["\\n", '\\"', "\\\\", "\\", "\\/", "\\u0041", "\\ud83d", "\\u00", "\\x", '"', '\\\\"', "\\"],
    ...["stop", "error", "content", 'content":"', 'a","finish_reason":"stop', '"}}]}', '"},"error":{"a":"b'],
    ...["\n\ndata: [DONE]", "\nevent: error", '\ndata: {"error":1}', "\xff"]
  ),
  FastCheck.constantFrom("error", "stop", ""),
  FastCheck.fullUnicodeString({ maxLength: 4 })
)

const framings = [
  ...Array<string>(6).fill("data: {}\n\n"),
  ...["data:{}\n\n", "data: {}\r\n\r\n", "\uFEFFdata: {}\n\n", "event: error\ndata: {}\n\n"],
  ...[
    'event: content":"<words>"\ndata: {}\n\n',
    ': content":"<words>"\ndata: {}\n\n',
    "data: {}\ndata: {}\n\n"
  ],
  ...["data: {}", "\n\ndata: {}\n\n"]
]

const event = (pool: ReadonlyArray<string>) =>
  FastCheck.tuple(
    FastCheck.constantFrom(...framings),
    FastCheck.constantFrom(...pool),
    FastCheck.infiniteStream(words)
  ).map(([framing, shape, each]) =>
    framing.replaceAll("{}", () => shape).replaceAll(W, () => each.next().value)
  )

/** Few shapes in one stream, so that many follow on one like them. Bytes that are no UTF-8 stand in it as `ÿ`. */
const streams = FastCheck.subarray(shapes, { minLength: 1, maxLength: 3 })
  .chain((pool) => FastCheck.array(event(pool), { minLength: 2, maxLength: 12 }))
  .map((events) => {
    const bytes = new TextEncoder().encode(events.join(""))
    return bytes.map((byte, index) => (byte === 0xc3 && bytes[index + 1] === 0xbf ? 0xff : byte))
  })

describe("Alike", () => {
  it.prop(
    "whatever the events are, one that is compared comes to the same as one that is parsed",
    [streams],
    ([bytes]) => {
      const { compared, parsed } = bothWays(bytes)
      assert.deepStrictEqual(compared, parsed)
    },
    { fastCheck: { numRuns: 2000 } }
  )

  it("of a stream as models write it, all but what begins and ends it is compared", () => {
    const chunk = (delta: string, end = "null") =>
      `data: ${choices(delta, `,"logprobs":null,"finish_reason":${end}`)}\n\n`
    const said = ["The", " show", "\\n\\n", ' \\"goes\\"', " on 😀"]
    const events = [
      chunk('{"role":"assistant","content":""}'),
      ...said.map((words) => chunk(`{"content":"${words}"}`)),
      chunk("{}", '"stop"'),
      'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":5}}\n\n',
      "data: [DONE]\n\n"
    ]
    const { compared, found, parsed } = bothWays(new TextEncoder().encode(events.join("")))
    assert.strictEqual(found, said.length - 1)
    assert.deepStrictEqual(compared, parsed)
  })

  it("so is one with words of several kinds", () => {
    const chunk = (words: string, pad: string) =>
      `data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"${words}"}}]}}],"obfuscation":"${pad}"}\n\n`
    const events = [
      chunk('{\\"', "x1"),
      chunk("city", "abcdef"),
      chunk('\\":\\"', "q"),
      chunk('Oslo\\"}', "12")
    ]
    assert.strictEqual(bothWays(new TextEncoder().encode(events.join(""))).found, 3)
  })
})
