import { assert, describe, it } from "@effect/vitest"
import { ChatModel, OpenAiCompatible, Provider, type Route, Upstream } from "@understudy/http"
import { Effect, Stream } from "effect"
import { clients, gather } from "../support/clients.ts"
import { eventually } from "../support/eventually.ts"
import { frameworks } from "../support/frameworks.ts"
import { chat, gateway } from "../support/gateway.ts"
import { rejection } from "../support/rejection.ts"
import {
  type Behaviour,
  content,
  fails,
  finish,
  held,
  raw,
  reset,
  role,
  stream,
  type Wall,
  wall
} from "../support/wall.ts"

const usage = raw(
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m", choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } })}\n\n`
)
const begins = stream([role, content("Hel")], "reset")
const ways: ReadonlyArray<readonly [Route.Continue, Behaviour]> = [
  ["prefill", stream([role, content("lo"), finish, usage])],
  ["restart", stream([role, content("He"), content("llo"), finish, usage])]
]

for (const [name, Client] of clients) {
  describe(`${name}: a stream that another tier goes on with`, () => {
    const over = (way: Route.Continue, ...behaviours: ReadonlyArray<Behaviour>) =>
      Effect.gen(function* () {
        const walls = yield* Effect.forEach(behaviours, (behaviour) =>
          Effect.tap(wall, ({ script }) => Effect.sync(() => script(behaviour)))
        )
        const urls = walls.map(({ url }) => url)
        const tier = `retry: { times: 0 }, continue: ${way}`
        const { url } = yield* gateway(chat(urls, { provider: "prefill: true", tier }))
        const client = new Client({ baseURL: `${url}/v1`, apiKey: "any" })
        const said: Array<string> = []
        const read = async (fields: object = {}) => {
          const asked = { model: "chat", stream: true as const, messages: [], ...fields }
          for await (const { choices } of await client.chat.completions.create(asked)) {
            said.push(...choices.flatMap(({ delta }) => delta.content ?? []))
          }
        }
        return { client, read, text: () => said.join(""), walls }
      })

    for (const [way, second] of ways) {
      it.scopedLive(`${way}: one answer, whatever helper reads it`, () =>
        Effect.gen(function* () {
          const { client } = yield* over(way, begins, second)
          const messages = [{ role: "user" as const, content: "Hi" }]
          const asked = { model: "chat", messages, stream_options: { include_usage: true } }
          const { completion, ids } = yield* Effect.promise(async () => {
            const runner = client.chat.completions.stream(asked)
            const ids = new Set<string>()
            for await (const chunk of runner) ids.add(`${chunk.id} ${chunk.created} ${chunk.model}`)
            return { completion: await runner.finalChatCompletion(), ids }
          })
          assert.deepStrictEqual([...ids], ["chatcmpl-1 1 model1"])
          assert.strictEqual(completion.choices.length, 1)
          assert.deepInclude(completion.choices[0], { finish_reason: "stop" })
          assert.deepInclude(completion.choices[0]?.message, { role: "assistant", content: "Hello" })
          const counted = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, incomplete: true }
          assert.deepStrictEqual<unknown>(completion.usage, counted)
        })
      )
    }

    it.scopedLive("one answer, though the second breaks off too, or fails before it says anything", () =>
      Effect.gen(function* () {
        const hello = stream([role, content("Hello"), finish])
        for (const second of [stream([role, content("Hell")], "reset"), fails(503), reset]) {
          const { read, text } = yield* over("restart", begins, second, hello)
          yield* Effect.promise(() => read())
          assert.strictEqual(text(), "Hello")
        }
      })
    )

    const call = raw(
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "f", arguments: '{"a' } }] }, finish_reason: null }] })}\n\n`
    )
    const hel = [role, content("Hel")]
    const raises: ReadonlyArray<readonly [string, Behaviour, Behaviour, object?]> = [
      ["the second one says something else", begins, stream([role, content("Hey"), finish])],
      ["the second one has nothing to say", begins, fails(503)],
      [
        "a call of a tool has begun",
        stream([...hel, call], "reset"),
        stream([role, content("Hello"), finish])
      ],
      ["two answers were asked for", begins, stream([role, content("Hello"), finish]), { n: 2 }]
    ]
    for (const [where, first, second, fields] of raises) {
      it.scopedLive(`raises where ${where}`, () =>
        Effect.gen(function* () {
          const { read, text } = yield* over("restart", first, second)
          const error = yield* rejection(() => read(fields))
          assert.instanceOf(error, Client.APIError)
          assert.deepStrictEqual([text(), error.code], ["Hel", "stream_interrupted"])
        })
      )
    }

    it.scopedLive("leaves while the second one is at it: that is given up", () =>
      Effect.gen(function* () {
        const going = held()
        const { client, walls } = yield* over("restart", begins, going.behaviour)
        const leaving = new AbortController()
        const reading = client.chat.completions
          .create({ model: "chat", stream: true, messages: [] }, { signal: leaving.signal })
          .then(gather)
        yield* eventually(() => walls[1]!.received.length === 1)
        going.send(role, content("Hel"))
        leaving.abort()
        yield* eventually(() => walls[1]!.received[0]?.abandoned === true)
        yield* Effect.promise(() => reading.then(undefined, () => {}))
      })
    )
  })
}

for (const [name, make] of frameworks) {
  describe(`${name}: a stream that another tier goes on with`, () => {
    for (const [way, second] of ways) {
      it.scopedLive(`${way}: one answer`, () =>
        Effect.gen(function* () {
          const walls = [yield* wall, yield* wall] as const
          walls[0].script(begins)
          walls[1].script(second)
          const tier = `retry: { times: 0 }, continue: ${way}`
          const urls = walls.map(({ url }) => url)
          const { url } = yield* gateway(chat(urls, { provider: "prefill: true", tier }))
          const { text } = yield* Effect.promise(() => make(`${url}/v1`).streamed())
          assert.strictEqual(text, "Hello")
        })
      )
    }
  })
}

describe("ChatModel over real sockets: a stream that another tier goes on with", () => {
  for (const [way, second] of ways) {
    it.scopedLive(`${way}: says first who began, and at last all that was said`, () =>
      Effect.gen(function* () {
        const walls = [yield* wall, yield* wall] as const
        walls[0].script(begins)
        walls[1].script(second)
        const provider = ({ url }: Wall) =>
          Provider.fromConfig(OpenAiCompatible.make, { name: "up", baseUrl: url, prefill: true })
        const retry = { times: 0 }
        const ChatLive = ChatModel.layerConfig({
          tiers: [
            { name: "primary", provider: provider(walls[0]), model: "large", retry },
            { name: "standby", provider: provider(walls[1]), model: "small", retry, continue: way }
          ]
        })
        const parts = yield* Effect.flatMap(ChatModel.ChatModel, ({ stream }) =>
          Stream.runCollect(stream({ messages: [{ role: "user", content: "Hi" }] }))
        ).pipe(Effect.provide(ChatLive), Effect.provide(Upstream.layerFetch))
        const [started, ...rest] = parts
        const finished = rest.at(-1)
        assert(started?._tag === "Started" && finished?._tag === "Finished")
        assert.strictEqual(started.servedBy.tier, "primary")
        assert.deepStrictEqual(
          rest.flatMap((part) => (part._tag === "TextDelta" ? [part.text] : [])),
          ["Hel", "lo"]
        )
        assert.deepStrictEqual(
          [finished.text, finished.finishReason, finished.usage],
          ["Hello", "stop", { input: 3, output: 2 }]
        )
      })
    )
  }
})
