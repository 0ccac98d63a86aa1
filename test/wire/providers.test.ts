import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, chatBody } from "../support/caller.ts"
import { gateway } from "../support/gateway.ts"
import { fails, wall } from "../support/wall.ts"

/** One route `chat` with one tier that asks this provider for `gpt`. */
const through = (provider: string, tier = "timeout: 30s"): string => `
providers:
  up: { ${provider} }
routes:
  chat: { tiers: [ { name: only, provider: up, model: gpt, ${tier} } ] }
`

describe("the kinds of providers, on the wire", () => {
  for (const kind of ["openai", "azure"]) {
    it.scopedLive(`${kind} heeds the file's rows of errors before the table`, () =>
      Effect.gen(function* () {
        const only = yield* wall
        only.script(fails(418, "Teapot"))
        const errors = 'errors: [ { kind: rate_limited, status: [4], code: "^teapot$", retry: false } ]'
        const { log, url } = yield* gateway(through(`kind: ${kind}, baseUrl: "${only.url}", ${errors}`))
        assert.strictEqual((yield* ask(url)).status, 429)
        assert.strictEqual(log.find(({ message }) => message === "attempt")?.["error_type"], "rate_limited")
        assert.strictEqual(only.received.length, 1)
      })
    )
  }

  it.scopedLive("sandbox plays its script, call by call", () =>
    Effect.gen(function* () {
      const script =
        "[ { status: 429, code: insufficient_quota }, { breaks: reset, after: 2 }, nonsense, ok ]"
      const { log, url } = yield* gateway(
        through(
          `kind: sandbox, latency: 1ms..3ms, chunkEvery: 1ms, script: ${script}`,
          "retry: { times: 0 }, breaker: { openFor: 0s }"
        )
      )
      const answers = yield* Effect.replicateEffect(ask(url, { body: chatBody({ stream: true }) }), 5)
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        [503, 200, 503, 200, 503]
      )
      assert.include(answers[1]?.text, "stream_interrupted")
      assert.include(answers[3]?.text, "[DONE]")
      assert.deepStrictEqual(
        log.flatMap((line) => (line.message === "attempt" ? [line["error_type"]] : [])),
        ["quota_exhausted", "connection", "invalid_answer", undefined, "quota_exhausted"]
      )
    })
  )

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
