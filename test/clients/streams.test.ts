import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { clients, gather } from "../support/clients.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { content, done, finish, held, type Piece, raw, role, stream, trickle, wall } from "../support/wall.ts"

const request = {
  model: "chat",
  messages: [{ role: "user" as const, content: "Hi" }],
  stream: true as const
}

/** A chunk as it is on the wire. */
const chunk = (choices: ReadonlyArray<object>, rest: object = {}): Piece =>
  raw(
    `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m", choices, ...rest })}\n\n`
  )

const delta = (delta: object, finish_reason: string | null = null, index = 0): Piece =>
  chunk([{ index, delta, finish_reason }])

const tool = (index: number, call: object): Piece => delta({ tool_calls: [{ index, ...call }] })

const text = (pieces: ReadonlyArray<Piece>): string => pieces.map((piece) => piece("model1")).join("")

for (const [name, Client] of clients) {
  describe(`${name}: streams`, () => {
    const setUp = Effect.gen(function* () {
      const upstream = yield* wall
      const { log, url } = yield* gateway(chat([upstream.url]))
      const client = new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 })
      const create = (more: { readonly stream_options?: { readonly include_usage: boolean } } = {}) =>
        client.chat.completions.create({ ...request, ...more })
      return { client, create, log, upstream }
    })

    const contents = (chunks: ReadonlyArray<{ choices: ReadonlyArray<{ delta: { content?: unknown } }> }>) =>
      chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")

    it.scopedLive("the text comes in order, in the upstream's bytes, and ends with [DONE]", () =>
      Effect.gen(function* () {
        const { client, create, log, upstream } = yield* setUp
        const words = Array.from({ length: 100 }, (_, index) => `${index} `)
        const pieces = [
          role,
          raw(": keep-alive\n\n"),
          ...words.map(content),
          raw('id: 7\ndata: {"choices":[{"delta":{"content":"9007199254740993"}}],"n":1.0}\n\n'),
          finish
        ]
        upstream.script(stream(pieces))
        const chunks = yield* Effect.promise(async () => gather(await create()))
        assert.strictEqual(contents(chunks), `${words.join("")}9007199254740993`)
        const bytes = yield* Effect.promise(async () =>
          (await client.chat.completions.create(request).asResponse()).text()
        )
        assert.strictEqual(bytes, text([...pieces, done]))
        yield* eventually(() => log.length === 4)
        assert.deepStrictEqual(
          log.map((line) => [line.message, line["outcome"]]),
          [
            ["attempt", "success"],
            ["run", "success"],
            ["attempt", "success"],
            ["run", "success"]
          ]
        )
      })
    )

    it.scopedLive("a piece is there before the upstream has sent the next", () =>
      Effect.gen(function* () {
        const { create, upstream } = yield* setUp
        const answer = held()
        upstream.script(answer.behaviour)
        const words = ["one", "two", "three", "four"]
        const got = yield* Effect.promise(async () => {
          const opening = create()
          await Effect.runPromise(eventually(() => upstream.received.length === 1))
          answer.send(role, content("zero"))
          const iterator = (await opening)[Symbol.asyncIterator]()
          const next = async () => {
            const { done, value } = await iterator.next()
            return done === true ? undefined : value.choices[0]?.delta.content
          }
          const got = [await next(), await next()]
          for (const word of words) {
            answer.send(content(word))
            got.push(await next())
          }
          answer.send(finish, done)
          answer.end()
          return [...got, await next(), await next()]
        })
        assert.deepStrictEqual(got, ["", "zero", ...words, undefined, undefined])
      })
    )

    it.scopedLive("usage comes last where it was asked for, and not at all where it was not", () =>
      Effect.gen(function* () {
        const { create, upstream } = yield* setUp
        const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
        // Does as OpenAI does: the usage is a chunk without choices after the last one.
        upstream.script((response, received) => {
          const asked = JSON.parse(received.body.toString()).stream_options?.include_usage === true
          stream([role, content("Hi"), finish, ...(asked ? [chunk([], { usage })] : [])])(response, received)
        })
        const asked = yield* Effect.promise(async () =>
          gather(await create({ stream_options: { include_usage: true } }))
        )
        assert.deepStrictEqual(asked.at(-1)?.choices, [])
        assert.deepStrictEqual(asked.at(-1)?.usage, usage)
        const plain = yield* Effect.promise(async () => gather(await create()))
        assert.strictEqual(plain.length, 3)
        assert.isTrue(plain.every((chunk) => chunk.choices.length === 1 && chunk.usage === undefined))
        assert.isUndefined(JSON.parse(upstream.received[1]?.body.toString() ?? "").stream_options)
      })
    )

    it.scopedLive("calls of tools are put together from their pieces", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        upstream.script(
          stream([
            role,
            tool(0, { id: "call_a", type: "function", function: { name: "add", arguments: "" } }),
            tool(0, { function: { arguments: '{"a":' } }),
            tool(1, { id: "call_b", type: "function", function: { name: "sub", arguments: "{}" } }),
            tool(0, { function: { arguments: "1}" } }),
            delta({}, "tool_calls")
          ])
        )
        const tools = ["add", "sub"].map(
          (name) => ({ type: "function", function: { name, parameters: { type: "object" } } }) as const
        )
        const { events, final } = yield* Effect.promise(async () => {
          const runner = client.chat.completions.stream({ ...request, tools })
          const events = await gather(runner)
          return { events, final: await runner.finalChatCompletion() }
        })
        assert.strictEqual(events.length, 6)
        assert.strictEqual(final.choices[0]?.finish_reason, "tool_calls")
        assert.deepStrictEqual(
          final.choices[0]?.message.tool_calls?.map((call) =>
            call.type === "function" ? [call.id, call.function.name, call.function.arguments] : call
          ),
          [
            ["call_a", "add", '{"a":1}'],
            ["call_b", "sub", "{}"]
          ]
        )
      })
    )

    it.scopedLive("two choices come mixed, and the stream is whole when both have ended", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        upstream.script(
          stream([
            delta({ role: "assistant", content: "" }, null, 1),
            delta({ role: "assistant", content: "a" }, null, 0),
            delta({ content: "x" }, null, 1),
            chunk([
              { index: 1, delta: { content: "y" }, finish_reason: null },
              { index: 0, delta: { content: "b" }, finish_reason: null }
            ]),
            delta({}, "stop", 0),
            delta({ content: "z" }, null, 1),
            delta({}, "length", 1)
          ])
        )
        const final = yield* Effect.promise(() =>
          client.chat.completions.stream({ ...request, n: 2 }).finalChatCompletion()
        )
        assert.deepStrictEqual(
          final.choices.map(({ finish_reason, message }) => [message.content, finish_reason]),
          [
            ["ab", "stop"],
            ["xyz", "length"]
          ]
        )
        assert.strictEqual(JSON.parse(upstream.received[0]?.body.toString() ?? "").n, 2)
      })
    )

    it.scopedLive("characters may be cut anywhere between segments", () =>
      Effect.gen(function* () {
        const { create, upstream } = yield* setUp
        const words = "Grüße 👩‍👩‍👧 日本語 \u2028 ﷽"
        const bytes = Buffer.from(text([role, content(words), finish, done]))
        for (const size of [1, 2, 3, 7]) {
          upstream.script(trickle(bytes, size))
          const chunks = yield* Effect.promise(async () => gather(await create()))
          assert.strictEqual(contents(chunks), words)
        }
      })
    )

    it.scopedLive("an event of 5 MB is one chunk", () =>
      Effect.gen(function* () {
        const { create, upstream } = yield* setUp
        const long = "0123456789abcdeé".repeat(312_500)
        upstream.script(stream([role, content(long), finish]))
        const chunks = yield* Effect.promise(async () => gather(await create()))
        assert.strictEqual(chunks.length, 3)
        assert.isTrue(chunks[1]?.choices[0]?.delta.content === long)
      })
    )
  })
}
