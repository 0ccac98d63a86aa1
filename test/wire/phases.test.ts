import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, call, chatBody } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway, type Running } from "../support/gateway.ts"
import { type Fault, type Reads, rawWall } from "../support/rawWall.ts"
import { content, done, finish, role, wall } from "../support/wall.ts"

type Kind = "answer" | "stream"

const types = { answer: "application/json", stream: "text/event-stream" }
const begun = {
  answer: '{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Hel',
  stream: role("model1")
}
const chunked = "transfer-encoding: chunked"
const head = (kind: Kind, fields: string) =>
  `HTTP/1.1 200 OK\r\ncontent-type: ${types[kind]}\r\n${fields}\r\n\r\n`
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

/** How far the exchange has come: what was read of the request, and what said of the answer. */
interface Phase {
  readonly reads?: Reads
  readonly said?: string
}

const phases: Readonly<Record<string, (kind: Kind) => Phase>> = {
  "as soon as it is connected": () => ({ reads: "nothing" }),
  "after the head of the request": () => ({ reads: "head" }),
  "in the middle of the request": () => ({ reads: "half" }),
  "after the request": () => ({}),
  "in the status line": () => ({ said: "HTTP/1.1 2" }),
  "after the status line": () => ({ said: "HTTP/1.1 200 OK\r\n" }),
  "in the headers": (kind) => ({ said: `HTTP/1.1 200 OK\r\ncontent-type: ${types[kind]}\r\ncontent-le` }),
  "after the headers": (kind) => ({ said: head(kind, "content-length: 9999") }),
  "in a body of known length": (kind) => ({ said: head(kind, "content-length: 9999") + begun[kind] }),
  "in a chunk": (kind) => ({ said: `${head(kind, chunked)}fff\r\n${begun[kind]}` }),
  "between two chunks": (kind) => ({ said: head(kind, chunked) + chunk(begun[kind]) })
}

const garbage = Buffer.from("\0\xff\r\n\r\ngarbage\r\n\r\n", "latin1")

/** What is said on top of that, and how the connection ends. */
const faults = {
  "resets the connection": ["", "reset"],
  "closes the connection": ["", "close"],
  "sends garbage": [garbage, "close"],
  "falls silent": ["", undefined]
} as const

// One failure opens it: whether it is open shows what was counted.
const touchy = "retry: { times: 0 }, breaker: { consecutive: 1, openFor: 1h }"

// Large enough that no kernel takes all of it while nobody reads.
const large = "x".repeat(6_000_000)

const lines = ({ log }: Running, message: string) => log.filter((line) => line.message === message)
const opened = (running: Running) => lines(running, "breaker").map((line) => [line["tier"], line["to"]])

for (const kind of ["answer", "stream"] as const) {
  describe(`asked for ${kind === "answer" ? "a whole answer" : "a stream"}, an upstream that`, () => {
    for (const [fault, [more, ends]] of Object.entries(faults)) {
      for (const [phase, of] of Object.entries(phases)) {
        it.scopedLive(`${fault} ${phase} has failed: the next tier answers`, () =>
          Effect.gen(function* () {
            const [first, second] = [yield* rawWall, yield* wall]
            const { reads = "all", said = "" } = of(kind)
            first.script({ reads, writes: [said, more], ...(ends && { ends }) })
            const bounds = ends === undefined && { tier1: "attemptTimeout: 60ms, firstToken: 60ms" }
            const running = yield* gateway(chat([first.url, second.url], { tier: touchy, ...bounds }))
            const body = chatBody({ stream: kind === "stream", ...(reads === "all" ? {} : { large }) })
            const served = yield* ask(running.url, { body })
            assert.deepStrictEqual([served.status, served.whole], [200, true])
            assert.strictEqual(served.headers["x-understudy-tier"], "tier2")
            assert.include(served.text, "model2")
            assert.notInclude(served.text, "model1")

            const [attempt] = lines(running, "attempt")
            const error = ends === undefined ? ["timeout", "timeout"] : ["failure", "connection"]
            assert.deepStrictEqual([attempt?.["outcome"], attempt?.["error_type"]], error)
            assert.isUndefined(attempt?.["status"])
            assert.deepStrictEqual(opened(running), [["tier1", "open"]])
            first.readOn()
            yield* eventually(() => first.open() === 0)
            assert.strictEqual((yield* ask(running.url)).headers["x-understudy-attempts"], "1")
            // A silence may be over before it has begun; nothing is ever sent twice.
            assert.isAtMost(first.connections(), 1)
            assert.isAtMost(first.requests(), 1)
          })
        )
      }
    }
  })
}

const started = head("stream", chunked) + chunk(role("model1") + content("Hel")("model1"))

const early: Readonly<Record<string, readonly [string, Fault | undefined, string, number?]>> = {
  "and stays": ["200 OK", undefined, "tier1"],
  "and closes the connection": ["200 OK", "close", "tier1"],
  "with 413 and stays": ["413 Content Too Large", undefined, "tier2", 413],
  "with 413 and closes the connection": ["413 Content Too Large", "close", "tier2", 413],
  "with 429 and closes the connection": ["429 Too Many Requests", "close", "tier2", 429]
}

describe("an upstream that answers before it has read the request", () => {
  const answer = '{"choices":[{"message":{"role":"assistant","content":"Hi"}}]}'
  it.scopedLive("and streams is heard", () =>
    Effect.gen(function* () {
      const only = yield* rawWall
      only.script({
        reads: "head",
        writes: [started, `${chunk(finish("model1") + done("model1"))}0\r\n\r\n`]
      })
      const { url } = yield* gateway(chat([only.url], { tier: touchy }))
      const served = yield* ask(url, { body: chatBody({ stream: true, large }) })
      assert.deepStrictEqual([served.status, served.whole], [200, true])
      assert.isTrue(served.text.endsWith(content("Hel")("model1") + finish("model1") + done("model1")))
    })
  )

  for (const [name, [line, ends, tier, status = 200]] of Object.entries(early)) {
    it.scopedLive(`${name} is heard`, () =>
      Effect.gen(function* () {
        const [first, second] = [yield* rawWall, yield* wall]
        const close = ends === undefined ? "" : "connection: close\r\n"
        const said = `HTTP/1.1 ${line}\r\n${close}content-length: ${answer.length}\r\n\r\n${answer}`
        first.script({ reads: "head", writes: [said], ...(ends && { ends }) })
        const running = yield* gateway(chat([first.url, second.url], { tier: touchy }))
        const served = yield* ask(running.url, { body: chatBody({ large }) })
        assert.deepStrictEqual([served.status, served.headers["x-understudy-tier"]], [200, tier])
        assert.strictEqual(lines(running, "attempt")[0]?.["status"], status)
        first.readOn()
        if (ends !== undefined) yield* eventually(() => first.open() === 0)
        assert.strictEqual(first.requests(), 1)
      })
    )
  }
})

const streamed = { body: chatBody({ stream: true }) }
const interrupted = /"code":"stream_interrupted"\}\}\n\n$/

const unfinished: Readonly<Record<string, string>> = {
  "after content": started,
  "in a chunk": `${started}fff\r\n${content("lo")("model1")}`,
  "in an event": started + chunk('data: {"choices":[{"index":0,"delta":{"con')
}

describe("a stream that has begun, whose upstream", () => {
  for (const [fault, [more, ends]] of Object.entries(faults)) {
    for (const [phase, said] of Object.entries(unfinished)) {
      it.scopedLive(`${fault} ${phase}: an error, and no other tier`, () =>
        Effect.gen(function* () {
          const [first, second] = [yield* rawWall, yield* wall]
          first.script({ writes: [said] })
          const bounds = ends === undefined && { tier1: "idle: 60ms" }
          const running = yield* gateway(chat([first.url, second.url], { tier: touchy, ...bounds }))
          const { answer, text } = yield* call(running.url, streamed)
          yield* eventually(() => text().includes("Hel"))
          first.goOn(more, ends)
          const served = yield* answer
          assert.deepStrictEqual([served.status, served.headers["x-understudy-tier"]], [200, "tier1"])
          assert.match(served.text, interrupted)
          assert.notInclude(served.text, "[DONE]")

          yield* eventually(() => lines(running, "run").length === 1)
          const error = ends === undefined ? ["timeout", "timeout"] : ["failure", "connection"]
          const [attempt] = lines(running, "attempt")
          assert.deepStrictEqual([attempt?.["outcome"], attempt?.["error_type"]], error)
          assert.strictEqual(lines(running, "run")[0]?.["outcome"], "failure")
          yield* eventually(() => first.open() === 0)
          assert.deepStrictEqual([first.requests(), second.received.length], [1, 0])
          assert.deepStrictEqual(opened(running), [["tier1", "open"]])
        })
      )
    }
  }
})

const finished = started + chunk(finish("model1"))

const whole: Readonly<Record<string, string>> = {
  "after its last finish_reason": finished,
  "in what comes after that": `${finished}fff\r\ndata: {"choices":[],"usa`,
  "after [DONE]": finished + chunk(done("model1"))
}

describe("a stream that is whole, whose upstream", () => {
  for (const [fault, [more, ends]] of Object.entries(faults)) {
    for (const [phase, said] of Object.entries(whole)) {
      it.scopedLive(`${fault} ${phase}: nothing is missing`, () =>
        Effect.gen(function* () {
          const [first, second] = [yield* rawWall, yield* wall]
          first.script({ writes: [said] })
          const running = yield* gateway(chat([first.url, second.url], { tier: touchy }))
          const { answer, text } = yield* call(running.url, streamed)
          yield* eventually(() => text().includes('"finish_reason":"stop"'))
          first.goOn(more, ends)
          const served = yield* answer
          assert.deepStrictEqual([served.status, served.whole], [200, true])
          assert.include(served.text, finish("model1"))
          assert.isTrue(served.text.endsWith(done("model1")))

          yield* eventually(() => lines(running, "run").length === 1)
          assert.deepStrictEqual(
            running.log.map((line) => [line.message, line["outcome"]]),
            [
              ["attempt", "success"],
              ["run", "success"]
            ]
          )
          yield* eventually(() => first.open() === 0)
          assert.deepStrictEqual([first.requests(), second.received.length], [1, 0])
        })
      )
    }
  }
})
