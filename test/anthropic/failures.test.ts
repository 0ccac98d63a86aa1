import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { errorEvent, eventsOf, fails, message, piece, says, text, through } from "../support/anthropic.ts"
import { clients, gather } from "../support/clients.ts"
import { gateway } from "../support/gateway.ts"
import { rejection } from "../support/rejection.ts"
import { answer, type Behaviour, sends, stream, wall } from "../support/wall.ts"

const messages = [{ role: "user" as const, content: "Hi" }]
const noRetry = { tier: "retry: { times: 0 }" }

for (const [name, Client] of clients) {
  describe(`${name}: Anthropic's failures behind the gateway`, () => {
    const setUp = Effect.gen(function* () {
      const upstream = yield* wall
      const { log, url } = yield* gateway(through([["anthropic", upstream.url]], noRetry))
      return { client: new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 }), log, upstream }
    })

    /** Anthropic first, and a tier of OpenAI's that answers. */
    const setUpTwo = (tier: string) =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        const tiers = [
          ["anthropic", first.url],
          ["openai", second.url]
        ] as const
        const { url } = yield* gateway(through(tiers, { tier }))
        return { client: new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 }), first, second }
      })

    it.scopedLive("a mistake is raised as OpenAI's own, with its status and message", () =>
      Effect.gen(function* () {
        for (const [status, type, code, kind] of [
          [400, "invalid_request_error", null, Client.BadRequestError],
          [404, "not_found_error", "model_not_found", Client.NotFoundError],
          [413, "request_too_large", "request_too_large", Client.APIError]
        ] as const) {
          for (const streamed of [false, true]) {
            const { client, upstream } = yield* setUp
            upstream.script(fails(status, type, "too bad"))
            const seen = yield* rejection(() =>
              client.chat.completions.create({ model: "chat", messages, stream: streamed })
            )
            assert.instanceOf(seen, kind)
            assert.deepStrictEqual(
              [seen.status, seen.type, seen.code, seen.message],
              [status, type, code, `${status} too bad`]
            )
          }
        }
      })
    )

    it.scopedLive("a field without a counterpart is a mistake where nobody else can be asked", () =>
      Effect.gen(function* () {
        const { client, log, upstream } = yield* setUp
        for (const streamed of [false, true]) {
          const seen = yield* rejection(() =>
            client.chat.completions.create({ model: "chat", messages, n: 2, stream: streamed })
          )
          assert.instanceOf(seen, Client.BadRequestError)
          assert.deepStrictEqual(
            [seen.code, seen.param, seen.type],
            ["unsupported_parameter", "n", "invalid_request_error"]
          )
          assert.include(seen.message, "ask for one choice")
          assert.strictEqual(seen.headers?.get("x-should-retry"), "false")
        }
        assert.strictEqual(upstream.received.length, 0)
        assert.deepStrictEqual(
          log.flatMap((line) => (line.message === "attempt" ? [[line["outcome"], line["error_type"]]] : [])),
          [
            ["ignored", "unsupported"],
            ["ignored", "unsupported"]
          ]
        )
      })
    )

    it.scopedLive("and another tier's where there is one, however often, with the breaker closed", () =>
      Effect.gen(function* () {
        const { client, first, second } = yield* setUpTwo("breaker: { consecutive: 1 }")
        first.script(says(message([text("I am first")])))
        second.script(answer(["I am second"]))
        const ask = (n: number) =>
          Effect.promise(async () => {
            const { choices } = await client.chat.completions.create({ model: "chat", messages, n })
            return choices[0]?.message.content
          })
        for (let calls = 0; calls < 3; calls++) assert.strictEqual(yield* ask(2), "I am second")
        assert.strictEqual(first.received.length, 0)
        assert.strictEqual(yield* ask(1), "I am first")
      })
    )

    const [start, begun, word] = eventsOf(message([text("Hello")]))
    const broken: ReadonlyArray<readonly [string, Behaviour]> = [
      ["is overloaded", fails(529, "overloaded_error")],
      [
        "is overloaded in its stream",
        stream([piece(start!), piece(begun!), errorEvent("overloaded_error")], "eof")
      ],
      ["breaks off", stream([piece(start!), piece(begun!)], "reset")],
      ["ends early", stream([piece(start!)], "eof")],
      ["answers with a page", sends(200, "text/html", "<html>")],
      ["redirects", (response) => void response.writeHead(307, { location: "http://127.0.0.1:9" }).end()]
    ]
    for (const [how, behaviour] of broken) {
      it.scopedLive(`where it ${how} before its first word, the next tier answers alone`, () =>
        Effect.gen(function* () {
          const { client, first } = yield* setUpTwo("retry: { times: 0 }")
          first.script(behaviour)
          const chunks = yield* Effect.promise(async () =>
            gather(await client.chat.completions.create({ model: "chat", messages, stream: true }))
          )
          assert.strictEqual(
            chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""),
            "Hello there"
          )
          assert.deepStrictEqual(new Set(chunks.map(({ model }) => model)), new Set(["gpt"]))
          assert.strictEqual(first.received.length, 1)
        })
      )
    }

    it.scopedLive("a stream that breaks after its first word raises, and is continued by nobody", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        for (const end of ["reset", "eof"] as const) {
          upstream.script(stream([piece(start!), piece(begun!), piece(word!)], end))
          const seen = yield* rejection(async () =>
            gather(await client.chat.completions.create({ model: "chat", messages, stream: true }))
          )
          assert.strictEqual(seen.code, "stream_interrupted")
        }
      })
    )
  })
}
