import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { clients } from "../support/clients.ts"
import { chat, gateway } from "../support/gateway.ts"
import { rejection } from "../support/rejection.ts"
import { type Behaviour, fails, type Received, sends, type Wall, wall } from "../support/wall.ts"

// Of numbers that a 32-bit float holds exactly.
const vectors = [
  [0.5, -0.25, 2],
  [1, 0, 0.125]
]

const base64 = (numbers: ReadonlyArray<number>): string =>
  Buffer.from(Float32Array.from(numbers).buffer).toString("base64")

const asked = (received: Received | undefined) => JSON.parse(received?.body.toString() ?? "")

/** Vectors in the coding that was asked for. */
const embeds: Behaviour = (response, received) => {
  const { encoding_format, input, model } = asked(received)
  const data = vectors.slice(0, input.length).map((vector, index) => ({
    object: "embedding",
    index,
    embedding: encoding_format === "base64" ? base64(vector) : vector
  }))
  const usage = { prompt_tokens: 7, total_tokens: 7 }
  sends(
    200,
    "application/json",
    JSON.stringify({ object: "list", data, model, usage, extra: 1 })
  )(response, received)
}

const search = (walls: ReadonlyArray<Wall>) =>
  chat(
    walls.map(({ url }) => url),
    { tier: "embeddings: small, retry: { times: 0 }" }
  )

for (const [name, Client] of clients) {
  describe(`${name}: embeddings`, () => {
    const setUp = Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(embeds)
      second.script(embeds)
      const { events, log, url } = yield* gateway(search([first, second]))
      const client = new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 })
      return { client, events, first, log, second }
    })

    for (const format of [undefined, "float", "base64"] as const) {
      it.scopedLive(`come as they are asked for: ${format ?? "the client's own choice"}`, () =>
        Effect.gen(function* () {
          const { client, first } = yield* setUp
          const { data, usage } = yield* Effect.promise(() =>
            client.embeddings.create({
              model: "chat",
              input: ["a", "b"],
              dimensions: 3,
              ...(format && { encoding_format: format })
            })
          )
          const given = data.map(({ embedding }) => embedding as unknown)
          assert.deepStrictEqual(given, format === "base64" ? vectors.map(base64) : vectors)
          assert.deepStrictEqual(usage, { prompt_tokens: 7, total_tokens: 7 })
          const [seen] = first.received
          assert.strictEqual(seen?.path, "/v1/embeddings")
          assert.deepInclude(asked(seen), { model: "model1", input: ["a", "b"], dimensions: 3 })
          assert.strictEqual(asked(seen).encoding_format, format ?? "base64")
        })
      )
    }

    it.scopedLive("come from the next tier where the first fails or talks nonsense", () =>
      Effect.gen(function* () {
        const { client, first, log } = yield* setUp
        for (const broken of [
          fails(503),
          sends(200, "application/json", '{"object":"list","data":[]}'),
          sends(200, "application/json", '{"object":"list","data":[{"embed'),
          sends(200, "application/json", '{"object":"list","data":[{"embedding":[1]},{"embedding":null}]}'),
          sends(200, "application/json", '{"error":{"message":"busy","code":"server_error"}}')
        ]) {
          first.script(broken)
          const { data, response } = yield* Effect.promise(() =>
            client.embeddings.create({ model: "chat", input: ["a"] }).withResponse()
          )
          assert.deepStrictEqual(data.data[0]?.embedding, vectors[0])
          assert.strictEqual(response.headers.get("x-understudy-tier"), "tier2")
        }
        const served = log.filter(({ message }) => message === "run").map((line) => line["served_by"])
        assert.deepStrictEqual(served, Array(5).fill("tier2"))
      })
    )

    it.scopedLive("fail as chat completions do", () =>
      Effect.gen(function* () {
        const { client, first, second } = yield* setUp
        first.script(fails(400, "invalid_value"))
        const create = () => client.embeddings.create({ model: "chat", input: ["a"] })
        assert.deepInclude(yield* rejection(create), { status: 400, code: "invalid_value" })
        first.script(fails(401))
        second.script(fails(401))
        assert.deepInclude(yield* rejection(create), { status: 502, code: "upstream_auth_error" })
      })
    )
  })
}

describe("a route", () => {
  const [, Client] = clients[1]!

  it.scopedLive("of embeddings makes no completions, and one of completions no embeddings", () =>
    Effect.gen(function* () {
      const only = yield* wall
      for (const [yaml, endpoint] of [
        [search([only]), "chat/completions"],
        [chat([only.url]), "embeddings"]
      ] as const) {
        const { url } = yield* gateway(yaml)
        const client = new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 })
        const error = yield* rejection(() =>
          client.post(`/${endpoint}`, { body: { model: "chat", input: "a", messages: [] } })
        )
        assert.deepInclude(error, { status: 404, code: "model_not_found", param: "model" })
        assert.include(error.message, endpoint === "embeddings" ? "/v1/chat/completions" : "/v1/embeddings")
      }
      assert.strictEqual(only.received.length, 0)
    })
  )

  it.scopedLive("of the sandbox has vectors of length 1, the same for the same text", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(
        [
          "providers: { stage: { kind: sandbox, latency: 1ms } }",
          "routes: { chat: { tiers: [ { name: a, provider: stage, model: m, embeddings: m } ] } }"
        ].join("\n")
      )
      for (const [, Client] of clients) {
        const client = new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 })
        const { data } = yield* Effect.promise(() =>
          client.embeddings.create({ model: "chat", input: ["one", "two", "one"] })
        )
        const [one, two, again] = data.map(({ embedding }) => embedding)
        assert.deepStrictEqual(one, again)
        assert.notDeepEqual(one, two)
        assert.approximately(Math.hypot(...one!), 1, 1e-6)
      }
    })
  )
})
