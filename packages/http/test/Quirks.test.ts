import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { Anthropic, ChatModel, ErrorTable, OpenAiCompatible, ProviderError, Quirks } from "../src/index.ts"
import { answer, bytes, request, scripted, text } from "./scripted.ts"

const adapted = (quirks: Quirks.Quirks, body: string): string =>
  text(Quirks.adapt(quirks)({ model: "chat", stream: false, body: bytes(body) }).body)

/** Some JSON text that JSON.parse and JSON.stringify would not give back as it is. */
const values = FastCheck.constantFrom(
  "9007199254740993",
  "1e400",
  "1.0",
  "-0",
  "null",
  '"a\\"b\\\\"',
  '"\\ud800 é😀"',
  '[",", "}", {"store": [1 , 2]}]',
  '{"store":1,"store":2, "x" : {}}',
  "[[[]],{}]",
  '""'
)
const space = FastCheck.stringMatching(/^[ \t\r\n]{0,3}$/)
const names = ["store", "user", "max", "seed", "é", "", "__proto__", "a,b", 'q"']
const keys = FastCheck.constantFrom(...names).chain((name) =>
  FastCheck.constantFrom(
    JSON.stringify(name),
    `"${[...name].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}"`
  )
)
const members = FastCheck.array(
  FastCheck.record({ key: keys, before: space, after: space, value: values, lead: space, trail: space }),
  { maxLength: 8 }
)
const quirks = FastCheck.record({
  drop: FastCheck.subarray(names),
  rename: FastCheck.uniqueArray(
    FastCheck.tuple(FastCheck.constantFrom(...names), FastCheck.constantFrom("new", "max", "é😀\\")),
    { selector: ([from]) => from }
  ).map((pairs) => new Map(pairs))
})

/** What each member becomes: its new key, or nothing. */
const fates = (keys: ReadonlyArray<string>, drop: ReadonlyArray<string>, rename: Map<string, string>) => {
  const stay = keys.filter((key) => !drop.includes(key) && (rename.get(key) ?? key) === key)
  const first = new Map<string, string>()
  return keys.map((key) => {
    if (drop.includes(key)) return undefined
    const next = rename.get(key)
    if (next === undefined || next === key) return key
    if (stay.includes(next) || (first.get(next) ?? key) !== key) return undefined
    first.set(next, key)
    return next
  })
}

describe("Quirks.adapt", () => {
  it.prop(
    "drops and renames members of the outermost object, and touches no other byte",
    [members, quirks, space, space],
    ([members, { drop, rename }, before, after]) => {
      const body = `${before}{${members
        .map(
          ({ key, lead, trail, value, ...rest }) =>
            `${lead}${key}${rest.before}:${rest.after}${value}${trail}`
        )
        .join(",")}}${after}`
      const becomes = fates(
        members.map(({ key }) => JSON.parse(key)),
        drop,
        rename
      )
      let expected = `${before}{${members[0]?.lead ?? ""}`
      let any = false
      for (const [index, { key, value, ...rest }] of members.entries()) {
        const next = becomes[index]
        if (next === undefined) continue
        if (any) expected += `${members[index - 1]?.trail},${rest.lead}`
        any = true
        expected += `${next === JSON.parse(key) ? key : JSON.stringify(next)}${rest.before}:${rest.after}${value}`
      }
      expected += `${members.at(-1)?.trail ?? ""}}${after}`
      assert.strictEqual(adapted({ drop, rename: Object.fromEntries(rename) }, body), expected)
      assert.deepStrictEqual(
        Object.keys(JSON.parse(expected)).sort(),
        [...new Set(becomes.filter((name) => name !== undefined))].sort()
      )
    },
    { fastCheck: { numRuns: 3000 } }
  )

  it.prop(
    "any JSON object, however it is laid out: the same without what is dropped, and under the new names",
    [
      FastCheck.dictionary(FastCheck.string(), FastCheck.jsonValue()),
      FastCheck.constantFrom("", " ", "\t", "\r\n")
    ],
    ([object, indent]) => {
      const [out, old, ...rest] = Object.keys(object).filter((key) => !Quirks.essentials.includes(key))
      const drop = out === undefined ? [] : [out]
      const rename = old === undefined ? {} : { [old]: "new name" }
      const after = JSON.parse(adapted({ drop, rename }, JSON.stringify(object, undefined, indent)))
      const expected = { ...JSON.parse(JSON.stringify(object)) }
      delete expected[out ?? ""]
      if (old !== undefined && !rest.includes("new name")) {
        expected["new name"] = expected[old]
        delete expected[old]
      }
      assert.deepStrictEqual(after, expected)
    }
  )

  it("without quirks gives the very request back", () => {
    const chat = request(',"store":true')
    for (const none of [{}, { drop: [], rename: {} }]) assert.strictEqual(Quirks.adapt(none)(chat), chat)
  })

  it("keeps the rest of the request", () => {
    const chat = { ...request(), stream: true }
    const { model, stream } = Quirks.adapt({ drop: ["store"] })(chat)
    assert.deepStrictEqual([model, stream], ["chat", true])
  })

  it("where a parameter has its new name already, that one stays", () => {
    const quirks = { rename: { max_completion_tokens: "max_tokens", max: "max_tokens" } }
    const both = '{"max_completion_tokens":1,"max_tokens":2}'
    assert.strictEqual(adapted(quirks, both), '{"max_tokens":2}')
    assert.strictEqual(adapted(quirks, '{"max":1, "max_completion_tokens":2}'), '{"max_tokens":1}')
    assert.strictEqual(adapted({ ...quirks, drop: ["max_tokens"] }, both), '{"max_tokens":1}')
    assert.strictEqual(adapted({ rename: { a: "b", b: "a" } }, '{"a":1,"b":2}'), '{"b":1,"a":2}')
  })

  it("refuses to take what every request needs", () => {
    for (const name of Quirks.essentials) {
      const message = `Quirks: ${name} can be neither dropped nor renamed`
      assert.throws(() => Quirks.adapt({ drop: [name] }), RangeError, message)
      assert.throws(() => Quirks.adapt({ rename: { [name]: "x" } }), RangeError, message)
    }
  })

  it("nesting does not exhaust the stack, and a body cut at any byte does not break it", () => {
    const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`
    assert.strictEqual(adapted({ drop: ["a"] }, `{"b":1,"a":${deep}}`), '{"b":1}')
    const body = bytes('{ "store": [1, {"é": "\\"😀"}], "max": 1, "x": 2 }')
    for (let length = 0; length < body.length; length++) {
      const cut = { ...request(), body: body.subarray(0, length) }
      Quirks.adapt({ drop: ["store", "x"], rename: { max: "max_tokens" } })(cut)
    }
  })
})

describe("Quirks.presets", () => {
  const all: string = `,"store":true,"metadata":{},"user":"u","stream_options":{"include_usage":true},"service_tier":"auto","seed":9007199254740993,"max_completion_tokens":9,"logprobs":true`
  const sent: Readonly<Record<Quirks.Name, string>> = {
    openai: all,
    mistral: ',"metadata":{},"random_seed":9007199254740993,"max_tokens":9,"logprobs":true',
    groq: ',"stream_options":{"include_usage":true},"seed":9007199254740993,"max_completion_tokens":9,"logprobs":true',
    together: all,
    openrouter: all,
    gemini:
      ',"stream_options":{"include_usage":true},"seed":9007199254740993,"max_completion_tokens":9,"logprobs":true',
    anthropic: all,
    vllm: all,
    ollama: all.replace("max_completion_tokens", "max_tokens"),
    "llama.cpp": all
  }
  const refusals: Readonly<Partial<Record<Quirks.Name, readonly [number, unknown]>>> = {
    mistral: [
      422,
      { object: "error", message: { detail: [{ type: "extra_forbidden", loc: ["body", "logprobs"] }] } }
    ],
    groq: [400, { error: { message: "property 'logprobs' is unsupported", type: "invalid_request_error" } }],
    openrouter: [404, { error: { message: "No endpoints found that support tool use.", code: 404 } }],
    gemini: [
      400,
      [
        {
          error: {
            code: 400,
            status: "INVALID_ARGUMENT",
            message: 'Invalid JSON payload received. Unknown name "logprobs": Cannot find field.'
          }
        }
      ]
    ]
  }
  const provider = (dialect: Quirks.Name, script: Parameters<typeof scripted>[0]) => {
    const { requests, upstream } = scripted(script)
    const options = { name: "up", baseUrl: "https://up.example/v1", dialect, upstream }
    return { requests, provider: OpenAiCompatible.make(options) }
  }

  for (const dialect of Object.keys(sent) as ReadonlyArray<Quirks.Name>) {
    it.effect(`${dialect} gets what it takes`, () =>
      Effect.gen(function* () {
        const up = provider(dialect, { body: answer })
        yield* Effect.scoped(up.provider.complete(request(all), "m"))
        assert.strictEqual(text(up.requests[0]!.body!), `{"model": "m"${sent[dialect]}}`)
        assert.strictEqual(up.provider.system, Quirks.presets[dialect].system)
      })
    )

    it.effect(`${dialect}: what a parameter that it does not take means`, () =>
      Effect.gen(function* () {
        const refusal = refusals[dialect]
        const [status, body] = refusal ?? [400, { error: { message: "no", type: "invalid_request_error" } }]
        const up = provider(dialect, { status, body: JSON.stringify(body) })
        const { kind } = yield* Effect.flip(Effect.scoped(up.provider.complete(request(), "m")))
        assert.strictEqual(kind, refusal === undefined ? "invalid_request" : "unsupported")
        assert.strictEqual(refusal === undefined, Quirks.presets[dialect].errors === undefined)
      })
    )
  }

  it.effect("a provider that translates heeds quirks before it does", () =>
    Effect.gen(function* () {
      const chat = request(',"messages":[{"role":"user","content":"Hi"}],"n":2,"limit":9')
      const body = '{"content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}'
      const { requests, upstream } = scripted({ body })
      const quirks = { drop: ["n"], rename: { limit: "max_tokens" } }
      const up = Anthropic.make({ name: "up", upstream, ...quirks })
      yield* Effect.scoped(up.complete(chat, "m"))
      assert.strictEqual(JSON.parse(text(requests[0]!.body!)).max_tokens, 9)
    })
  )

  it.effect("a chat model's tier has them too, and refuses what cannot be", () =>
    Effect.gen(function* () {
      const { requests, upstream } = scripted({ body: answer })
      const provider = OpenAiCompatible.make({ name: "up", baseUrl: "https://up.example/v1", upstream })
      const asking = (drop: string) =>
        ChatModel.make({ tiers: [{ name: "only", provider, model: "m", drop: [drop] }] })
      const chat = yield* asking("temperature")
      yield* chat.complete({ messages: [], temperature: 0.5 })
      assert.deepStrictEqual(Object.keys(JSON.parse(text(requests[0]!.body!))), ["model", "messages"])
      const { message } = yield* Effect.flip(asking("messages"))
      assert.include(message, "every request needs this parameter")
    })
  )

  it.effect("quirks and errors of one's own come on top", () =>
    Effect.gen(function* () {
      const { requests, upstream } = scripted({ status: 422 })
      const up = OpenAiCompatible.make({
        name: "up",
        baseUrl: "https://up.example/v1",
        dialect: "mistral",
        system: "ours",
        drop: ["logprobs"],
        rename: { seed: "random" },
        errors: [{ name: "ours", kind: "overloaded", status: [422] }],
        upstream
      })
      const { kind } = yield* Effect.flip(Effect.scoped(up.complete(request(all), "m")))
      assert.strictEqual(
        text(requests[0]!.body!),
        '{"model": "m","metadata":{},"random":9007199254740993,"max_tokens":9}'
      )
      assert.deepStrictEqual([kind, up.system], ["overloaded", "ours"])
    })
  )

  it("openrouter: a request for more tokens than are paid for says nothing of smaller ones", () => {
    const message =
      "This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 4123."
    const body = bytes(JSON.stringify({ error: { message, code: 402 } }))
    const { errors } = Quirks.presets.openrouter
    assert.strictEqual(
      ErrorTable.classify({ status: 402, headers: {}, body }, 0, errors).kind,
      "request_too_large"
    )
  })

  it("openrouter: whom a request will have asked there, or not, says nothing of the model", () => {
    const kind = (message: string, metadata?: object) => {
      const body = bytes(JSON.stringify({ error: { message, code: 404, metadata } }))
      return ErrorTable.classify({ status: 404, headers: {}, body }, 0, Quirks.presets.openrouter.errors).kind
    }
    const none = "No allowed providers are available for the selected model."
    assert.strictEqual(kind(none), "unsupported")
    assert.strictEqual(kind("None of them.", { requested_providers: ["a"] }), "unsupported")
    assert.strictEqual(kind("No endpoints found matching your data policy (Paid model)."), "unsupported")
    assert.strictEqual(kind("No endpoints found for x/gone."), "model_not_found")
  })

  it("their errors move no breaker: their words may be the caller's", () => {
    for (const { errors = [] } of Object.values(Quirks.presets)) {
      for (const { kind, status = [], text: pattern } of errors) {
        assert.strictEqual(ProviderError.outcome(ProviderError.make({ kind }))._tag, "Ignored")
        const body = bytes(JSON.stringify({ error: { message: "other" } }))
        const other = (rows: typeof errors) =>
          ErrorTable.classify({ status: status[0]!, headers: {}, body }, 0, rows).kind
        assert.strictEqual(other(errors), pattern === undefined ? kind : other([]))
      }
    }
  })
})
