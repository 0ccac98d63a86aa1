import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Answer, ask, call, chatBody } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import {
  answer,
  type Behaviour,
  content,
  done,
  finish,
  held,
  raw,
  role,
  silence,
  stream,
  trickle,
  wall
} from "../support/wall.ts"

const request = { body: chatBody({ stream: true }) }
const once = "retry: { times: 0 }"
const ends = "data: [DONE]\n\n"
const interrupted =
  'data: {"error":{"message":"The answer was cut short after it had begun.","type":"upstream_error","param":null,"code":"stream_interrupted"}}\n\n'

/** The text a reader of the stream sees. */
const said = ({ text }: Answer): string =>
  [...text.matchAll(/^data: (\{.*)$/gm)]
    .map(([, json]) => JSON.parse(json!).choices?.[0]?.delta.content ?? "")
    .join("")

const failsWith: Piece = raw('data: {"error":{"message":"busy","type":"server_error","code":null}}\n\n')

type Piece = Parameters<typeof stream>[0][number]

interface Case {
  readonly behaviour: Behaviour
  readonly seen: string
  readonly tier?: string
}

const beforeContent: Readonly<Record<string, Case>> = {
  "ends at once": { behaviour: stream([], "eof"), seen: "stream_truncated" },
  "ends after the role": { behaviour: stream([role], "eof"), seen: "stream_truncated" },
  "says [DONE] at once": { behaviour: stream([]), seen: "stream_truncated" },
  "says [DONE] after the role": { behaviour: stream([role]), seen: "stream_truncated" },
  "sends comments and ends": {
    behaviour: stream([raw(": ping\n\n"), raw(": ping\n\n")], "eof"),
    seen: "stream_truncated"
  },
  "sends only what cannot be read": {
    behaviour: stream([raw("data: {oops\n\n"), raw("data: []\n\n")]),
    seen: "stream_truncated"
  },
  "sends an error": { behaviour: stream([role, failsWith], "eof"), seen: "server_error" },
  "sends an error and [DONE]": { behaviour: stream([failsWith]), seen: "server_error" },
  "sends an event named error": {
    behaviour: stream([raw('event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n')]),
    seen: "overloaded"
  },
  "breaks the connection after the role": { behaviour: stream([role], "reset"), seen: "connection" },
  "sends no head until firstToken": { behaviour: silence, tier: "firstToken: 50ms", seen: "timeout" },
  "stalls after the role until firstToken": {
    behaviour: stream([role], "stall"),
    tier: "firstToken: 50ms",
    seen: "timeout"
  },
  "sends nothing but comments until firstToken": {
    behaviour: (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      const timer = setInterval(() => response.write(": ping\n\n"), 5)
      response.on("close", () => clearInterval(timer))
    },
    tier: "firstToken: 60ms",
    seen: "timeout"
  }
}

const afterContent: Readonly<Record<string, Case>> = {
  "ends with no finish_reason": {
    behaviour: stream([role, content("Hel")], "eof"),
    seen: "stream_truncated"
  },
  "says [DONE] with no finish_reason": {
    behaviour: stream([role, content("Hel")]),
    seen: "stream_truncated"
  },
  "breaks the connection": { behaviour: stream([role, content("Hel")], "reset"), seen: "connection" },
  "sends an error": { behaviour: stream([role, content("Hel"), failsWith]), seen: "server_error" },
  "falls silent for longer than idle": {
    behaviour: stream([role, content("Hel")], "stall"),
    tier: "idle: 60ms",
    seen: "timeout"
  },
  "goes on for longer than maxStream": {
    behaviour: stream([role, content("Hel"), ...Array.from({ length: 2000 }, () => content(""))], "stall"),
    tier: "maxStream: 60ms",
    seen: "timeout"
  }
}

describe("a stream that before its first content", () => {
  for (const [name, { behaviour, seen, tier }] of Object.entries(beforeContent)) {
    it.scopedLive(`${name}: the next tier's stream, and nothing of the first`, () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(behaviour)
        second.script(stream([role, content("Hel"), content("lo"), finish]))
        const { log, url } = yield* gateway(chat([first.url, second.url], { tier: once, tier1: tier }))
        const served = yield* ask(url, request)
        assert.deepStrictEqual([served.status, served.whole, said(served)], [200, true, "Hello"])
        assert.isTrue(served.text.endsWith(ends))
        assert.notInclude(served.text, "model1")
        assert.strictEqual(served.headers["x-understudy-tier"], "tier2")
        assert.deepStrictEqual([first.received.length, second.received.length], [1, 1])
        assert.deepStrictEqual([log[0]?.["tier"], log[0]?.["error_type"]], ["tier1", seen])
        assert.strictEqual(log[0]?.["outcome"], seen === "timeout" ? "timeout" : "failure")
        if (seen === "timeout") yield* eventually(() => first.received[0]?.abandoned === true)
      })
    )
  }
})

describe("a stream that after its first content", () => {
  for (const [name, { behaviour, seen, tier }] of Object.entries(afterContent)) {
    it.scopedLive(`${name}: an error event, no [DONE], and no other tier`, () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(behaviour)
        const { log, url } = yield* gateway(chat([first.url, second.url], { tier: once, tier1: tier }))
        const served = yield* ask(url, request)
        assert.deepStrictEqual([served.status, said(served)], [200, "Hel"])
        assert.isTrue(served.text.endsWith(interrupted))
        assert.notInclude(served.text, "[DONE]")
        assert.notInclude(served.text, "busy")
        assert.strictEqual(second.received.length, 0)
        yield* eventually(() => log.length === 2)
        const [attempt, run] = log
        assert.deepStrictEqual(
          [attempt?.["outcome"], attempt?.["error_type"]],
          [seen === "timeout" ? "timeout" : "failure", seen]
        )
        assert.deepStrictEqual(
          [run?.["outcome"], run?.["error_type"], run?.["served_by"]],
          ["failure", seen, "tier1"]
        )
        if (seen === "timeout") yield* eventually(() => first.received[0]?.abandoned === true)
      })
    )
  }
})

describe("a stream that is odd but whole", () => {
  const good = [role("model1"), content("Hel")("model1"), content("lo")("model1"), finish("model1")]

  it.scopedLive("with a malformed event: that one is left out, the rest keeps its bytes", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const [a, b, c, d] = good.map(raw)
      only.script(stream([a!, raw("data: {oops\n\n"), b!, raw("data: null\n\n"), c!, d!]))
      const { log, url } = yield* gateway(chat([only.url]))
      const served = yield* ask(url, request)
      assert.strictEqual(served.text, good.join("") + ends)
      yield* eventually(() => log.length === 2)
      assert.deepStrictEqual([log[0]?.["outcome"], log[1]?.["outcome"]], ["success", "success"])
    })
  )

  it.scopedLive("with no [DONE] after its finish_reason: it gets one", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(stream([role, content("Hello"), finish], "eof"))
      const { url } = yield* gateway(chat([only.url]))
      const served = yield* ask(url, request)
      assert.isTrue(served.text.endsWith(ends))
      assert.strictEqual(served.text.split("[DONE]").length, 2)
    })
  )

  it.scopedLive("that goes on after its [DONE]: nobody reads on", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(stream([role, content("Hello"), finish, done, content("more"), done], "stall"))
      const { url } = yield* gateway(chat([only.url]))
      const served = yield* ask(url, request)
      assert.deepStrictEqual(
        [said(served), served.text.split("[DONE]").length, served.whole],
        ["Hello", 2, true]
      )
      yield* eventually(() => only.received[0]?.abandoned === true)
    })
  )

  it.scopedLive("whose connection breaks after its finish_reason: nothing is missing", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(stream([role, content("Hello"), finish], "reset"))
      const { url } = yield* gateway(chat([only.url]))
      const served = yield* ask(url, request)
      assert.deepStrictEqual([said(served), served.text.endsWith(ends)], ["Hello", true])
    })
  )

  it.scopedLive("leaves its connection to the next one", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url]))
      const shares = () => only.connections() < only.received.length
      for (let round = 0; round < 50 && !shares(); round++) yield* ask(url, request)
      assert.isTrue(shares())
    })
  )

  for (const [name, end] of [
    ["CR", "\r"],
    ["CRLF", "\r\n"],
    ["LF", "\n"]
  ] as const) {
    for (const size of [1, 7]) {
      it.scopedLive(`with lines that end in ${name}, in segments of ${size} bytes: the same bytes`, () =>
        Effect.gen(function* () {
          const only = yield* wall
          const sent = [": ping\n\n", ...good].join("").replaceAll("\n", end)
          only.script(trickle(Buffer.from(sent + ends.replaceAll("\n", end)), size))
          const { url } = yield* gateway(chat([only.url]))
          const served = yield* ask(url, request)
          assert.strictEqual(served.text, sent + ends)
        })
      )
    }
  }

  it.scopedLive("that stays silent for a while before idle is over: it is not cut", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { behaviour, end, send } = held()
      only.script(behaviour)
      const { url } = yield* gateway(chat([only.url], { tier: "idle: 1h" }))
      const { answer, head, text } = yield* call(url, request)
      yield* eventually(() => only.received.length === 1)
      send(role)
      send(content("Hel"))
      yield* eventually(() => text().includes("Hel"))
      assert.strictEqual(head()?.statusCode, 200)
      send(content("lo"), finish)
      yield* eventually(() => text().includes("lo"))
      end()
      assert.strictEqual(said(yield* answer), "Hello")
    })
  )

  const choice = (index: number, delta: object, finish_reason: string | null = null) =>
    raw(`data: ${JSON.stringify({ choices: [{ index, delta, finish_reason }] })}\n\n`)

  it.scopedLive("of several choices: it ends when each is finished, not before", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(
        stream([choice(0, { content: "A" }), choice(1, { content: "B" }), choice(0, {}, "stop")], "eof"),
        stream([choice(0, { content: "A" }), choice(1, {}, "stop"), choice(0, {}, "stop")], "eof"),
        answer()
      )
      const { url } = yield* gateway(chat([only.url]))
      assert.isTrue((yield* ask(url, request)).text.endsWith(interrupted))
      assert.isTrue((yield* ask(url, request)).text.endsWith(ends))
    })
  )

  it.scopedLive(
    "of fewer choices than were asked for: it is one if it ends so, and not if it breaks off",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const one = choice(0, { content: "A" }, "stop")
        only.script(stream([one], "reset"), stream([one], "eof"), stream([one]))
        const { url } = yield* gateway(chat([only.url]))
        const seen: Array<boolean> = []
        for (const _ of [1, 2, 3]) {
          const { text } = yield* ask(url, { body: chatBody({ stream: true, n: 2 }) })
          assert.isTrue(text.endsWith(interrupted) !== text.endsWith(ends))
          seen.push(text.endsWith(ends))
        }
        assert.deepStrictEqual(seen, [false, true, true])
      })
  )

  it.scopedLive("of one choice, where `n` is dropped: nothing is missing when its connection breaks", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(stream([role, content("Hello"), finish], "reset"))
      const { url } = yield* gateway(chat([only.url], { tier: "drop: [n]" }))
      const served = yield* ask(url, { body: chatBody({ stream: true, n: 2 }) })
      assert.isTrue(served.text.endsWith(ends))
    })
  )
})
