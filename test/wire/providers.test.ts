import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, chatBody } from "../support/caller.ts"
import { chat, gateway } from "../support/gateway.ts"
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

  for (const kind of ["openai", "azure"]) {
    it.scopedLive(`${kind}: parameters are dropped and renamed by provider and by tier, byte for byte`, () =>
      Effect.gen(function* () {
        const only = yield* wall
        const quirks = "drop: [store], rename: { max_completion_tokens: max_tokens }"
        const provider = `kind: ${kind}, baseUrl: "${only.url}", ${quirks}`
        const { url } = yield* gateway(through(provider, "drop: [seed], rename: { user: customer }"))
        const body =
          '{ "store":true ,"model":"chat","x":1e400,"user" : "a","seed":1,\n"max_completion_tokens":9, "x":{"store":1.0} }'
        assert.strictEqual((yield* ask(url, { body })).status, 200)
        assert.strictEqual(
          only.received[0]?.body.toString(),
          '{ "model":"gpt","x":1e400,"customer" : "a",\n"max_tokens":9, "x":{"store":1.0} }'
        )
      })
    )
  }

  it.scopedLive("a dialect's refusal of a parameter sends the run to the next tier", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(422))
      const yaml = chat([first.url, second.url]).replace("apiKey: sk-upstream-1", "dialect: mistral")
      const { log, url } = yield* gateway(yaml)
      const served = yield* ask(url, { body: chatBody({ logprobs: true, store: true }) })
      assert.strictEqual(served.headers["x-understudy-tier"], "tier2")
      assert.strictEqual(log.find(({ message }) => message === "attempt")?.["error_type"], "unsupported")
      assert.notInclude(first.received[0]?.body.toString(), "store")
      assert.include(second.received[0]?.body.toString(), "store")
    })
  )

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
