import { assert, describe, it } from "@effect/vitest"
import { ChatModel, OpenAiCompatible, Provider, Upstream } from "@understudy/http"
import { Effect, Fiber, Stream } from "effect"
import { eventually } from "../support/eventually.ts"
import {
  answer,
  type Behaviour,
  content,
  fails,
  finish,
  held,
  role,
  stream,
  type Wall,
  wall
} from "../support/wall.ts"

/** An application's own client of two upstreams, over `fetch`. */
const chatOf = (first: Wall, second: Wall) => {
  const provider = ({ url }: Wall, name: string) =>
    Provider.fromConfig(OpenAiCompatible.make, { name, baseUrl: url })
  const retry = { times: 0 }
  return ChatModel.layerConfig({
    tiers: [
      { name: "primary", provider: provider(first, "one"), model: "large", retry },
      { name: "standby", provider: provider(second, "two"), model: "small", retry }
    ]
  })
}

const asked = <A, E>(
  behaviours: { readonly first: Behaviour; readonly second?: Behaviour },
  ask: (
    chat: ChatModel.ChatModel,
    walls: { readonly first: Wall; readonly second: Wall }
  ) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const walls = { first: yield* wall, second: yield* wall }
    walls.first.script(behaviours.first)
    walls.second.script(behaviours.second ?? fails(500))
    return yield* Effect.flatMap(ChatModel.ChatModel, (chat) => ask(chat, walls)).pipe(
      Effect.provide(chatOf(walls.first, walls.second)),
      Effect.provide(Upstream.layerFetch)
    )
  })

const hi: ChatModel.Request = { messages: [{ role: "user", content: "Hi" }] }
const text = (part: ChatModel.Part) => (part._tag === "TextDelta" ? part.text : "")

describe("ChatModel over real sockets", () => {
  it.scopedLive("a whole answer, of the next tier where the first has none", () =>
    asked({ first: fails(503), second: answer() }, ({ complete }, { second }) =>
      Effect.gen(function* () {
        const reply = yield* complete(hi)
        assert.deepStrictEqual(
          [reply.text, reply.servedBy.tier, reply.fallback],
          ["Hello there", "standby", true]
        )
        assert.deepStrictEqual(JSON.parse(String(second.received[0]?.body)), {
          model: "small",
          messages: [{ role: "user", content: "Hi" }]
        })
      })
    )
  )

  it.scopedLive("a stream, of the next tier where the first dies before its first word", () =>
    asked(
      { first: stream([role], "reset"), second: stream([role, content("Hel"), content("lo"), finish]) },
      (chat) =>
        Effect.gen(function* () {
          const parts = yield* Stream.runCollect(chat.stream(hi))
          const [started, ...rest] = parts
          assert(started?._tag === "Started")
          assert.deepStrictEqual(started.servedBy, { tier: "standby", model: "small", provider: "two" })
          assert.strictEqual(rest.map(text).join(""), "Hello")
          const finished = rest.at(-1)
          assert(finished?._tag === "Finished")
          assert.deepStrictEqual([finished.text, finished.finishReason], ["Hello", "stop"])
        })
    )
  )

  it.scopedLive("a stream that breaks after its first word fails as what it is, and asks nobody else", () =>
    asked({ first: stream([role, content("Hel")], "reset"), second: answer() }, (chat, { second }) =>
      Effect.gen(function* () {
        let said = ""
        const error = yield* chat.stream(hi).pipe(
          Stream.runForEach((part) => Effect.sync(() => (said += text(part)))),
          Effect.flip
        )
        assert(error._tag === "ProviderError")
        assert.deepStrictEqual([said, error.kind, second.received.length], ["Hel", "connection", 0])
      })
    )
  )

  it.scopedLive("a caller that leaves closes the connection", () => {
    const { behaviour, send } = held()
    return asked({ first: behaviour }, (chat, { first }) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(
          Stream.runHead(Stream.filter(chat.stream(hi), (part) => text(part) !== ""))
        )
        yield* eventually(() => first.received.length === 1)
        send(content("Hel"))
        yield* Fiber.join(fiber)
        yield* eventually(() => first.received[0]?.abandoned === true)
      })
    )
  })

  it.scopedLive("no redirect is followed: the key would go along", () =>
    Effect.gen(function* () {
      const elsewhere = yield* wall
      const moved: Behaviour = (response) => void response.writeHead(307, { location: elsewhere.url }).end()
      yield* asked({ first: moved, second: answer() }, ({ complete }) =>
        Effect.map(complete(hi), ({ attempts }) => {
          assert.deepStrictEqual(attempts[0]?.errorType, "redirect")
          assert.strictEqual(elsewhere.received.length, 0)
        })
      )
    })
  )
})
