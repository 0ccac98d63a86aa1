import { assert, describe, it } from "@effect/vitest"
import { Effect, Struct } from "effect"
import { ask, chatBody } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { rawWall } from "../support/rawWall.ts"
import { answer, wall } from "../support/wall.ts"

const comment = ": hi\r\n\r\n"
const spoken = 'data: {"choices":[{"delta":{"content":"Hé"}}]}\n\n'
const finished = 'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

const bodies = {
  "an answer": '{"choices":[{"message":{"role":"assistant","content":"Hé"},"finish_reason":"stop"}]}',
  "a stream": comment + spoken + finished
}

const size = (text: string) => Buffer.byteLength(text)
const framings: Readonly<Record<string, (body: string) => readonly [string, string]>> = {
  "of known length": (body) => [`content-length: ${size(body)}`, body],
  "in chunks": (body) => ["transfer-encoding: chunked", `${size(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`],
  "that the connection ends": (body) => ["connection: close", body]
}

const interrupted =
  'data: {"error":{"message":"The answer was cut short after it had begun.","type":"upstream_error","param":null,"code":"stream_interrupted"}}\n\n'

/** All that a caller may get of the first tier, however it is cut. */
const wholes: Readonly<Record<keyof typeof bodies, ReadonlyArray<string>>> = {
  "an answer": [],
  "a stream": [comment + spoken + interrupted, bodies["a stream"]]
}

for (const name of Struct.keys(bodies)) {
  const body = bodies[name]
  const request = { body: chatBody({ stream: name === "a stream" }) }
  for (const [framing, frame] of Object.entries(framings)) {
    const [field, framed] = frame(body)
    const type = name === "a stream" ? "text/event-stream" : "application/json"
    const head = `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${field}\r\n\r\n`
    const bytes = Buffer.from(head + framed)
    const cuts = Array.from({ length: size(framed) }, (_, index) => size(head) + index)

    const setUp = Effect.gen(function* () {
      const [first, second] = [yield* rawWall, yield* wall]
      second.script(answer(["the other"]))
      const tier = "retry: { times: 0 }, breaker: { consecutive: 100000 }"
      const { log, url } = yield* gateway(chat([first.url, second.url], { tier }))
      const outcomes = () =>
        log.flatMap((line) =>
          line.message === "attempt" && line["tier"] === "tier1" ? [line["outcome"]] : []
        )
      return { first, outcomes, second, url }
    })

    describe(`${name} ${framing}`, () => {
      it.scopedLive("that comes in two segments, whichever they are, is the same", () =>
        Effect.gen(function* () {
          const { first, second, url } = yield* setUp
          for (const cut of cuts) {
            first.script({ writes: [bytes.subarray(0, cut), bytes.subarray(cut)], ends: "close" })
            const { status, text } = yield* ask(url, request)
            assert.deepStrictEqual([status, text], [200, body], `at ${cut}`)
          }
          assert.strictEqual(second.received.length, 0)
        })
      )

      for (const ends of framing === "in chunks" ? (["close", "reset"] as const) : (["close"] as const)) {
        it.scopedLive(`that breaks off at any byte (${ends}) is never taken for whole`, () =>
          Effect.gen(function* () {
            const { first, outcomes, url } = yield* setUp
            const expected: Array<string> = []
            for (const cut of cuts) {
              first.script({ writes: [bytes.subarray(0, cut)], ends })
              const { headers, status, text } = yield* ask(url, request)
              assert.strictEqual(status, 200)
              const other = headers["x-understudy-tier"] === "tier2"
              if (other) assert.include(text, "the other", `at ${cut}`)
              // A line end more between two events is none of anybody's business.
              else assert.include(wholes[name], text.replaceAll("\n\n\n", "\n\n"), `at ${cut}`)
              expected.push(other || text.endsWith(interrupted) ? "failure" : "success")
            }
            yield* eventually(() => outcomes().length === cuts.length && first.open() === 0)
            assert.deepStrictEqual(outcomes(), expected)
            assert.deepStrictEqual([first.requests(), first.connections()], [cuts.length, cuts.length])
          })
        )
      }
    })
  }
}
