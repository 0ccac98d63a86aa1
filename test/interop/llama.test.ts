import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import OpenAi from "openai7"
import { gather } from "../support/clients.ts"
import { gateway } from "../support/gateway.ts"
import { freePort } from "../support/ports.ts"
import { fails, wall } from "../support/wall.ts"
import { startLlama } from "./counterparts.mjs"
import { running, withCounterpart } from "./support.ts"

withCounterpart("llama", () => {
  it.scopedLive("a real model on this machine is the last tier that still answers", () =>
    Effect.gen(function* () {
      const dead = yield* wall
      dead.script(fails(503))
      const port = yield* freePort
      const llama = yield* running(() => startLlama({ port }))
      const { log, url } = yield* gateway(`
providers:
  dead: { kind: openai, baseUrl: "${dead.url}" }
  local: { kind: openai, baseUrl: "${llama.baseUrl}" }
routes:
  chat:
    tiers:
      - { name: primary, provider: dead, model: large, retry: { times: 1, base: 10ms } }
      - { name: baseline, provider: local, model: ${llama.model} }
`)
      const client = new OpenAi({ baseURL: `${url}/v1`, apiKey: "any" })
      const request = {
        model: "chat",
        max_tokens: 24,
        temperature: 0,
        messages: [{ role: "user" as const, content: "Say hello." }]
      }
      const { data, response } = yield* Effect.promise(() =>
        client.chat.completions.create(request).withResponse()
      )
      assert.strictEqual(response.headers.get("x-understudy-tier"), "baseline")
      assert.strictEqual(data.model, llama.model)
      const whole = data.choices[0]?.message.content ?? ""
      assert.isNotEmpty(whole)

      const chunks = yield* Effect.promise(async () =>
        gather(await client.chat.completions.create({ ...request, stream: true }))
      )
      assert.strictEqual(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), whole)
      assert.deepStrictEqual(
        log.filter(({ message }) => message === "run").map((line) => line["served_by"]),
        ["baseline", "baseline"]
      )
    })
  )
})
