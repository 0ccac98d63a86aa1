import { it } from "@effect/vitest"
import { Effect } from "effect"
import { clients } from "/work/main/test/support/clients.ts"
import { chat, gateway } from "/work/main/test/support/gateway.ts"
import { wall } from "/work/main/test/support/wall.ts"
for (const [name, Client] of clients) for (const size of [2e6, 5e6, 20e6])
  it.scopedLive(`${name} ${size}`, () => Effect.gen(function* () {
    const w = yield* wall
    const { url } = yield* gateway(chat([w.url], { server: "maxBody: 1MB" }))
    const client = new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 })
    const counts: Record<string, number> = {}
    for (let i = 0; i < 30; i++) yield* Effect.promise(async () => {
      try { await client.chat.completions.create({ model: "chat", messages: [{ role: "user", content: "x".repeat(size) }] }) }
      catch (e: any) { const k = `${e.status} ${e.code} ${e.message} ${e.cause?.cause?.code}`; counts[k] = (counts[k] ?? 0) + 1 }
    })
    console.log(name, size, counts)
  }))
