import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, chatBody, envelope } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import {
  answer,
  type Behaviour,
  content,
  done,
  fails,
  finish,
  raw,
  role,
  sends,
  stream,
  wall
} from "../support/wall.ts"

const once = "retry: { times: 0 }"
const json = "application/json"
const choices = '"choices":[{"message":{"role":"assistant","content":"Hi"}}]'

/** An answer of so many levels. */
const nested = (depth: number) => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)},${choices}}`

const withFirst = (behaviour: Behaviour, tier1?: string) =>
  Effect.gen(function* () {
    const [first, second] = [yield* wall, yield* wall]
    first.script(behaviour)
    const running = yield* gateway(chat([first.url, second.url], { tier: once, tier1 }))
    return { ...running, first, second }
  })

describe("an answer with", () => {
  const bodies: Readonly<Record<string, string | Buffer>> = {
    "a byte order mark": `\ufeff{${choices}}`,
    "512 levels of nesting": nested(512),
    "keys of the prototype": `{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},${choices}}`,
    "bytes that are no UTF-8": Buffer.from(`{"a":"\xff\xfe\xc3",${choices}}`, "latin1"),
    "a NUL and half an emoji, escaped": `{"a":"\\u0000\\ud800",${choices}}`,
    "no message, for reasons of policy":
      '{"choices":[{"index":0,"finish_reason":"content_filter: PROHIBITED_CONTENT"}]}',
    "usage that is null": `{${choices},"usage":null}`,
    "usage below zero": `{${choices},"usage":{"prompt_tokens":-1,"completion_tokens":-1}}`,
    "usage in words": `{${choices},"usage":{"prompt_tokens":"three","completion_tokens":{}}}`,
    "usage beyond all numbers": `{${choices},"usage":{"prompt_tokens":1e400,"completion_tokens":1e99}}`,
    "10,000 choices": `{"choices":[${Array(10_000).fill('{"message":{}}').join()}]}`
  }
  for (const [name, body] of Object.entries(bodies)) {
    it.scopedLive(`${name} is one, in its own bytes`, () =>
      Effect.gen(function* () {
        const { url } = yield* withFirst(sends(200, json, body))
        const served = yield* ask(url)
        assert.strictEqual(served.headers["x-understudy-tier"], "tier1")
        assert.isTrue(served.body.equals(Buffer.from(body)))
        assert.isUndefined(({} as { polluted?: number }).polluted)
      })
    )
  }
})

describe("what is no answer,", () => {
  const bodies: Readonly<Record<string, readonly [string | Buffer, string]>> = {
    "a NUL": [`{${choices}\0}`, "invalid_answer"],
    "UTF-16": [Buffer.from(`{${choices}}`, "utf16le"), "invalid_answer"],
    "brackets without end": ["[".repeat(1_000_000), "invalid_answer"],
    "513 levels of nesting": [nested(513), "invalid_answer"],
    "100,000 levels of nesting": [nested(100_000), "invalid_answer"],
    "two answers": [`{${choices}}{${choices}}`, "invalid_answer"],
    "a string": [JSON.stringify(`{${choices}}`), "invalid_answer"],
    null: ["null", "invalid_answer"],
    "[DONE]": ["[DONE]", "invalid_answer"],
    "choices that are null": ['{"choices":null}', "invalid_answer"],
    "choices that are a map": ['{"choices":{"0":{"message":{}}}}', "invalid_answer"],
    "a choice that is null": ['{"choices":[null]}', "invalid_answer"],
    "a choice without a message": ['{"choices":[{"message":{}},{"text":"Hi"}]}', "invalid_answer"],
    "a piece of a stream": [
      '{"object":"chat.completion.chunk","choices":[{"delta":{"content":"Hi"}}]}',
      "invalid_answer"
    ],
    "an error in a list": ['[{"error":{"code":503,"status":"UNAVAILABLE"}}]', "overloaded"],
    "an error that is a string": ['{"error":"model crashed"}', "stream_error"],
    "an error with a number for a code": ['{"error":{"code":429,"message":"slow down"}}', "rate_limited"],
    "an error in Mistral's words": ['{"object":"error","type":"rate_limited"}', "rate_limited"],
    "an error beside an answer": [`{"error":{"type":"server_error"},${choices}}`, "server_error"],
    "an error in an error": [
      JSON.stringify({ error: { message: JSON.stringify({ error: { code: "insufficient_quota" } }) } }),
      "stream_error"
    ]
  }
  for (const [name, [body, kind]] of Object.entries(bodies)) {
    it.scopedLive(`such as ${name}, is ${kind}, and the next tier answers`, () =>
      Effect.gen(function* () {
        const { first, log, url } = yield* withFirst(sends(200, json, body))
        const served = yield* ask(url)
        assert.deepStrictEqual([served.status, served.headers["x-understudy-tier"]], [200, "tier2"])
        assert.include(served.text, "Hello there")
        const attempt = log.find(({ message }) => message === "attempt")
        assert.deepStrictEqual([attempt?.["error_type"], attempt?.["status"]], [kind, 200])
        assert.strictEqual(first.received.length, 1)
      })
    )
  }
})

/** A body that does not end, as fast as it is read. */
const endless =
  (status: number, type: string, begin: string, sent: { bytes: number }): Behaviour =>
  (response) => {
    response.writeHead(status, { "content-type": type })
    response.write(begin)
    const { socket } = response
    response.on("close", () => {
      sent.bytes = socket?.bytesWritten ?? 0
    })
    const block = "x".repeat(256 * 1024)
    const next = (): void => {
      while (!response.destroyed) if (!response.write(block)) return void response.once("drain", next)
    }
    next()
  }

describe("what does not end is read no further than", () => {
  const MiB = 1024 * 1024
  // What the kernel takes on top of it without anybody reading.
  const kernel = 16 * MiB
  const bodies = {
    "1 MiB of an error": [503, json, '{"error":"', MiB, ["overloaded", 503], false],
    "64 MiB of an answer": [200, json, '{"a":"', 64 * MiB, ["invalid_answer", 200], false],
    "8 MiB of an event": [200, "text/event-stream", "data: ", 8 * MiB, ["stream_error", undefined], true],
    "8 MiB of a comment": [200, "text/event-stream", ": ", 8 * MiB, ["stream_error", undefined], true]
  } as const
  for (const [name, [status, type, begin, bytes, seen, stream]] of Object.entries(bodies)) {
    it.scopedLive(name, () =>
      Effect.gen(function* () {
        const sent = { bytes: 0 }
        const { first, log, url } = yield* withFirst(endless(status, type, begin, sent))
        const served = yield* ask(url, { body: chatBody({ stream }) })
        assert.deepStrictEqual([served.status, served.headers["x-understudy-tier"]], [200, "tier2"])
        assert.deepStrictEqual([log[0]?.["error_type"], log[0]?.["status"]], [...seen])
        yield* eventually(() => sent.bytes > 0 && first.sockets() === 0)
        assert.isAbove(sent.bytes, bytes)
        assert.isBelow(sent.bytes, bytes + kernel)
      })
    )
  }
})

const streamed = { body: chatBody({ stream: true }) }
const whole = [role, content("Hel"), content("lo"), finish]
const text = (pieces: ReadonlyArray<ReturnType<typeof raw>>) =>
  pieces.map((piece) => piece("model1")).join("")

describe("a stream with", () => {
  const good = text(whole)
  const odd: Readonly<Record<string, string>> = {
    "no space after its colons": good.replaceAll("data: ", "data:"),
    "a byte order mark": `\ufeff${good}`,
    "a byte order mark before each event": `\ufeff${good}`.replaceAll("\n\n", "\n\n: \ufeff\n\n"),
    "NULs in its comments": good.replaceAll("\n\n", "\n\n: \0\0\n\n"),
    "line ends of every kind": good.replace("\n\n", "\r\n\r\n").replace("\n\n", "\r\r"),
    "blank lines before its events": good.replaceAll("data: ", "\n\n\ndata: "),
    "ids and times": good.replaceAll("data: ", "id: 1\nretry: 1\ndata: "),
    names: good.replaceAll("data: ", "event: chunk\ndata: "),
    "usage in every event": good.replaceAll(',"choices"', ',"usage":{"prompt_tokens":-1},"choices"'),
    "10,000 events": text([role, ...Array.from({ length: 10_000 }, () => content("la ")), finish])
  }
  for (const [name, sent] of Object.entries(odd)) {
    it.scopedLive(`${name} is one, in its own bytes`, () =>
      Effect.gen(function* () {
        const { url } = yield* withFirst(sends(200, "text/event-stream", sent))
        const served = yield* ask(url, streamed)
        assert.strictEqual(served.headers["x-understudy-tier"], "tier1")
        assert.strictEqual(served.text, sent + done("model1"))
      })
    )
  }

  const left: Readonly<Record<string, string>> = {
    "an event that is no JSON": "data: {oops\n\n",
    "an event with a NUL": 'data: {"choices":[]\0}\n\n',
    "an event of another protocol": 'event: ping\ndata: {"type":"ping"}\n\n',
    "an event without choices": 'data: {"id":"c","choices":null}\n\n',
    "an empty event": "data\n\ndata:\n\n",
    "a name alone": "event: ping\n\n"
  }
  for (const [name, event] of Object.entries(left)) {
    it.scopedLive(`${name} goes on without it`, () =>
      Effect.gen(function* () {
        const pieces = whole.flatMap((piece) => [raw(event), piece])
        const { url } = yield* withFirst(stream(pieces))
        const served = yield* ask(url, streamed)
        assert.strictEqual(served.headers["x-understudy-tier"], "tier1")
        assert.strictEqual(served.text, good + done("model1"))
      })
    )
  }
})

describe("a stream that begins with", () => {
  const first: Readonly<Record<string, readonly [string, string]>> = {
    "[DONE]": ["data: [DONE]\n\n", "stream_truncated"],
    "an error that is a string": ['data: {"error":"boom"}\n\n', "stream_error"],
    "an error in a list": ['data: [{"error":{"code":503}}]\n\n', "overloaded"],
    "an error with a number for a code": ['data: {"error":{"code":429}}\n\n', "rate_limited"],
    "an error named so, of no JSON": ["event: error\ndata: boom\n\n", "stream_error"],
    "an error over two lines": ['data: {"error":\ndata: {"code":503}}\n\n', "overloaded"],
    "a choice that it gave up": ['data: {"choices":[{"finish_reason":"error"}]}\n\n', "stream_error"]
  }
  for (const [name, [event, kind]] of Object.entries(first)) {
    it.scopedLive(`${name} has failed, whatever follows: ${kind}`, () =>
      Effect.gen(function* () {
        const { log, second, url } = yield* withFirst(stream([raw(event), ...whole]))
        second.script(answer(["from the second"]))
        const served = yield* ask(url, streamed)
        assert.deepStrictEqual([served.status, served.headers["x-understudy-tier"]], [200, "tier2"])
        assert.notInclude(served.text, "model1")
        assert.strictEqual(log.find(({ message }) => message === "attempt")?.["error_type"], kind)
      })
    )
  }

  for (const [name, pieces] of Object.entries({
    "comments alone": (send: (text: string) => void) => send(": ping\n\n"),
    "a byte at a time of what never ends": (send: (text: string) => void) => send("x")
  })) {
    it.scopedLive(`content, and goes on with ${name}, is cut when idle is over`, () =>
      Effect.gen(function* () {
        const { first, log, url } = yield* withFirst((response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(text([role, content("Hel")]))
          const timer = setInterval(() => pieces((text) => void response.write(text)), 5)
          response.on("close", () => clearInterval(timer))
        }, "idle: 60ms")
        const served = yield* ask(url, streamed)
        assert.match(served.text, /"code":"stream_interrupted"\}\}\n\n$/)
        yield* eventually(() => first.sockets() === 0 && log.length === 2)
        assert.strictEqual(log[0]?.["error_type"], "timeout")
      })
    )
  }
})

describe("a wait that nobody could mean", () => {
  const waits: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    "of nothing": { "retry-after": "0" },
    "below zero": { "retry-after": "-5" },
    "of three years": { "retry-after": "99999999" },
    "in words": { "retry-after": "soon" },
    "until a date that is past": { "retry-after": "Fri, 31 Dec 1999 23:59:59 GMT" },
    "until the next century": { "retry-after": "Fri, 31 Dec 2100 23:59:59 GMT" },
    "beyond all numbers": { "retry-after": "1e309" },
    "that is no number of milliseconds": { "retry-after-ms": "NaN" },
    "in two ways that differ": { "retry-after-ms": "1", "retry-after": "99999999" }
  }
  for (const [name, headers] of Object.entries(waits)) {
    it.scopedLive(`${name} keeps no caller waiting, and none after it for longer than maxOpenFor`, () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(fails(429, null, headers), fails(429, null, headers), answer())
        const tier = "retry: { times: 1, base: 1ms }, breaker: { openFor: 1ms, maxOpenFor: 50ms, jitter: 0 }"
        const { url } = yield* gateway(chat([first.url, second.url], { tier }))
        const tiers = new Set([(yield* ask(url)).headers["x-understudy-tier"]])
        assert.deepStrictEqual([...tiers], ["tier2"])
        yield* Effect.repeat(
          Effect.map(ask(url), ({ headers }) => tiers.add(headers["x-understudy-tier"])),
          { until: () => tiers.has("tier1") }
        )
        assert.isAtMost(first.received.length, 3)
      })
    )
  }

  it.scopedLive("x-should-retry: true on a request that is wrong is no order to try it for ever", () =>
    Effect.gen(function* () {
      const { first, second, url } = yield* withFirst(fails(400, null, { "x-should-retry": "true" }))
      const refused = yield* ask(url)
      assert.deepStrictEqual([refused.status, envelope(refused).message], [400, "scripted"])
      assert.deepStrictEqual([first.received.length, second.received.length], [1, 0])
    })
  )
})
