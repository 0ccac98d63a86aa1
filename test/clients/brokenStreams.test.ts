import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { clients } from "../support/clients.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { rejection } from "../support/rejection.ts"
import {
  answer,
  type Behaviour,
  content,
  done,
  finish,
  type Piece,
  raw,
  role,
  sends,
  stream,
  wall
} from "../support/wall.ts"

const errorChunk = raw(
  'data: {"error":{"message":"theirs: the GPU fell out","type":"server_error","param":null,"code":null}}\n\n'
)
const errorEvent = raw('event: error\ndata: {"message":"theirs: the GPU fell out"}\n\n')
const errorChoice = raw(
  'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"theirs: lost"}}\n\n'
)

/** How an upstream can break a stream off, given what it has sent of it. */
const breaks: ReadonlyArray<readonly [string, (pieces: ReadonlyArray<Piece>) => Behaviour]> = [
  ["an error chunk", (pieces) => stream([...pieces, errorChunk], "eof")],
  ["an error chunk and [DONE]", (pieces) => stream([...pieces, errorChunk])],
  ["event: error", (pieces) => stream([...pieces, errorEvent], "eof")],
  ["finish_reason error", (pieces) => stream([...pieces, errorChoice])],
  ["the end without a finish_reason", (pieces) => stream(pieces, "eof")],
  ["[DONE] without a finish_reason", (pieces) => stream(pieces)],
  ["a reset", (pieces) => stream(pieces, "reset")],
  ["the end in the first letter of an event", (pieces) => stream([...pieces, raw("d")], "eof")],
  ["the end in the middle of an event", (pieces) => stream([...pieces, raw('data: {"choices":[{"de')], "eof")]
]

/** Streams that are answers all the same. */
const mended: ReadonlyArray<readonly [string, Behaviour]> = [
  ["no [DONE] after the finish_reason", stream([role, content("Hel"), content("lo"), finish], "eof")],
  ["a reset after the finish_reason", stream([role, content("Hel"), content("lo"), finish], "reset")],
  ["a second [DONE] and more", stream([content("Hel"), content("lo"), finish, done, content("no")])],
  [
    "malformed events in between",
    stream([role, content("Hel"), raw("data: {oops\n\ndata: 7\n\n"), content("lo"), finish])
  ],
  [
    "comments, ids, bare names and CRLF in between",
    stream([
      raw(": OPENROUTER PROCESSING\r\n\r\n"),
      (model) => content("Hel")(model).replaceAll("\n", "\r\n"),
      raw("retry: 5\nid: 3\n\nevent: ping\n\n"),
      content("lo"),
      finish
    ])
  ]
]

for (const [name, Client] of clients) {
  describe(`${name}: streams that break`, () => {
    const setUp = Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const { log, url } = yield* gateway(chat([first.url, second.url], { tier: "retry: { times: 0 }" }))
      const client = new Client({ baseURL: `${url}/v1`, apiKey: "any" })
      const read = async (into: Array<string>) => {
        const messages = [{ role: "user" as const, content: "Hi" }]
        const answer = await client.chat.completions.create({ model: "chat", stream: true, messages })
        for await (const chunk of answer) {
          if (typeof chunk.choices[0]?.delta.content === "string") into.push(chunk.choices[0].delta.content)
        }
      }
      return { client, first, log, read, second }
    })

    for (const [how, breaking] of breaks) {
      it.scopedLive(`${how} after the first content: the client throws and knows why`, () =>
        Effect.gen(function* () {
          const { first, log, read, second } = yield* setUp
          first.script(breaking([role, content("Hel"), content("lo")]))
          second.script(answer(["never"]))
          const text: Array<string> = []
          const error = yield* rejection(() => read(text))
          assert.instanceOf(error, Client.APIError)
          assert.deepStrictEqual(
            [text.join(""), error.code, error.type, second.received.length],
            ["Hello", "stream_interrupted", "upstream_error", 0]
          )
          assert.notInclude(JSON.stringify(error.error), "theirs")
          assert.match(error.requestID ?? "", /^req_\w+$/)
          yield* eventually(() => log.length === 2)
          assert.deepStrictEqual(
            log.map((line) => [line.message, line["outcome"], line["request_id"] === error.requestID]),
            [
              ["attempt", "failure", true],
              ["run", "failure", true]
            ]
          )
        })
      )

      it.scopedLive(`${how} before any content: the next tier answers alone`, () =>
        Effect.gen(function* () {
          const { first, log, read, second } = yield* setUp
          first.script(breaking([role, raw(": PROCESSING\n\n"), content("")]))
          second.script(stream([content("Hel"), content("lo"), finish]))
          const text: Array<string> = []
          yield* Effect.promise(() => read(text))
          assert.deepStrictEqual(text, ["Hel", "lo"])
          yield* eventually(() => log.length === 3)
          assert.deepStrictEqual(
            log.map((line) => [line.message, line["tier"], line["outcome"]]),
            [
              ["attempt", "tier1", "failure"],
              ["attempt", "tier2", "success"],
              ["run", "tier2", "success"]
            ]
          )
        })
      )
    }

    for (const [how, behaviour] of mended) {
      it.scopedLive(`${how}: the client sees a whole answer and its [DONE]`, () =>
        Effect.gen(function* () {
          const { client, first, log, read, second } = yield* setUp
          first.script(behaviour)
          const text: Array<string> = []
          yield* Effect.promise(() => read(text))
          assert.strictEqual(text.join(""), "Hello")
          const bytes = yield* Effect.promise(async () =>
            (
              await client.chat.completions.create({ model: "chat", stream: true, messages: [] }).asResponse()
            ).text()
          )
          assert.isTrue(bytes.endsWith(done("model1")))
          assert.strictEqual(bytes.split("[DONE]").length, 2)
          yield* eventually(() => log.length === 4)
          assert.deepStrictEqual(
            [log.map((line) => line["outcome"]), second.received.length],
            [["success", "success", "success", "success"], 0]
          )
        })
      )
    }

    it.scopedLive("an answer that is no stream, or no JSON, is no answer", () =>
      Effect.gen(function* () {
        const { client, first, read, second } = yield* setUp
        const completion = '{"choices":[{"message":{"content":"theirs"}}]}'
        first.script(
          sends(200, "application/json", completion),
          sends(200, "text/html", "<html>Log in</html>"),
          sends(200, "application/json", '{"choices":[{"mess'),
          sends(200, "application/json", '{"error":{"message":"theirs","code":null}}')
        )
        second.script(answer(["Hello"]))
        const text: Array<string> = []
        yield* Effect.promise(() => read(text))
        assert.deepStrictEqual(text, ["", "Hello"])
        for (const _ of [2, 3, 4]) {
          const whole = yield* Effect.promise(() =>
            client.chat.completions.create({ model: "chat", messages: [] })
          )
          assert.strictEqual(whole.choices[0]?.message.content, "Hello")
        }
        assert.deepStrictEqual([first.received.length, second.received.length], [4, 4])
      })
    )
  })
}
