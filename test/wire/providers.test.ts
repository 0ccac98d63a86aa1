import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask } from "../support/caller.ts"
import { gateway } from "../support/gateway.ts"
import { wall } from "../support/wall.ts"

/** One route `chat` with one tier that asks this provider for `gpt`. */
const through = (provider: string): string => `
providers:
  up: { ${provider} }
routes:
  chat: { tiers: [ { name: only, provider: up, model: gpt } ] }
`

describe("the kinds of providers, on the wire", () => {
  it.scopedLive("azure asks its deployment with its own header for the key", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const baseUrl = only.url.replace(/\/v1$/, "")
      for (const [version, path] of [
        ["apiVersion: 2024-10-21,", "/openai/deployments/gpt/chat/completions?api-version=2024-10-21"],
        ["", "/openai/v1/chat/completions"]
      ]) {
        const { url } = yield* gateway(
          through(
            `kind: azure, ${version} baseUrl: "${baseUrl}", apiKey: "\${KEY}", headers: { X-Team: blue }`
          ),
          { KEY: "k-azure" }
        )
        assert.strictEqual((yield* ask(url)).status, 200)
        const { headers, path: asked } = only.received.at(-1)!
        assert.strictEqual(asked, path)
        assert.deepInclude(headers, { "api-key": "k-azure", "x-team": "blue" })
        assert.isUndefined(headers.authorization)
      }
    })
  )
})
