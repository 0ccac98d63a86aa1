// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files write ${NAME}
import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import { file, openai, parse, provider, refusal, server, tier, yaml } from "./configFile.ts"

describe("ConfigError", () => {
  describe("refuses, with one line", () => {
    it.each([
      [
        "a tier's key",
        tier("timout: 5s"),
        ':11:9 routes.chat.tiers[0].timout: unknown key; did you mean "timeout"?'
      ],
      [
        "a key that is near to none",
        yaml({ route: "weather: {}" }),
        ":6:5 routes.chat.weather: unknown key; known: deadline, maxTiers, tiers, alert"
      ],
      [
        "a top-level key",
        `${yaml()}limits: { every: 1m }`,
        ":12:1 limits: unknown key; known: server, providers, routes, probe"
      ],
      [
        "a key in another case",
        provider("kind: openai, baseURL: http://a"),
        ':3:27 providers.openai.baseURL: unknown key; did you mean "baseUrl"?'
      ],
      [
        "a provider's key",
        provider("kind: sandbox, latncy: 5ms"),
        ':3:28 providers.openai.latncy: unknown key; did you mean "latency"?'
      ],
      [
        "a retry's key",
        tier("retry: { time: 1 }"),
        ':11:18 routes.chat.tiers[0].retry.time: unknown key; did you mean "times"?'
      ],
      [
        "no time for callers to take their answer",
        server("stallTimeout: 0s"),
        ":1:25 server.stallTimeout: cannot use 0s; expected a duration longer than nothing"
      ],
      [
        "a missing variable",
        openai('apiKey: "${OPENAI_API_KEY}"'),
        ":3:59 providers.openai.apiKey: environment variable OPENAI_API_KEY is not set; set it before the start"
      ],
      [
        "a missing variable in a list",
        server('apiKeys: ["a", "${B}"]'),
        ":1:26 server.apiKeys[1]: environment variable B is not set; set it before the start"
      ],
      [
        "a default in a variable",
        openai('apiKey: "${A:-b}"'),
        ":3:59 providers.openai.apiKey: cannot read what follows ${; write ${NAME} with letters, digits and _"
      ],
      [
        "a bad duration",
        tier("timeout: 12 parsecs"),
        ':11:18 routes.chat.tiers[0].timeout: cannot use "12 parsecs"; expected a duration such as 20s or "20 seconds"'
      ],
      [
        "a negative duration",
        tier("idle: -5s"),
        ':11:15 routes.chat.tiers[0].idle: cannot use "-5s"; expected a duration such as 20s or "20 seconds"'
      ],
      [
        "a bound that leaves no time",
        tier("timeout: 0s"),
        ":11:18 routes.chat.tiers[0].timeout: expected a duration longer than nothing; correct it"
      ],
      [
        "a duration without a unit",
        tier("timeout: 5"),
        ':11:18 routes.chat.tiers[0].timeout: cannot use 5; expected a duration such as 20s or "20 seconds"'
      ],
      [
        "a key without a value",
        tier("timeout:"),
        ':11:17 routes.chat.tiers[0].timeout: no value; expected a duration such as 20s or "20 seconds"'
      ],
      [
        "a list for a duration",
        tier("timeout: [5s]"),
        ':11:18 routes.chat.tiers[0].timeout: cannot use this list; expected a duration such as 20s or "20 seconds"'
      ],
      [
        "a bad deadline",
        yaml({ route: "deadline: soon" }),
        ':6:15 routes.chat.deadline: cannot use "soon"; expected a duration such as 20s or "20 seconds"'
      ],
      [
        "negative retries",
        tier("retry: { times: -1 }"),
        ":11:25 routes.chat.tiers[0].retry.times: cannot use -1; expected an integer of 0 or more"
      ],
      [
        "a shrinking wait",
        tier("retry: { factor: 0.5 }"),
        ":11:26 routes.chat.tiers[0].retry.factor: cannot use 0.5; expected a number of 1 or more"
      ],
      [
        "an unknown jitter",
        tier("retry: { jitter: ful }"),
        ':11:26 routes.chat.tiers[0].retry.jitter: unknown jitter "ful"; did you mean "full"?'
      ],
      [
        "a list of jitters",
        tier("retry: { jitter: [full] }"),
        ":11:26 routes.chat.tiers[0].retry.jitter: cannot use this list; expected one of none, full, equal, decorrelated"
      ],
      [
        "yes for true",
        tier("retry: { onTimeout: yes }"),
        ':11:29 routes.chat.tiers[0].retry.onTimeout: cannot use "yes"; expected true or false'
      ],
      [
        "no probes",
        tier("breaker: { probes: 0 }"),
        ":11:28 routes.chat.tiers[0].breaker.probes: cannot use 0; expected an integer of 1 or more"
      ],
      [
        "a share over 1",
        tier("breaker: { jitter: 2 }"),
        ":11:28 routes.chat.tiers[0].breaker.jitter: cannot use 2; expected a number from 0 to 1"
      ],
      [
        "text for a mapping",
        tier("breaker: on"),
        ":11:18 routes.chat.tiers[0].breaker: cannot use this value; expected a mapping"
      ],
      [
        "maxTiers 0",
        yaml({ route: "maxTiers: 0" }),
        ":6:15 routes.chat.maxTiers: cannot use 0; expected an integer of 1 or more"
      ],
      [
        "an unknown provider",
        yaml().replace("provider: openai", "provider: opnai"),
        ':9:19 routes.chat.tiers[0].provider: unknown provider "opnai"; did you mean "openai"?'
      ],
      [
        "a provider named like a method of every object",
        yaml().replace("provider: openai", "provider: toString"),
        ':9:19 routes.chat.tiers[0].provider: unknown provider "toString"; known: openai'
      ],
      [
        "an unknown provider kind",
        provider("kind: cohere, baseUrl: https://a"),
        ':3:19 providers.openai.kind: unknown provider kind "cohere"; known: openai, azure, anthropic, sandbox'
      ],
      [
        "a provider kind that is nearly one",
        provider("kind: azur, baseUrl: https://x.openai.azure.com"),
        ':3:19 providers.openai.kind: unknown provider kind "azur"; did you mean "azure"?'
      ],
      ["no kind", provider("baseUrl: http://a"), ':3:11 providers.openai.kind: missing key; add "kind" here'],
      [
        "no baseUrl",
        provider("kind: openai"),
        ':3:11 providers.openai.baseUrl: missing key; add "baseUrl" here'
      ],
      [
        "no model",
        yaml().replace(/model:.*/, ""),
        ':8:9 routes.chat.tiers[0].model: missing key; add "model" here'
      ],
      [
        "a model that is a number",
        yaml().replace("gpt-4.1", "4"),
        ":10:16 routes.chat.tiers[0].model: cannot use 4; expected a name in plain ASCII"
      ],
      [
        "a rate over 1",
        provider("kind: sandbox, failure: { status: 503, rate: 50 }"),
        ":3:58 providers.openai.failure.rate: cannot use 50; expected a number from 0 to 1"
      ],
      [
        "a failure that is none",
        provider("kind: sandbox, failure: { status: 200, rate: 1 }"),
        ":3:47 providers.openai.failure.status: cannot use 200; expected a status from 400 to 599"
      ],
      [
        "another scheme",
        provider("kind: openai, baseUrl: ftp://a"),
        ":3:36 providers.openai.baseUrl: cannot use this value; expected an http or https URL without user name, password and query"
      ],
      [
        "a password in a URL",
        provider("kind: openai, baseUrl: https://user:password@a"),
        ":3:36 providers.openai.baseUrl: cannot use this value; expected an http or https URL without user name, password and query"
      ],
      [
        "a header that is none",
        openai('headers: { "x y": z }'),
        ':3:69 providers.openai.headers["x y"]: not the name of a header; use letters, digits and -'
      ],
      [
        "a size without a unit",
        server("maxBody: 16"),
        ":1:20 server.maxBody: cannot use 16; expected a size such as 16MB or 16MiB"
      ],
      [
        "a bad size",
        server("maxBody: 16 megs"),
        ':1:20 server.maxBody: cannot use "16 megs"; expected a size such as 16MB or 16MiB'
      ],
      [
        "no room for a body",
        server("maxBody: 0MB"),
        ':1:20 server.maxBody: cannot use "0MB"; expected a size such as 16MB or 16MiB'
      ],
      [
        "a bad port",
        server("port: 99999"),
        ":1:17 server.port: cannot use 99999; expected a port from 0 to 65535"
      ],
      [
        "a host that others reach, without keys",
        server("host: 0.0.0.0"),
        ":1:17 server.host: others can reach this host and server.apiKeys is empty; add a key or listen on 127.0.0.1"
      ],
      [
        "a host that only begins like a loopback address",
        server("host: 127.0.0.1.example.com"),
        ":1:17 server.host: others can reach this host and server.apiKeys is empty; add a key or listen on 127.0.0.1"
      ],
      ["no routes", "providers: {}\nroutes: {}", ":2:9 routes: no routes; add at least one"],
      ["routes left out", "providers: {}", ':1:1 routes: missing key; add "routes" here'],
      [
        "no tiers",
        "providers: {}\nroutes: { chat: { tiers: [] } }",
        ":2:26 routes.chat.tiers: empty list; expected at least one tier"
      ],
      [
        "two tiers of one name",
        `${yaml().trimEnd()}\n      - { name: primary, provider: openai, model: b }`,
        ":11:17 routes.chat.tiers[1].name: duplicate tier name; give every tier its own name"
      ],
      [
        "a route whose name has a dot",
        "providers: {}\nroutes: { gpt-4.1: { tiers: 5 } }",
        ':2:29 routes["gpt-4.1"].tiers: cannot use this value; expected a list'
      ],
      ["an empty file", "", ":1:1: no value; expected a mapping"],
      ["a file that is a list", "- a", ":1:1: cannot use this list; expected a mapping"],
      ["a duplicate key", "providers: {}\nproviders: {}", ":2:1: duplicate key; keep one of the two"],
      ["a tab", "providers:\n\ta: {}", ":2:1: not valid YAML; indent with spaces instead of tabs"],
      [
        "a bracket that is not closed",
        "providers: {\nroutes: 5",
        ":2:1: not valid YAML; align the indentation with the lines above"
      ],
      [
        "a quote that is not closed",
        'routes: "a',
        ":1:11: not valid YAML; check the quotes, brackets and indentation here"
      ],
      ["a colon in a text", "a: b: c", ':1:4: not valid YAML; put text with ": " in it in quotes'],
      [
        "a variable without quotes in braces",
        server("port: ${PORT}"),
        ':1:18: not valid YAML; put "${NAME}" in quotes, or check the brackets and indentation here'
      ],
      ["two documents", "a: 1\n---\nb: 1", ":2:1: more than one document; keep one, without ---"],
      ["UTF-16", `\ufffd\ufffd${[...yaml()].join("\0")}`, ":1:1: not text in UTF-8; save it as UTF-8"],
      ["a tag", "a: !secret b", ":1:4: unknown tag; remove the word with !, or put the text in quotes"],
      ["an alias of nothing", "a: *b", ":1:4 a: unknown alias; set its anchor with & further up"]
    ])("%s", (_, text, expected) => assert.strictEqual(refusal(text), `${file}${expected}`))

    it("aliases that multiply without end", () => {
      const levels = Array.from({ length: 20 }, (_, i) => `l${i + 1}: &l${i + 1} [*l${i}, *l${i}, *l${i}]`)
      assert.strictEqual(
        refusal(["l0: &l0 [a]", ...levels].join("\n")),
        `${file}:1:1: not valid YAML; check the quotes, brackets and indentation here`
      )
    })

    it("the parts of the line, one by one", () => {
      const error = Either.getOrThrow(Either.flip(parse(tier("timout: 5s"))))
      const { _tag, line, column, path, reason, remedy } = error
      assert.deepStrictEqual(
        { _tag, file: error.file, line, column, path, reason, remedy },
        {
          _tag: "ConfigError",
          file,
          line: 11,
          column: 9,
          path: "routes.chat.tiers[0].timout",
          reason: "unknown key",
          remedy: 'did you mean "timeout"?'
        }
      )
    })
  })

  describe("never shows a secret", () => {
    const secret = "sk-very secret"
    const everywhere = [
      ...["host", "port", "maxBody", "drain"].map((key) => server(`${key}: "\${KEY}"`)),
      server('apiKeys: ["${KEY}"]'),
      server('apiKeys: "${KEY}"'),
      `server: "\${KEY}"`,
      provider('kind: "${KEY}"'),
      provider('kind: openai, baseUrl: "${KEY}"'),
      provider('kind: openai, baseUrl: "https://${KEY}@a"'),
      openai('apiKey: "${KEY}"'),
      openai('apikey: "${KEY}"'),
      openai('errors: [ { kind: "${KEY}" } ]'),
      openai('errors: [ { kind: overloaded, code: "${KEY}(" } ]'),
      openai('errors: [ { kind: overloaded, status: ["${KEY}"] } ]'),
      openai('headers: { a: "${KEY}\\n" }'),
      openai('headers: "${KEY}"'),
      provider('kind: azure, baseUrl: "https://a", apiVersion: "${KEY}"'),
      provider('kind: azure, baseUrl: "https://a", apiKey: "${KEY}"'),
      provider('kind: sandbox, failure: { status: "${KEY}", rate: 1 }'),
      provider('kind: sandbox, latency: "${KEY}"'),
      provider('kind: sandbox, script: "${KEY}"'),
      provider('kind: sandbox, script: ["${KEY}"]'),
      provider('kind: sandbox, script: [{ breaks: "${KEY}" }]'),
      tier('timeout: "${KEY}"'),
      tier('retry: "${KEY}"'),
      tier('retry: { jitter: "${KEY}" }'),
      tier('retry: { times: "${KEY}" }'),
      tier('retry: { onTimeout: "${KEY}" }'),
      yaml({ route: 'deadline: "${KEY}"' }),
      yaml({ route: 'maxTiers: "${KEY}"' }),
      yaml().replace("provider: openai", 'provider: "${KEY}"'),
      yaml().replace("gpt-4.1", '"${KEY}\\n"'),
      yaml().replace("name: primary", 'name: "${KEY}\\n"')
    ]

    it.each(everywhere)("of the environment: %j", (text) => {
      const error = Either.getOrThrow(Either.flip(parse(text, { KEY: secret })))
      assert.notInclude(error.message, "very")
      assert.notInclude(`${JSON.stringify(error)}${error.stack}${String(error.cause)}`, "very")
      assert.strictEqual(error.message.split("\n").length, 1)
    })

    it.each([
      server(`apiKeys: ["${secret}"]`),
      server(`apiKeys: "${secret}"`),
      openai(`apiKey: "${secret}"`),
      openai(`apiKey: [${secret}]`),
      openai(`apiKey: &${secret}`),
      openai(`apiKey: "${secret}`),
      openai(`apiKey: ${secret}: x`),
      openai(`apiKey: *${secret}`),
      openai(`headers: { a: "${secret}é" }`),
      `server: ${secret}`,
      secret
    ])("of the file itself: %j", (text) => assert.notInclude(refusal(text), "very"))

    it("names the variable instead", () => {
      const message = refusal(openai('apiKey: "${KEY}"'), { KEY: "two words" })
      assert.strictEqual(
        message,
        `${file}:3:59 providers.openai.apiKey: cannot use "\${KEY}"; expected a key in plain ASCII without spaces`
      )
    })

    it("says of a variable that it is empty, where that leaves nothing", () => {
      const message = refusal(openai('apiKey: "${A}${KEY}"'), { A: "", KEY: " " })
      assert.strictEqual(
        message,
        `${file}:3:59 providers.openai.apiKey: environment variable KEY is empty; set it before the start`
      )
      assert.strictEqual(refusal(openai('apiKey: "sk${KEY}"'), { KEY: "" }), "accepted")
    })
  })
})
