// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files write ${NAME}
import { assert, describe, it } from "@effect/vitest"
import { file, openai, provider, refusal, tier, yaml } from "./configFile.ts"

describe("ConfigError of a provider refuses, with one line", () => {
  it.each([
    [
      "an API version that is none",
      provider('kind: azure, baseUrl: "https://a", apiVersion: "2024-10-21?x=1"'),
      ':3:60 providers.openai.apiVersion: cannot use "2024-10-21?x=1"; expected an API version such as 2024-10-21'
    ],
    [
      "an API version of another kind",
      openai('apiVersion: "2024-10-21"'),
      ":3:51 providers.openai.apiVersion: unknown key; known: kind, baseUrl, apiKey, headers, errors, drop, rename, dialect, prefill"
    ],
    [
      "azure without a baseUrl",
      provider('kind: azure, apiVersion: "2024-10-21"'),
      ':3:11 providers.openai.baseUrl: missing key; add "baseUrl" here'
    ],
    [
      "a number of tokens that is none",
      provider("kind: anthropic, maxTokens: 0.5"),
      ":3:41 providers.openai.maxTokens: cannot use 0.5; expected an integer of 1 or more"
    ],
    [
      "a dialect that is nearly one",
      openai("dialect: mistal"),
      ':3:60 providers.openai.dialect: unknown dialect "mistal"; did you mean "mistral"?'
    ],
    [
      "a dialect of another kind",
      provider("kind: azure, baseUrl: https://a, dialect: openai"),
      ":3:46 providers.openai.dialect: unknown key; known: kind, baseUrl, apiKey, headers, errors, drop, rename, apiVersion"
    ],
    [
      "a parameter to drop that is no list",
      openai("drop: store"),
      ":3:57 providers.openai.drop: cannot use this value; expected a list"
    ],
    [
      "a parameter to drop that every request needs",
      openai("drop: [store, model]"),
      ":3:65 providers.openai.drop[1]: every request needs this parameter; remove it from here"
    ],
    [
      "a parameter to rename that every request needs",
      openai("rename: { seed: random_seed, messages: input }"),
      ":3:90 providers.openai.rename.messages: every request needs this parameter; remove it from here"
    ],
    [
      "a new name that is none",
      openai("rename: { seed: 7 }"),
      ":3:67 providers.openai.rename.seed: cannot use 7; expected the name of a parameter"
    ],
    [
      "embeddings of Anthropic's",
      yaml({ provider: "kind: anthropic", tier: "embeddings: claude" }),
      ":11:21 routes.chat.tiers[0].embeddings: Anthropic has no embeddings; name another provider"
    ],
    [
      "a tier that makes other embeddings than the first",
      yaml({ tier: "embeddings: small\n      - { name: b, provider: openai, model: m, embeddings: large }" }),
      ":12:60 routes.chat.tiers[1].embeddings: not what the first tier makes, small; vectors of different models do not compare; move the tier to another route"
    ],
    [
      "a tier that makes none where the first does",
      yaml({ tier: "embeddings: small\n      - { name: b, provider: openai, model: m }" }),
      ":12:9 routes.chat.tiers[1].embeddings: not what the first tier makes, small; vectors of different models do not compare; move the tier to another route"
    ],
    [
      "a tier that makes some where the first does not",
      yaml({ tier: "\n      - { name: b, provider: openai, model: m, embeddings: large }" }),
      ":12:60 routes.chat.tiers[1].embeddings: not what the first tier makes, none; vectors of different models do not compare; move the tier to another route"
    ],
    [
      "a prefill that is no word",
      openai("prefill: yes"),
      ':3:60 providers.openai.prefill: cannot use "yes"; expected true or false'
    ],
    [
      "a way to go on that is none",
      tier("continue: prefil"),
      ':11:19 routes.chat.tiers[0].continue: unknown way to go on "prefil"; did you mean "prefill"?'
    ],
    [
      "a prefill of OpenAI's own models",
      tier("continue: prefill"),
      ':11:19 routes.chat.tiers[0].continue: the models of "openai" are not known to go on from a prefix; use restart, or say "prefill: true" there if they do'
    ],
    [
      "a prefill of vLLM's where the provider says otherwise",
      yaml({
        provider: "kind: openai, dialect: vllm, prefill: false, baseUrl: http://a",
        tier: "continue: prefill"
      }),
      ':11:19 routes.chat.tiers[0].continue: the models of "openai" are not known to go on from a prefix; use restart, or say "prefill: true" there if they do'
    ],
    [
      "a prefill of Azure's",
      yaml({ provider: "kind: azure, baseUrl: https://a", tier: "continue: prefill" }),
      ':11:19 routes.chat.tiers[0].continue: the models of "openai" are not known to go on from a prefix; use restart'
    ],
    [
      "a tier's parameter to drop that every request needs",
      tier("drop: [stream]"),
      ":11:16 routes.chat.tiers[0].drop[0]: every request needs this parameter; remove it from here"
    ],
    [
      "a range that goes down",
      provider("kind: sandbox, latency: 400ms..80ms"),
      ':3:37 providers.openai.latency: cannot use "400ms..80ms"; expected a duration such as 120ms, or a range such as 80ms..400ms'
    ]
  ])("%s", (_, text, expected) => assert.strictEqual(refusal(text), `${file}${expected}`))

  it.each([
    [
      "a kind of error that is nearly one",
      openai("errors: [ { kind: overlaoded, status: [429] } ]"),
      ':3:69 providers.openai.errors[0].kind: unknown kind "overlaoded"; did you mean "overloaded"?'
    ],
    [
      "an error without a kind",
      openai("errors: [ { status: [429] } ]"),
      ':3:61 providers.openai.errors[0].kind: missing key; add "kind" here'
    ],
    [
      "an error's key",
      openai("errors: [ { kind: overloaded, statsu: [429] } ]"),
      ':3:81 providers.openai.errors[0].statsu: unknown key; did you mean "status"?'
    ],
    [
      "an error that is every error",
      openai("errors: [ { kind: overloaded, retry: false } ]"),
      ":3:61 providers.openai.errors[0]: matches every error; give status, code or text"
    ],
    [
      "a status that is no list",
      openai("errors: [ { kind: overloaded, status: 429 } ]"),
      ":3:89 providers.openai.errors[0].status: cannot use this value; expected a list"
    ],
    [
      "no status",
      openai("errors: [ { kind: overloaded, status: [] } ]"),
      ":3:89 providers.openai.errors[0].status: empty list; expected at least one entry"
    ],
    [
      "a status that HTTP does not know",
      openai("errors: [ { kind: overloaded, status: [4290] } ]"),
      ":3:90 providers.openai.errors[0].status[0]: cannot use 4290; expected a status, or its first digit for all that begin with it"
    ],
    [
      "a regular expression that is none",
      openai('errors: [ { kind: overloaded, code: "(" } ]'),
      ':3:87 providers.openai.errors[0].code: cannot use "("; expected a regular expression'
    ]
  ])("of an error: %s", (_, text, expected) => assert.strictEqual(refusal(text), `${file}${expected}`))

  it.each([
    ["a script that is none", "ok", ":3:36 providers.openai.script: cannot use this value; expected a list"],
    ["an empty script", "[]", ":3:36 providers.openai.script: empty list; expected at least one entry"],
    [
      "a turn that is nearly one",
      "[ok, rest]",
      ':3:41 providers.openai.script[1]: unknown turn "rest"; did you mean "reset"?'
    ],
    [
      "a turn that is a number",
      "[503]",
      ":3:37 providers.openai.script[0]: unknown turn 503; known: ok, hang, reset, nonsense"
    ],
    [
      "a turn's key",
      "[{ staus: 503 }]",
      ':3:39 providers.openai.script[0].staus: unknown key; did you mean "status"?'
    ],
    [
      "a turn's status that is no failure",
      "[{ status: 200 }]",
      ":3:47 providers.openai.script[0].status: cannot use 200; expected a status from 400 to 599"
    ],
    [
      "a break of no kind",
      "[{ breaks: stop }]",
      ':3:47 providers.openai.script[0].breaks: unknown breaks "stop"; known: hang, reset, end, error'
    ],
    [
      "a turn that fails and breaks",
      "[{ status: 503, breaks: reset }]",
      ":3:37 providers.openai.script[0]: both status and breaks; give one of the two"
    ],
    [
      "a wait that nothing asks for",
      "[{ retryAfter: 2s }]",
      ":3:37 providers.openai.script[0]: code and retryAfter belong to an error; give its status"
    ],
    [
      "a break that is left out",
      "[{ after: 2 }]",
      ":3:37 providers.openai.script[0]: nothing breaks after that; say how with breaks"
    ],
    [
      "a turn of no calls",
      "[{ times: 0 }]",
      ":3:46 providers.openai.script[0].times: cannot use 0; expected an integer of 1 or more"
    ]
  ])("of a script: %s", (_, script, expected) =>
    assert.strictEqual(refusal(provider(`kind: sandbox, script: ${script}`)), `${file}${expected}`)
  )

  it.each([
    "kind: openai, baseUrl: http://a, prefill: true",
    "kind: openai, baseUrl: http://a, dialect: vllm",
    "kind: openai, baseUrl: http://a, dialect: mistral",
    "kind: anthropic",
    "kind: sandbox"
  ])("takes a prefill of %s", (provider) =>
    assert.strictEqual(refusal(yaml({ provider, tier: "continue: prefill" })), "accepted")
  )

  it("takes a restart of any", () => assert.strictEqual(refusal(tier("continue: restart")), "accepted"))
})
