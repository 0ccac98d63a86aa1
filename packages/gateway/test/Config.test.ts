// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files write ${NAME}
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { CircuitBreaker } from "@understudy/core"
import { Duration, Effect, JSONSchema, Redacted, Schema } from "effect"
import * as Config from "../src/Config.ts"
import { sandboxPolicy } from "../src/internal/file/sandboxPolicy.ts"
import { accepted, file, openai, refusal, server } from "./configFile.ts"

describe("Config", () => {
  it("fills in every default", () => {
    const { server, providers, routes } = accepted(`
providers:
  openai: { kind: openai, baseUrl: https://api.openai.com/v1 }
  stage: { kind: sandbox }
routes:
  chat:
    tiers: [ { name: primary, provider: openai, model: gpt-4.1 } ]
`)
    assert.deepStrictEqual(server, {
      host: "127.0.0.1",
      port: 8787,
      apiKeys: [],
      maxBody: 16_000_000,
      maxInFlight: 1000,
      maxQueue: 1000,
      maxWait: Duration.seconds(5),
      stallTimeout: Duration.minutes(1),
      drain: Duration.seconds(30)
    })
    assert.deepStrictEqual(providers, {
      openai: { kind: "openai", baseUrl: "https://api.openai.com/v1" },
      stage: { kind: "sandbox", latency: Duration.millis(120) }
    })
    const { deadline, maxTiers, tiers } = routes["chat"]!
    assert.deepStrictEqual(deadline, Duration.seconds(60))
    assert.isUndefined(maxTiers)
    assert.deepStrictEqual(tiers[0], {
      name: "primary",
      provider: "openai",
      model: "gpt-4.1",
      timeout: Duration.seconds(30),
      attemptTimeout: Duration.seconds(30),
      firstToken: Duration.seconds(30),
      idle: Duration.minutes(4),
      maxStream: Duration.minutes(15),
      backoff: { times: 2, base: Duration.millis(250), factor: 2, max: Duration.seconds(4), jitter: "full" },
      maxRetryAfter: Duration.seconds(5),
      retryTimeouts: false,
      breaker: {
        ...CircuitBreaker.config(),
        trip: [{ _tag: "Consecutive", failures: 5 }],
        openFor: Duration.seconds(20),
        factor: 1,
        maxOpenFor: Duration.minutes(5),
        jitter: 0.1,
        probes: 1
      }
    })
  })

  it("anthropic needs no baseUrl", () => {
    const { providers } = accepted(
      `
providers:
  anthropic: { kind: anthropic, apiKey: "\${KEY}" }
  other: { kind: anthropic, baseUrl: "http://a", headers: { anthropic-beta: b }, maxTokens: 8192 }
routes:
  chat: { tiers: [ { name: primary, provider: anthropic, model: claude-sonnet-4-5 } ] }
`,
      { KEY: "sk-1" }
    )
    const { anthropic, other } = providers
    assert(anthropic?.kind === "anthropic" && other?.kind === "anthropic")
    assert.strictEqual(anthropic.baseUrl, "https://api.anthropic.com")
    assert.strictEqual(Redacted.value(anthropic.apiKey!), "sk-1")
    assert.deepStrictEqual([anthropic.headers, anthropic.maxTokens], [undefined, undefined])
    assert.deepStrictEqual([other.baseUrl, other.maxTokens], ["http://a", 8192])
    assert.strictEqual(Redacted.value(other.headers!["anthropic-beta"]!), "b")
  })

  it("takes every setting", () => {
    const text = `
server:
  host: 0.0.0.0
  port: 80
  apiKeys: [ "\${CALLER}", "team-\${CALLER}" ]
  maxBody: 2MiB
  maxInFlight: 10
  maxQueue: 0
  maxWait: 1s
  stallTimeout: 5s
  drain: "1 minute"
providers:
  openai:
    kind: openai
    baseUrl: https://\${HOST}/v1
    apiKey: "\${KEY}"
    headers: { OpenAI-Organization: org-1 }
    dialect: mistral
    drop: [store]
    rename: { max_completion_tokens: max_tokens }
    errors: [ { kind: overloaded, status: [429, 5], code: "^busy$", text: rush, retry: false } ]
  azure: { kind: azure, baseUrl: https://x.openai.azure.com, apiVersion: 2024-10-21, apiKey: "\${KEY}" }
  stage: { kind: sandbox, latency: 5ms, failure: { status: 503, rate: 0.5 }, chunkEvery: 10ms }
  scripted:
    kind: sandbox
    latency: 80ms..1.5s
    script:
      - ok
      - { times: 3, status: 429, code: slow_down, retryAfter: 2s }
      - { latency: 5s, chunkEvery: 1s, breaks: reset, after: 4 }
routes:
  gpt-4.1:
    deadline: 45s
    maxTiers: 2
    tiers:
      - { name: primary, provider: openai, model: gpt-4.1, timeout: 20s, retry: { times: 0 } }
      - { name: standby, provider: stage, model: small, breaker: { consecutive: 1 }, drop: [seed], rename: { user: customer } }
`
    const config = accepted(text, { CALLER: "caller", KEY: "sk-1", HOST: "api.openai.com" })
    assert.deepStrictEqual(config.server.apiKeys.map(Redacted.value), ["caller", "team-caller"])
    assert.strictEqual(config.server.maxBody, 2 * 2 ** 20)
    assert.deepStrictEqual([config.server.maxInFlight, config.server.maxQueue], [10, 0])
    assert.deepStrictEqual(config.server.maxWait, Duration.seconds(1))
    assert.deepStrictEqual(config.server.stallTimeout, Duration.seconds(5))
    assert.deepStrictEqual(config.server.drain, Duration.minutes(1))
    const openai = config.providers["openai"]
    assert(openai?.kind === "openai")
    assert.strictEqual(openai.baseUrl, "https://api.openai.com/v1")
    assert.strictEqual(Redacted.value(openai.apiKey!), "sk-1")
    const quirks = { drop: ["store"], rename: { max_completion_tokens: "max_tokens" } }
    assert.deepInclude(openai, { dialect: "mistral", ...quirks })
    assert.deepInclude(config.routes["gpt-4.1"]?.tiers[1], { drop: ["seed"], rename: { user: "customer" } })
    assert.strictEqual(Redacted.value(openai.headers!["OpenAI-Organization"]!), "org-1")
    assert.deepStrictEqual(openai.errors, [
      { kind: "overloaded", status: [429, 5], code: /^busy$/i, text: /rush/i, retry: false }
    ])
    const azure = config.providers["azure"]
    assert(azure?.kind === "azure")
    assert.deepInclude(azure, { baseUrl: "https://x.openai.azure.com", apiVersion: "2024-10-21" })
    assert.strictEqual(Redacted.value(azure.apiKey!), "sk-1")
    assert.deepStrictEqual(config.providers["stage"], {
      kind: "sandbox",
      latency: Duration.millis(5),
      failure: { status: 503, rate: 0.5 },
      chunkEvery: Duration.millis(10)
    })
    assert.deepStrictEqual(config.providers["scripted"], {
      kind: "sandbox",
      latency: { from: Duration.millis(80), to: Duration.millis(1500) },
      script: [
        "ok",
        { times: 3, status: 429, code: "slow_down", retryAfter: Duration.seconds(2) },
        { latency: Duration.seconds(5), chunkEvery: Duration.seconds(1), breaks: "reset", after: 4 }
      ]
    })
    const route = config.routes["gpt-4.1"]!
    assert.strictEqual(route.maxTiers, 2)
    assert.deepStrictEqual(
      route.tiers.map(({ name, provider, backoff, breaker }) => [
        name,
        provider,
        backoff.times,
        breaker.trip
      ]),
      [
        ["primary", "openai", 0, [CircuitBreaker.consecutive(5)]],
        ["standby", "stage", 2, [CircuitBreaker.consecutive(1)]]
      ]
    )
    assert.notInclude(JSON.stringify(config), "sk-1")
  })

  it.each([
    ["16MB", 16_000_000],
    ["16MiB", 16_777_216],
    ["1.5kB", 1_500],
    ["1 GB", 1_000_000_000],
    ["512B", 512]
  ])("the size %s is %d bytes", (text, bytes) =>
    assert.strictEqual(accepted(server(`maxBody: ${text}`)).server.maxBody, bytes)
  )

  it("a port may come from the environment", () =>
    assert.strictEqual(accepted(server('port: "${PORT}"'), { PORT: "8080" }).server.port, 8080))

  it.each(["127.0.0.1", "127.8.8.8", "localhost", '"::1"'])("%s needs no key", (host) =>
    assert.strictEqual(refusal(server(`host: ${host}`)), "accepted")
  )

  it("a key opens any host", () =>
    assert.strictEqual(refusal(server('host: 0.0.0.0, apiKeys: ["k"]')), "accepted"))

  it("anchors and aliases say a thing once", () => {
    const config = accepted(`
providers: { a: { kind: sandbox } }
routes:
  chat:
    tiers:
      - { name: one, provider: a, model: m, retry: &retry { times: 7 } }
      - { name: two, provider: a, model: m, retry: *retry }
`)
    assert.deepStrictEqual(
      config.routes["chat"]?.tiers.map((tier) => tier.backoff.times),
      [7, 7]
    )
  })

  it("the sandbox policy needs no network and no key", () => {
    const { server, providers, routes } = accepted(sandboxPolicy)
    assert.strictEqual(server.host, "127.0.0.1")
    assert.deepStrictEqual(Object.keys(routes), ["chat"])
    const tiers = routes["chat"]!.tiers
    assert.deepStrictEqual(
      tiers.map(({ name, provider, model }) => [name, model, providers[provider]?.kind]),
      [
        ["primary", "sandbox-large", "sandbox"],
        ["standby", "sandbox-medium", "sandbox"],
        ["baseline", "sandbox-small", "sandbox"]
      ]
    )
    for (const { backoff, breaker } of tiers) {
      assert.strictEqual(backoff.times, 2)
      assert.deepStrictEqual(backoff.base, Duration.millis(100))
      assert.deepStrictEqual(breaker.trip, [CircuitBreaker.consecutive(5)])
      assert.deepStrictEqual(breaker.openFor, Duration.seconds(10))
    }
  })

  it("a file is written as it was read, every default filled in", () => {
    const config = accepted(`
providers:
  up: { kind: openai, baseUrl: http://a, errors: [ { kind: overloaded, status: [5], code: "^busy$" } ] }
  stage: { kind: sandbox, latency: 80ms..1.5s, script: [ ok, { status: 429, retryAfter: 2s } ] }
routes: { chat: { tiers: [ { name: one, provider: up, model: m } ] } }
`)
    const { providers } = Schema.encodeSync(Config.File)(config)
    assert.deepStrictEqual(providers, {
      up: {
        kind: "openai",
        baseUrl: "http://a",
        errors: [{ kind: "overloaded", status: [5], code: "^busy$" }]
      },
      stage: { kind: "sandbox", latency: "80ms..1.5s", script: ["ok", { status: 429, retryAfter: "2s" }] }
    })
  })

  it("has a JSON Schema for editors", () => {
    const { properties } = JSONSchema.make(Config.File) as JSONSchema.JsonSchema7Object
    assert.deepStrictEqual(Object.keys(properties), ["server", "providers", "routes", "probe"])
  })

  describe("load", () => {
    const written = (text: string) =>
      Effect.acquireRelease(
        Effect.promise(async () => {
          const directory = await mkdtemp(join(tmpdir(), "understudy-"))
          await writeFile(join(directory, file), text)
          return { directory, path: join(directory, file) }
        }),
        ({ directory }) => Effect.promise(() => rm(directory, { recursive: true }))
      )

    it.scoped("reads a file, with the environment of the process", () =>
      Effect.gen(function* () {
        const { path } = yield* written(openai('apiKey: "${HOME}"'))
        const { providers } = yield* Config.load(path)
        const openaiProvider = providers["openai"]
        assert(openaiProvider?.kind === "openai")
        assert.strictEqual(Redacted.value(openaiProvider.apiKey!), process.env["HOME"])
      })
    )

    it.scoped("names the file that is wrong", () =>
      Effect.gen(function* () {
        const { path } = yield* written("routes: 5")
        const { message } = yield* Effect.flip(Config.load(path))
        assert.strictEqual(message, `${path}:1:1 providers: missing key; add "providers" here`)
      })
    )

    it.effect("a file that is not there", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Config.load("nowhere/understudy.yaml"))
        assert.strictEqual(error.message, "nowhere/understudy.yaml: no such file; check the path")
        assert.isUndefined(error.line)
      })
    )

    it.effect("a file that is a directory", () =>
      Effect.gen(function* () {
        const { message } = yield* Effect.flip(Config.load(tmpdir()))
        assert.strictEqual(
          message,
          `${tmpdir()}: cannot be read; check that it is a file and who may read it`
        )
      })
    )
  })
})
