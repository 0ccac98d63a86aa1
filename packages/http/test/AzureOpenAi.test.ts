import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Redacted, Stream } from "effect"
import * as AzureOpenAi from "../src/AzureOpenAi.ts"
import { answer, delta, event, partsOf, request, type Script, scripted, sse, stop, text } from "./scripted.ts"

const baseUrl = "https://x.openai.azure.com"

const azure = (script: Script, options: Partial<AzureOpenAi.Options> = {}) => {
  const { requests, upstream } = scripted(script)
  return { requests, provider: AzureOpenAi.make({ name: "azure", baseUrl, ...options, upstream }) }
}

const complete = ({ provider }: ReturnType<typeof azure>, model = "gpt") =>
  Effect.scoped(provider.complete(request(), model))

describe("AzureOpenAi", () => {
  it.effect("with a version it asks the deployment of the model's name, the key in a header of its own", () =>
    Effect.gen(function* () {
      for (const url of [baseUrl, `${baseUrl}/`]) {
        const options = { baseUrl: url, apiVersion: "2024-10-21", apiKey: Redacted.make("k-1") }
        const up = azure({ body: answer }, options)
        yield* complete(up, "my gpt/4")
        const { body, ...rest } = up.requests[0]!
        assert.deepStrictEqual(rest, {
          method: "POST",
          url: `${baseUrl}/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21`,
          headers: { accept: "application/json", "api-key": "k-1", "content-type": "application/json" }
        })
        assert.strictEqual(text(body!), '{"model": "my gpt/4"}')
      }
    })
  )

  it.effect("without one it asks the v1 API", () =>
    Effect.gen(function* () {
      const up = azure({ body: answer }, { headers: { Authorization: "Bearer t" } })
      assert.strictEqual(text((yield* complete(up)).body), answer)
      assert.strictEqual(up.requests[0]?.url, `${baseUrl}/openai/v1/chat/completions`)
      assert.deepStrictEqual(up.requests[0]?.headers, {
        accept: "application/json",
        authorization: "Bearer t",
        "content-type": "application/json"
      })
    })
  )

  it.effect("embeddings are a path beside", () =>
    Effect.gen(function* () {
      const vectors = '{"data":[{"embedding":[1.0]}],"usage":{"prompt_tokens":3}}'
      for (const [apiVersion, path] of [
        ["2024-10-21", "deployments/gpt/embeddings?api-version=2024-10-21"],
        [undefined, "v1/embeddings"]
      ] as const) {
        const { provider, requests } = azure({ body: vectors }, { apiVersion })
        assert(provider.embeddings)
        const { body, usage } = yield* Effect.scoped(provider.embeddings(request(), "gpt"))
        assert.strictEqual(requests[0]?.url, `${baseUrl}/openai/${path}`)
        assert.strictEqual(text(body), vectors)
        assert.deepStrictEqual(usage, { input: 3, output: undefined })
      }
    })
  )

  it("says what and where it is, for spans", () => {
    const { provider } = azure({})
    assert.strictEqual(provider.system, "azure.ai.openai")
    assert.deepStrictEqual(provider.server, { address: "x.openai.azure.com", port: 443 })
  })

  it.effect("chunks about the content filter are passed on, and none of them is content", () =>
    Effect.gen(function* () {
      const results = { hate: { filtered: false, severity: "safe" } }
      const ofPrompt = event({
        id: "",
        model: "",
        choices: [],
        prompt_filter_results: [{ prompt_index: 0, content_filter_results: results }]
      })
      const role = event({ choices: [{ index: 0, delta: { role: "assistant", content: "" } }] })
      // With the asynchronous filter: no delta, and after the end as well.
      const ofAnswer = event({
        id: "",
        choices: [{ index: 0, finish_reason: null, content_filter_results: results }]
      })
      const events = [ofPrompt, role, delta("Hi"), ofAnswer, stop, ofAnswer, "data: [DONE]\n\n"]
      const body = Stream.fromIterable(events.map((event) => new TextEncoder().encode(event)))
      const up = azure({ headers: sse, body })
      const parts = Chunk.toArray(
        yield* Stream.runCollect(partsOf(up.provider.stream(request(',"stream":true'), "gpt")))
      )
      assert.deepStrictEqual(
        parts.map((part) => text(part.bytes)),
        events
      )
      assert.deepStrictEqual(
        parts.map(({ content }) => content),
        [false, false, true, false, true, false, false]
      )
    })
  )

  it.effect("its errors are those of the table", () =>
    Effect.gen(function* () {
      const filtered = {
        error: { code: "content_filter", innererror: { code: "ResponsibleAIPolicyViolation" } }
      }
      const failures = [
        [400, filtered, "content_policy"],
        [404, { error: { code: "DeploymentNotFound", message: "" } }, "model_not_found"],
        [401, { error: { code: "401", message: "Access denied due to invalid subscription key" } }, "auth"],
        [429, { error: { code: "429", message: "Please retry after 37 seconds." } }, "rate_limited"]
      ] as const
      for (const [status, body, kind] of failures) {
        const error = yield* Effect.flip(complete(azure({ status, body: JSON.stringify(body) })))
        assert.strictEqual(error.kind, kind)
      }
    })
  )
})
