import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { frameworks } from "../support/frameworks.ts"
import { chat, gateway } from "../support/gateway.ts"
import { rejection } from "../support/rejection.ts"
import {
  answer,
  type Behaviour,
  content,
  fails,
  finish,
  type Piece,
  raw,
  role,
  sends,
  stream,
  wall
} from "../support/wall.ts"

const sse = (chunk: object): Piece =>
  raw(`data: ${JSON.stringify({ id: "c", created: 1, model: "m", ...chunk })}\n\n`)
const delta = (delta: object, finish_reason: string | null = null): Piece =>
  sse({ choices: [{ index: 0, delta, finish_reason }] })
const usage = sse({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } })

const call = { index: 0, id: "call_1", type: "function", function: { name: "add", arguments: '{"a":1}' } }
const wholeCall: Behaviour = sends(
  200,
  "application/json",
  JSON.stringify({
    id: "c",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: null, tool_calls: [call] },
        finish_reason: "tool_calls"
      }
    ]
  })
)
const streamedCall: Behaviour = stream([
  role,
  delta({ tool_calls: [{ ...call, function: { name: "add", arguments: '{"a"' } }] }),
  delta({ tool_calls: [{ index: 0, function: { arguments: ":1}" } }] }),
  delta({}, "tool_calls")
])

for (const [name, make] of frameworks) {
  describe(`${name} through the gateway`, () => {
    const setUp = Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const { url } = yield* gateway(chat([first.url, second.url], { tier: "retry: { times: 0 }" }))
      return { ...make(`${url}/v1`), first, second }
    })

    it.scopedLive("gets a whole answer, of whichever tier", () =>
      Effect.gen(function* () {
        const { first, second, whole } = yield* setUp
        for (const tier of [first, second]) {
          assert.deepStrictEqual(yield* Effect.promise(whole), { text: "Hello there", calls: [] })
          assert.strictEqual(tier.received.length, 1)
          first.script(fails(503))
        }
      })
    )

    it.scopedLive("gets a stream in its pieces, of whichever tier, usage and comments or not", () =>
      Effect.gen(function* () {
        const { first, second, streamed } = yield* setUp
        const good = stream([raw(": PROCESSING\n\n"), role, content("Hel"), content("lo"), finish, usage])
        first.script(good, stream([role, raw(": PROCESSING\n\n")], "reset"))
        second.script(good)
        for (const tier of [first, second]) {
          const pieces: Array<string> = []
          const { text } = yield* Effect.promise(() => streamed(pieces))
          assert.deepStrictEqual([text, pieces.filter((piece) => piece !== "")], ["Hello", ["Hel", "lo"]])
          assert.strictEqual(tier.received.length, 1)
        }
      })
    )

    it.scopedLive("gets calls of its tool, whole and in pieces", () =>
      Effect.gen(function* () {
        const { first, streamed, whole } = yield* setUp
        first.script(wholeCall, streamedCall)
        for (const ask of [whole, () => streamed()]) {
          assert.deepStrictEqual((yield* Effect.promise(ask)).calls, [["add", { a: 1 }]])
        }
        const asked = first.received.map(({ body }) => JSON.parse(body.toString()).tools[0].function.name)
        assert.deepStrictEqual(asked, ["add", "add"])
      })
    )

    it.scopedLive("can tell its own mistake from a failure of every tier", () =>
      Effect.gen(function* () {
        const { first, second, streamed, told, whole } = yield* setUp
        for (const ask of [whole, () => streamed()]) {
          first.script(fails(400, "unsupported_value"))
          assert.deepStrictEqual(told(yield* rejection(ask)), {
            status: 400,
            code: "unsupported_value",
            message: "scripted"
          })
          first.script(fails(500))
          second.script(fails(503))
          assert.deepStrictEqual(told(yield* rejection(ask)), {
            status: 503,
            code: "all_tiers_failed",
            message: "No tier of chat could answer."
          })
          second.script(answer())
        }
      })
    )

    const breaks: ReadonlyArray<readonly [string, Behaviour]> = [
      ["is reset", stream([role, content("Hel")], "reset")],
      ["ends without a finish_reason", stream([role, content("Hel")], "eof")],
      ["ends in [DONE] alone", stream([role, content("Hel")])],
      ["ends in the next event", stream([role, content("Hel"), raw("d")], "eof")],
      ["ends in an error", stream([role, content("Hel"), raw('event: error\ndata: {"message":"no"}\n\n')])]
    ]
    for (const [how, behaviour] of breaks) {
      it.scopedLive(`sees that a stream that ${how} after its first content is broken`, () =>
        Effect.gen(function* () {
          const { first, second, streamed, told } = yield* setUp
          first.script(behaviour)
          const pieces: Array<string> = []
          const { code, message } = told(yield* rejection(() => streamed(pieces)))
          assert.deepStrictEqual(
            [pieces.join(""), code, message],
            ["Hel", "stream_interrupted", "The answer was cut short after it had begun."]
          )
          assert.strictEqual(second.received.length, 0)
        })
      )
    }
  })
}
