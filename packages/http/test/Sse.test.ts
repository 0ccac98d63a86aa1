import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { Sse } from "../src/index.ts"

const encode = (text: string) => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)

const read = (chunks: ReadonlyArray<Uint8Array>, options?: { readonly maxEventBytes: number }) => {
  const reader = Sse.make(options)
  return [...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.end()]
}

const seen = (text: string) => read([encode(text)]).map(({ data, event }) => ({ data, event }))

const splitAt = (bytes: Uint8Array, cuts: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const bounds = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
  return bounds.slice(1).map((end, index) => bytes.slice(bounds[index], end))
}

const concat = (parts: ReadonlyArray<Uint8Array>) => Uint8Array.from(parts.flatMap((part) => [...part]))

/** What the standard says of a whole stream, told in another way: line by line over text. */
const told = (text: string) => {
  const events: Array<{ data: string | undefined; event: string }> = []
  let data: Array<string> = []
  let event = ""
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/)
  for (const line of [...lines, ""]) {
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/su.exec(line)!
    if (line === "") {
      if (data.length > 0) events.push({ data: data.join("\n"), event })
      data = []
      event = ""
    } else if (field === "data") data.push(value ?? "")
    else if (field === "event") event = value ?? ""
  }
  return events
}

const pieces = [
  ...["data", "data: one", "data:two", "event", "event: error", "id: 1", "retry: 5", ": ping"],
  ...["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\n", "\n\n"],
  ...[":", " ", "x", "é", "語", "😀", "\uFEFF", "\0"]
]
const streams = FastCheck.array(FastCheck.constantFrom(...pieces), { maxLength: 40 }).map((parts) =>
  parts.join("")
)

describe("Sse.make", () => {
  it("reads data, names, comments and fields without a value", () => {
    assert.deepStrictEqual(seen("data: a\n\n"), [{ data: "a", event: "" }])
    assert.deepStrictEqual(seen("event: error\ndata:{}\n\n"), [{ data: "{}", event: "error" }])
    assert.deepStrictEqual(seen("data:  a\ndata\ndata:b\n\n"), [{ data: " a\n\nb", event: "" }])
    assert.deepStrictEqual(seen(": ping\n\n"), [{ data: undefined, event: "" }])
    assert.deepStrictEqual(seen("event: ping\n\n"), [{ data: undefined, event: "ping" }])
    assert.deepStrictEqual(seen("id: 1\nretry: 5\ndatas: x\ndata: a\0b\n\n"), [{ data: "a\0b", event: "" }])
  })

  it("skips a byte order mark at the start of the stream alone", () => {
    assert.deepStrictEqual(
      seen("\uFEFFdata: a\n\n\uFEFFdata: b\n\n").map(({ data }) => data),
      ["a", undefined]
    )
  })

  it("gives an event as soon as its blank line is there", () => {
    for (const blank of ["\n\n", "\r\r", "\r\n\r\n"]) {
      const reader = Sse.make()
      assert.deepStrictEqual(reader.push(encode(`data: a${blank.slice(0, -1)}`)), [])
      assert.deepStrictEqual(
        reader.push(encode(blank.slice(-1))).map(({ data }) => data),
        ["a"]
      )
      assert.deepStrictEqual(reader.end(), [])
    }
  })

  it("gives the event that is still open at the end, and nothing where none is", () => {
    assert.deepStrictEqual(
      seen("data: a\n\ndata: b").map(({ data }) => data),
      ["a", "b"]
    )
    assert.deepStrictEqual(seen(""), [])
  })

  it("blank lines go with the block that follows them, or are the rest", () => {
    const raws = (text: string) => read([encode(text)]).map(({ raw }) => decode(raw))
    assert.deepStrictEqual(raws("\r\n\n\rdata: a\n\n\ndata: b\n\n"), ["\r\n\n\rdata: a\n\n", "\ndata: b\n\n"])
    assert.deepStrictEqual(raws("data: a\r\r\n"), ["data: a\r\r", "\n"])
    assert.deepStrictEqual(seen("\n\n\n"), [{ data: undefined, event: "" }])
  })

  it("keeps bytes that are not UTF-8", () => {
    const bytes = Uint8Array.from([...encode("data: "), 0xff, 10, 10])
    assert.deepStrictEqual(read([bytes]), [{ raw: bytes, event: "", data: "\uFFFD" }])
  })

  it("splits at every byte give the same events", () => {
    for (const lineEnd of ["\n", "\r", "\r\n"]) {
      const text = ["\uFEFF: ping", "", "event: x", "data: é😀", "data:2", "", "data: [DONE]", "", ""].join(
        lineEnd
      )
      const bytes = encode(text)
      const whole = read([bytes])
      assert.deepStrictEqual(
        whole.map(({ data }) => data),
        [undefined, "é😀\n2", "[DONE]"]
      )
      assert.deepStrictEqual(read([...bytes].map((byte) => Uint8Array.of(byte))), whole)
      for (let cut = 0; cut <= bytes.length; cut++) {
        assert.deepStrictEqual(read(splitAt(bytes, [cut])), whole, `cut at ${cut}`)
      }
    }
  })

  it.prop(
    "any stream in any splits: the same events, whose bytes are the stream's",
    [streams, FastCheck.array(FastCheck.nat(200), { maxLength: 12 })],
    ([text, cuts]) => {
      const bytes = encode(text)
      const whole = read([bytes])
      const chunks = splitAt(
        bytes,
        cuts.map((cut) => Math.min(cut, bytes.length))
      )
      assert.deepStrictEqual(read(chunks), whole)
      assert.deepStrictEqual(concat(whole.map(({ raw }) => raw)), bytes)
    },
    { fastCheck: { numRuns: 500 } }
  )

  it.prop(
    "any stream: what the standard says",
    [streams],
    ([text]) => {
      const events = seen(text).filter(({ data }) => data !== undefined)
      assert.deepStrictEqual(events, told(text))
    },
    { fastCheck: { numRuns: 1000 } }
  )

  it("does not look again at what it has seen", () => {
    const reader = Sse.make()
    const byte = encode("x")
    for (let index = 0; index < 2 ** 20; index++) reader.push(byte)
    assert.strictEqual(reader.end()[0]?.raw.length, 2 ** 20)
  })

  it("fails over the bound, wherever the stream is cut, and after what came before", () => {
    const bytes = encode(`data: a\n\ndata: ${"b".repeat(20)}\n\ndata: c\n\n`)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const events: Array<string | undefined> = []
      const reader = Sse.make({ maxEventBytes: 16 })
      assert.throws(() => {
        for (const chunk of splitAt(bytes, [cut])) events.push(...reader.push(chunk).map(({ data }) => data))
        reader.end()
      }, Sse.SseTooLarge)
      assert.deepStrictEqual(events, ["a"])
      assert.throws(() => reader.push(encode("data: d\n\n")), Sse.SseTooLarge)
      assert.throws(() => reader.end(), Sse.SseTooLarge)
    }
    assert.strictEqual(read([encode("data: 1234567\n\n")], { maxEventBytes: 15 }).length, 1)
  })

  it("refuses a bound that is none", () => {
    for (const maxEventBytes of [0, -1, 1.5, Number.NaN]) {
      assert.throws(() => Sse.make({ maxEventBytes }), RangeError)
    }
  })
})

describe("Sse encoding", () => {
  it.prop("what is written is read again, line ends as LF", [streams], ([payload]) => {
    const [event, ...rest] = read([Sse.data(payload)])
    assert.strictEqual(event?.data, payload.replace(/\r\n|\r/g, "\n"))
    assert.deepStrictEqual(rest, [])
  })

  it.prop("a comment is no event, whatever it holds", [streams], ([text]) => {
    const events = read([Sse.comment(text)])
    assert.deepStrictEqual(
      events.map(({ data, event }) => ({ data, event })),
      [{ data: undefined, event: "" }]
    )
  })

  it("done", () => {
    assert.strictEqual(decode(Sse.done), "data: [DONE]\n\n")
  })
})
