// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files write ${NAME}
import { assert, describe, it } from "@effect/vitest"
import { Config } from "@understudy/gateway"
import { Effect, Either } from "effect"
import { ajv, objections, schema } from "../support/schema.ts"

const printed = await Effect.runPromise(schema)
const validate = ajv.compile(printed)

/** A file with a value for every key whose value has a form. */
const right = {
  server: {
    host: "0.0.0.0",
    port: "${PORT}",
    apiKeys: ["${KEY}", "team-1"],
    maxBody: "2.5 MiB",
    maxInFlight: 10,
    maxQueue: 0,
    maxWait: "1s",
    stallTimeout: "1m30s",
    drain: "2 minutes"
  },
  providers: {
    up: {
      kind: "openai",
      baseUrl: "https://${HOST}/v1",
      apiKey: "${KEY}",
      headers: { "OpenAI-Organization": "org 1" },
      dialect: "mistral",
      drop: ["store"],
      rename: { max_completion_tokens: "max_tokens" },
      errors: [{ kind: "overloaded", status: [429, 5], code: "^busy$", text: "rush", retry: false }]
    },
    azure: { kind: "azure", baseUrl: "HTTPS://x.example", apiVersion: "2024-10-21" },
    claude: { kind: "anthropic", maxTokens: 100 },
    stage: {
      kind: "sandbox",
      latency: "80ms..1.5s",
      chunkEvery: "10ms",
      failure: { status: 503, rate: 0.5 },
      script: ["ok", { times: 2, status: 429, code: "slow", retryAfter: "2s" }, { breaks: "reset", after: 4 }]
    }
  },
  routes: {
    chat: {
      deadline: "${DEADLINE}",
      maxTiers: 2,
      tiers: [
        {
          name: "primary",
          provider: "up",
          model: "m",
          timeout: "20s",
          hedge: { after: "2s" },
          retry: { times: 2, base: "250ms", factor: 1.5, jitter: "equal", onTimeout: true },
          breaker: { rate: { threshold: 0.5, window: "1m", buckets: 6 }, slow: { after: "5s" }, jitter: 0 }
        },
        { name: "standby", provider: "claude", model: "n", continue: "restart" }
      ],
      alert: { tier: "primary", successBelow: 0.9, over: "5m", atLeast: 1 }
    }
  },
  probe: { every: "1m", maxTokens: 1, breakers: true }
}

const env = { PORT: "80", KEY: "k", HOST: "api.example", DEADLINE: "45s" }

type Place = readonly [path: string, value: unknown]

/** The file with something else in one place; `undefined` takes the key away. */
const withAt = (path: string, value: unknown): string => {
  const file: unknown = structuredClone(right)
  const keys = path.split(".")
  const last = keys.pop() ?? ""
  const parent = keys.reduce<unknown>((node, key) => Reflect.get(Object(node), key), file)
  Reflect.set(Object(parent), last, value)
  return JSON.stringify(file)
}

const tier = "routes.chat.tiers.0"

/** What both refuse. */
const wrong: ReadonlyArray<Place> = [
  ["routes", undefined],
  ["routes", {}],
  ["providers", undefined],
  ["limits", {}],
  ["server", []],
  ["server.host", "a b"],
  ["server.port", 65_536],
  ["server.port", 80.5],
  ["server.port", "http"],
  ["server.apiKeys", "k"],
  ["server.apiKeys", ["a key"]],
  ["server.maxBody", "16"],
  ["server.maxBody", "16 mb"],
  ["server.maxBody", 16],
  ["server.maxInFlight", 0],
  ["server.maxQueue", -1],
  ["server.maxWait", 5],
  ["server.drain", "12 parsecs"],
  ["server.drain", ""],
  ["server.stallTimout", "1m"],
  ["providers.up.kind", "opnai"],
  ["providers.up.kind", undefined],
  ["providers.up.baseUrl", undefined],
  ["providers.up.baseUrl", "ftp://x.example"],
  ["providers.up.baseUrl", "https://x.example/?key=1"],
  ["providers.up.apiVersion", "2024-10-21"],
  ["providers.up.apiKey", "a key"],
  ["providers.up.dialect", "mistal"],
  ["providers.up.drop", ["model"]],
  ["providers.up.drop", [""]],
  ["providers.up.rename", { messages: "input" }],
  ["providers.up.rename", { seed: 7 }],
  ["providers.up.headers", { "a b": "c" }],
  ["providers.up.headers", { a: "é" }],
  ["providers.up.errors", [{ status: [429] }]],
  ["providers.up.errors", [{ kind: "overloaded", retry: false }]],
  ["providers.up.errors", [{ kind: "overloaded", status: [] }]],
  ["providers.up.errors", [{ kind: "overloaded", status: [42] }]],
  ["providers.up.errors", [{ kind: "overloaded", code: "(" }]],
  ["providers.azure.apiVersion", "2024-10-21?x=1"],
  ["providers.claude.maxTokens", 0.5],
  ["providers.stage.latncy", "5ms"],
  ["providers.stage.latency", 5],
  ["providers.stage.failure", { status: 200, rate: 0.5 }],
  ["providers.stage.failure", { status: 503, rate: 2 }],
  ["providers.stage.failure", { status: 503 }],
  ["providers.stage.script", []],
  ["providers.stage.script", ["rest"]],
  ["providers.stage.script", [{ status: 503, breaks: "reset" }]],
  ["providers.stage.script", [{ retryAfter: "2s" }]],
  ["providers.stage.script", [{ after: 2 }]],
  ["routes.chat.deadline", "soon"],
  ["routes.chat.maxTiers", 0],
  ["routes.chat.tiers", undefined],
  ["routes.chat.tiers", []],
  ["routes.chat.alert", { successBelow: 0.9 }],
  ["routes.chat.alert.successBelow", 90],
  ["routes.chat.alert.atLeast", 0],
  [`${tier}.name`, undefined],
  [`${tier}.name`, "e\u0301tage"],
  [`${tier}.provider`, 7],
  [`${tier}.timout`, "5s"],
  [`${tier}.timeout`, 5],
  [`${tier}.timeout`, "-5s"],
  [`${tier}.timeout`, "Infinity"],
  [`${tier}.timeout`, null],
  [`${tier}.timeout`, ["5s"]],
  [`${tier}.continue`, "prefil"],
  [`${tier}.hedge`, "2s"],
  [`${tier}.hedge.after`, undefined],
  [`${tier}.hedge.after`, 2],
  [`${tier}.retry.times`, -1],
  [`${tier}.retry.times`, 1.5],
  [`${tier}.retry.factor`, 0.5],
  [`${tier}.retry.jitter`, "some"],
  [`${tier}.retry.onTimeout`, "yes"],
  [`${tier}.breaker.consecutive`, 0],
  [`${tier}.breaker.jitter`, 1.1],
  [`${tier}.breaker.rate.size`, 10],
  [`${tier}.breaker.rate.window`, undefined],
  [`${tier}.breaker.slow.after`, undefined],
  ["probe.maxTokens", 0],
  ["probe.breakers", "yes"]
]

/** What `check` alone refuses: it takes two places, the environment or arithmetic to see. */
const unseen: ReadonlyArray<Place> = [
  ["server.apiKeys", []],
  ["server.maxBody", "0B"],
  ["server.port", "65536"],
  ["providers.up.apiKey", "${NO_SUCH_KEY}"],
  ["providers.up.baseUrl", "https://user:key@x.example"],
  ["providers.stage.latency", "400ms..80ms"],
  ["providers.stage.latency", "soon"],
  ["routes.chat.alert.tier", "thrid"],
  ["routes.chat.alert.over", "0s"],
  [`${tier}.provider`, "upp"],
  [`${tier}.name`, "standby"],
  [tier, { name: "primary", provider: "azure", model: "m", continue: "prefill" }],
  [`${tier}.embeddings`, "small"],
  [`${tier}.breaker.rate`, { minimumCalls: 10, size: 5 }],
  ["probe.every", "10ms"]
]

const checked = (text: string): string =>
  Either.match(Config.parse(text, "file", env), {
    onLeft: ({ message }) => message,
    onRight: () => "accepted"
  })

const named = (places: ReadonlyArray<Place>) =>
  places.map(
    ([path, value]) => [`${path}: ${JSON.stringify(value) ?? "missing"}`, withAt(path, value)] as const
  )

describe("the JSON Schema of the file", () => {
  it("is valid by the draft that it names", () => {
    assert.strictEqual(printed["$schema"], "http://json-schema.org/draft-07/schema#")
    assert.isTrue(ajv.validateSchema(printed), ajv.errorsText())
  })

  it("takes what check takes", () => {
    const text = JSON.stringify(right)
    assert.deepStrictEqual([checked(text), objections(validate, text)], ["accepted", []])
  })

  it.each(named(wrong))("refuses what check refuses: %s", (_, text) => {
    assert.notStrictEqual(checked(text), "accepted")
    assert.isNotEmpty(objections(validate, text))
  })

  it.each(named(unseen))("leaves to check: %s", (_, text) => {
    assert.notStrictEqual(checked(text), "accepted")
    assert.deepStrictEqual(objections(validate, text), [])
  })
})
