import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { clients, gather } from "../support/clients.ts"
import { chat, gateway } from "../support/gateway.ts"
import { answer, content, fails, finish, role, stream, wall } from "../support/wall.ts"

for (const [name, Client] of clients) {
  describe(`${name} through the gateway`, () => {
    it.scopedLive("tier 1 answers 503 to everything: the client needs one call and no loop", () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(fails(503))
        const { log, url } = yield* gateway(
          chat([first.url, second.url], { tier: "retry: { times: 1, base: 20ms, jitter: none }" })
        )
        const client = new Client({ baseURL: `${url}/v1`, apiKey: "any" })
        const { data, request_id, response } = yield* Effect.promise(() =>
          client.chat.completions
            .create({ model: "chat", messages: [{ role: "user", content: "Hi" }] })
            .withResponse()
        )
        assert.strictEqual(data.choices[0]?.message.content, "Hello there")
        assert.strictEqual(data.model, "model2")
        assert.strictEqual(response.headers.get("x-understudy-tier"), "tier2")
        assert.strictEqual(response.headers.get("x-understudy-attempts"), "3")
        assert.strictEqual(request_id, log[0]?.["request_id"])
        assert.deepStrictEqual(
          log.map((line) => [line.message, line["tier"], line["attempt"], line["status"], line["outcome"]]),
          [
            ["attempt", "tier1", 1, 503, "failure"],
            ["attempt", "tier1", 2, 503, "failure"],
            ["attempt", "tier2", 1, 200, "success"],
            ["run", "tier2", undefined, undefined, "success"]
          ]
        )
        assert.deepStrictEqual(
          log.slice(0, 3).map((line) => line["waited_ms"]),
          [0, 20, 0]
        )
        assert.isAtLeast(first.received[1]!.at - first.received[0]!.at, 20)
      })
    )

    it.scopedLive("tier 1 sends headers and a role and dies: one coherent stream of tier 2", () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(stream([role], "reset"))
        second.script(stream([role, content("Hel"), content("lo"), finish]))
        const { url } = yield* gateway(chat([first.url, second.url], { tier: "retry: { times: 0 }" }))
        const client = new Client({ baseURL: `${url}/v1`, apiKey: "any" })
        const chunks = yield* Effect.promise(async () => {
          const answer = await client.chat.completions.create({
            model: "chat",
            stream: true,
            messages: [{ role: "user", content: "Hi" }]
          })
          return await gather(answer)
        })
        assert.strictEqual(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), "Hello")
        assert.deepStrictEqual(new Set(chunks.map((chunk) => chunk.model)), new Set(["model2"]))
        assert.strictEqual(chunks.filter((chunk) => chunk.choices[0]?.delta.role !== undefined).length, 1)
        assert.strictEqual(first.received.length, 1)
      })
    )

    it.scopedLive(
      "a stream cut after its first content raises in the client, and is never continued by another",
      () =>
        Effect.gen(function* () {
          const [first, second] = [yield* wall, yield* wall]
          first.script(stream([role, content("Hel")], "reset"))
          second.script(answer())
          const { url } = yield* gateway(chat([first.url, second.url]))
          const client = new Client({ baseURL: `${url}/v1`, apiKey: "any" })
          let text = ""
          const error = yield* Effect.promise(async () => {
            try {
              const answer = await client.chat.completions.create({
                model: "chat",
                stream: true,
                messages: []
              })
              for await (const chunk of answer) text += chunk.choices[0]?.delta.content ?? ""
              return undefined
            } catch (error) {
              return error as { readonly code?: string }
            }
          })
          assert.deepStrictEqual(
            [text, error?.code, second.received.length],
            ["Hel", "stream_interrupted", 0]
          )
        })
    )
  })
}
