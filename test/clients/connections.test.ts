import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { clients, gather } from "../support/clients.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { type Behaviour, content, done, finish, type Held, held, role, wall } from "../support/wall.ts"

const messages = [{ role: "user" as const, content: "Hi" }]

for (const [name, Client] of clients) {
  describe(`${name}: connections`, () => {
    const setUp = Effect.gen(function* () {
      const upstream = yield* wall
      const { log, url } = yield* gateway(
        chat([upstream.url], { tier: "retry: { times: 2, base: 1ms }, breaker: { consecutive: 1000 }" })
      )
      const client = new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 })
      return { client, log, upstream }
    })

    it.scopedLive("200 calls share connections, whatever idle ones the upstream closes in between", () =>
      Effect.gen(function* () {
        const { client, log, upstream } = yield* setUp
        const kept = new Set<string | null>()
        let closed = 0
        for (let call = 1; call <= 200; call++) {
          const { data, response } = yield* Effect.promise(() =>
            client.chat.completions.create({ model: "chat", messages }).withResponse()
          )
          assert.strictEqual(data.choices[0]?.message.content, "Hello there")
          kept.add(response.headers.get("connection"))
          if (call % 10 !== 0) continue
          // Every other time the gateway has not noticed yet when it sends the next request.
          upstream.closeIdle()
          if (call % 20 === 0) yield* eventually(() => upstream.sockets() === 0)
          closed++
        }
        const failed = log.filter((line) => line.message === "attempt" && line["outcome"] !== "success")
        assert.isTrue(failed.every((line) => line["error_type"] === "connection"))
        assert.isAtMost(failed.length, closed)
        assert.isAtMost(upstream.connections(), 1 + 2 * closed)
        assert.deepStrictEqual([...kept], ["keep-alive"])
      })
    )

    it.scopedLive("50 streams at once: each is whole and its own", () =>
      Effect.gen(function* () {
        const { client, log, upstream } = yield* setUp
        const open: Array<{ readonly user: string; readonly stream: Held }> = []
        const opens: Behaviour = (response, received) => {
          const stream = held()
          stream.behaviour(response, received)
          open.push({ user: JSON.parse(received.body.toString()).user, stream })
        }
        upstream.script(opens)
        const users = Array.from({ length: 50 }, (_, index) => `caller ${index}`)
        const reading = yield* Effect.fork(
          Effect.forEach(
            users,
            (user) =>
              Effect.promise(async () => {
                const answer = await client.chat.completions.create({
                  model: "chat",
                  messages,
                  user,
                  stream: true
                })
                const chunks = await gather(answer)
                return chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")
              }),
            { concurrency: "unbounded" }
          )
        )
        yield* eventually(() => open.length === 50)
        for (const { stream } of open) stream.send(role)
        for (let round = 0; round < 20; round++) {
          for (const { stream, user } of open) stream.send(content(`${user}:${round} `))
        }
        for (const { stream } of open) {
          stream.send(finish, done)
          stream.end()
        }
        const texts = yield* reading
        assert.deepStrictEqual(
          texts,
          users.map((user) => Array.from({ length: 20 }, (_, round) => `${user}:${round} `).join(""))
        )
        yield* eventually(() => log.length === 100)
        assert.isTrue(log.every((line) => line["outcome"] === "success"))
        assert.strictEqual(new Set(log.map((line) => line["request_id"])).size, 50)
      })
    )

    it.scopedLive("a stream that stands still holds no other up", () =>
      Effect.gen(function* () {
        const { client, upstream } = yield* setUp
        const still = held()
        const others = held()
        upstream.script(still.behaviour, others.behaviour)
        const read = () =>
          Effect.promise(async () =>
            gather(await client.chat.completions.create({ model: "chat", messages, stream: true }))
          )
        const waiting = yield* Effect.fork(read())
        yield* eventually(() => upstream.received.length === 1)
        still.send(role, content("a"))
        for (let call = 2; call <= 5; call++) {
          const reading = yield* Effect.fork(read())
          yield* eventually(() => upstream.received.length === call)
          others.send(role, content("b"), finish, done)
          others.end()
          assert.strictEqual((yield* reading).length, 3)
        }
        still.send(content("c"), finish, done)
        still.end()
        assert.strictEqual((yield* waiting).length, 4)
      })
    )
  })
}
