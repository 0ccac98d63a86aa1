import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import { ChatCompletion } from "../src/index.ts"

const encode = (text: string) => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
const refused = (body: string | Uint8Array) =>
  Either.getOrThrow(Either.flip(ChatCompletion.readRequest(typeof body === "string" ? encode(body) : body)))

describe("ChatCompletion.readRequest", () => {
  it("reads model and stream, and hands the bytes on", () => {
    const body = encode('{"model":"chat","stream":true,"messages":[{"role":"user","content":"😀"}]}')
    const request = Either.getOrThrow(ChatCompletion.readRequest(body))
    assert.deepStrictEqual(request, { model: "chat", stream: true, body })
    assert.strictEqual(request.body, body)
  })

  it("streams only where stream is true", () => {
    for (const stream of ["false", "null"]) {
      const request = ChatCompletion.readRequest(encode(`{"model":"m","stream":${stream}}`))
      assert.isFalse(Either.getOrThrow(request).stream, stream)
    }
  })

  it("refuses a stream that servers may take for one, or not", () => {
    for (const stream of ['"true"', '"false"', "1", "0", "{}", "[]", '""']) {
      const { code, param } = refused(`{"model":"m","stream":${stream}}`)
      assert.deepStrictEqual([code, param], ["invalid_stream", "stream"], stream)
    }
  })

  it("refuses keys that servers take for its own whatever their case", () => {
    const keys = { Model: "model", MODEL: "model", Stream: "stream", ſtream: "stream", messageS: "messages" }
    for (const [key, meant] of Object.entries(keys)) {
      const { code, param } = refused(`{"model":"m","messages":[],"${key}":true}`)
      assert.deepStrictEqual([code, param], ["unknown_parameter", meant], key)
    }
    assert.isTrue(Either.isRight(ChatCompletion.readRequest(encode('{"model":"m","models":[],"User":"u"}'))))
  })

  it("tells how many choices are asked for where that is more than one", () => {
    const n = (json: string) =>
      Either.getOrThrow(ChatCompletion.readRequest(encode(`{"model":"m","n":${json}}`))).n
    assert.deepStrictEqual(["2", "1", "0", "null", '"2"', "[2]"].map(n), [2, ...Array(5).fill(undefined)])
  })

  it("the last of duplicate keys counts", () => {
    const request = ChatCompletion.readRequest(
      encode('{"model":"a","mod\\u0065l":"b","stream":true,"stream":false}')
    )
    assert.deepInclude(Either.getOrThrow(request), { model: "b", stream: false })
  })

  it("refuses what is not one JSON object in UTF-8", () => {
    const bodies = [
      "",
      " ",
      "nonsense",
      "[]",
      "[1]",
      '"chat"',
      "1",
      "null",
      '{"model":"chat"',
      '{"model":"chat"} {}',
      "{'model':'chat'}",
      '\uFEFF{"model":"chat"}',
      Uint8Array.from([...encode('{"model":"chat'), 0xff, ...encode('"}')]),
      Uint8Array.of(0xff, 0xfe, 0x7b, 0, 0x7d, 0)
    ]
    for (const body of bodies) {
      assert.deepInclude(refused(body), { code: "invalid_json", param: undefined }, String(body))
    }
  })

  it("refuses a model that is no name", () => {
    for (const model of [
      "",
      '"model":""',
      '"model":null',
      '"model":4',
      '"model":["a"]',
      '"Model":"a"',
      '"__proto__":{"model":"a"}'
    ]) {
      assert.deepInclude(refused(`{${model}}`), { code: "missing_model", param: "model" }, model)
    }
  })

  it("never says what the request held", () => {
    for (const body of [
      '{"model":["secret"]}',
      '{"secret":',
      '"secret"',
      "secret",
      '\uFEFF"secret"',
      '{"model":"m",secret}'
    ]) {
      assert.notInclude(`${refused(body).message} ${JSON.stringify(refused(body))}`, "secret")
    }
  })

  it("a body cut at any byte is invalid", () => {
    const body = encode('{ "model": "chat", "n": [1, {"é": "\\"😀"}], "stream": true }')
    for (let length = 0; length < body.length; length++) {
      assert.strictEqual(refused(body.subarray(0, length)).code, "invalid_json", `cut at ${length}`)
      ChatCompletion.withModel(body.subarray(0, length), "other")
    }
  })

  it("nesting does not exhaust the stack", () => {
    const depth = 200_000
    const body = encode(`{"deep":${"[".repeat(depth)}${"]".repeat(depth)},"model":"a"}`)
    assert.strictEqual(refused(body).code, "invalid_json")
    assert.strictEqual(decode(ChatCompletion.withModel(body, "b").slice(-13)), ',"model":"b"}')
  })
})

const space = FastCheck.stringMatching(/^[ \t\r\n]{0,3}$/)
const otherMember = FastCheck.constantFrom(
  '"seed":9007199254740993',
  '"temperature" : 1e400',
  '"top_p":1.0',
  '"n":-0',
  '"stop":["model\\"","\\\\",","," ]} "]',
  '"metadata":{"model":"inner","x":[{"model":"deep"}]}',
  '"\\"model\\"":"x"',
  '"models":["model"]',
  '"mode":"l"',
  '"Model":"x"',
  '"":"model"',
  '"é😀":"\\ud800"',
  '"__proto__":{"model":"p"}',
  '"tools":[[],{},[[[]]]]',
  '"stream":true',
  '"user":null'
)
const modelKey = FastCheck.constantFrom(
  '"model"',
  '"mod\\u0065l"',
  '"\\u006dodel"',
  '"\\u006D\\u006f\\u0064\\u0065\\u006C"'
)
const modelValue = FastCheck.constantFrom(
  '"chat"',
  '"a\\"b\\\\"',
  '""',
  "1",
  "-1.5e3",
  "null",
  '{"model":"x"}',
  '["a",["b"]]'
)
/** A member as a function of the value that stands in for the model's. */
const member = FastCheck.oneof(
  {
    weight: 3,
    arbitrary: FastCheck.tuple(otherMember, space).map(
      ([text, after]) =>
        () =>
          `${text}${after}`
    )
  },
  {
    weight: 1,
    arbitrary: FastCheck.tuple(modelKey, space, space, modelValue, space).map(
      ([key, before, between, value, after]) =>
        (model: string | undefined) =>
          `${key}${before}:${between}${model ?? value}${after}`
    )
  }
)
const request = FastCheck.tuple(
  space,
  space,
  FastCheck.array(FastCheck.tuple(space, member), { maxLength: 8 }),
  space
).map(
  ([before, inside, members, after]) =>
    (model?: string) =>
      `${before}{${members.map(([lead, text]) => `${lead}${text(model)}`).join(",") || inside}}${after}`
)

describe("ChatCompletion.withModel", () => {
  it.prop(
    "puts the name in the place of every top-level model, and touches no other byte",
    [request, FastCheck.fullUnicodeString()],
    ([text, name]) => {
      assert.strictEqual(decode(ChatCompletion.withModel(encode(text()), name)), text(JSON.stringify(name)))
    },
    { fastCheck: { numRuns: 1000 } }
  )

  it.prop(
    "any JSON object, however it is laid out: the same but for its model",
    [
      FastCheck.dictionary(
        FastCheck.oneof(FastCheck.constant("model"), FastCheck.string()),
        FastCheck.jsonValue()
      ),
      FastCheck.constantFrom("", " ", "\t", "\r\n"),
      FastCheck.fullUnicodeString()
    ],
    ([object, indent, name]) => {
      const before: object = JSON.parse(JSON.stringify(object, undefined, indent))
      const after: unknown = JSON.parse(
        decode(ChatCompletion.withModel(encode(JSON.stringify(object, undefined, indent)), name))
      )
      assert.deepStrictEqual(after, Object.hasOwn(object, "model") ? { ...before, model: name } : before)
    }
  )

  it("keeps what JSON.parse would lose", () => {
    const body = '{"seed":9007199254740993, "x":1e400,"x":1.0,"model":"a","y":{"model":"z"},"model" : "b"}\n'
    assert.strictEqual(
      decode(ChatCompletion.withModel(encode(body), 'g"4')),
      '{"seed":9007199254740993, "x":1e400,"x":1.0,"model":"g\\"4","y":{"model":"z"},"model" : "g\\"4"}\n'
    )
  })
})

const delta = (fields: object, choice: object = {}) =>
  JSON.stringify({ choices: [{ index: 0, delta: fields, finish_reason: null, ...choice }] })
const readDelta = (data: string): ChatCompletion.Delta => {
  const chunk = ChatCompletion.readChunk(data)
  if (chunk._tag !== "Delta") throw new Error(`got ${chunk._tag}`)
  return chunk
}

describe("ChatCompletion.readChunk", () => {
  it("content of any kind is meaningful", () => {
    const fields = [
      { content: "Hi" },
      { content: " " },
      { content: [{ type: "text", text: "Hi" }] },
      { reasoning: "hm" },
      { reasoning_content: "hm" },
      { reasoning_details: [{}] },
      { refusal: "no" },
      { tool_calls: [{ index: 0 }] },
      { function_call: { name: "f" } },
      { audio: { data: "" } },
      { content: "", images: [{ type: "image_url" }] }
    ]
    for (const field of fields) assert.isTrue(readDelta(delta(field)).meaningful, JSON.stringify(field))
    assert.isTrue(readDelta(delta({}, { finish_reason: "stop" })).meaningful)
  })

  it("a role, empty fields, no choices and usage are not", () => {
    const fields = [
      {},
      { role: "assistant" },
      { role: "assistant", content: "", refusal: null },
      { content: null },
      { content: [] },
      { tool_calls: [] },
      { function_call: null, audio: {} },
      { content: 1, reasoning: true }
    ]
    for (const field of fields) assert.isFalse(readDelta(delta(field)).meaningful, JSON.stringify(field))
    for (const data of [
      '{"usage":{}}',
      '{"choices":[]}',
      '{"choices":null,"usage":{}}',
      '{"choices":[null]}',
      '{"choices":[{"delta":null}]}',
      '{"choices":[{"finish_reason":""}]}'
    ]) {
      assert.isFalse(readDelta(data).meaningful, data)
    }
  })

  it("[DONE], malformed data and errors", () => {
    const tag = (data: string) => ChatCompletion.readChunk(data)._tag
    for (const data of ["[DONE]", " [DONE] "]) assert.strictEqual(tag(data), "Done")
    const notEvenChunks = ["{}", '{"type":"ping"}', '{"choices":{}}', '{"choices":null,"usage":null}']
    for (const data of ["", "{", "1", "null", '"a"', "[]", "[1]", "[DONE", "[DONE]{}", ...notEvenChunks]) {
      assert.strictEqual(tag(data), "Malformed", data)
    }
    for (const data of [
      '{"error":{"message":"x"}}',
      '{"error":"x"}',
      '{"type":"error","error":{}}',
      '[{"error":{}}]',
      '{"object":"error"}'
    ]) {
      assert.deepStrictEqual(ChatCompletion.readChunk(data), { _tag: "Error", body: data })
    }
    assert.strictEqual(tag('{"error":null,"choices":[]}'), "Delta")
  })

  it("counts choices and names the finished ones", () => {
    const chunk = readDelta(
      '{"choices":[{"index":2,"finish_reason":"length"},{"index":0,"finish_reason":null},{"finish_reason":"stop"}]}'
    )
    assert.deepInclude(chunk, {
      choices: 3,
      finished: [2, 2],
      finishReasons: ["length", "stop"],
      failed: false
    })
    assert.strictEqual(readDelta('{"choices":[]}').choices, 0)
  })

  it("names the choices that it adds to", () => {
    const chunk = readDelta(
      '{"choices":[{"index":2,"delta":{"content":"a"}},{"index":0,"delta":{}},{"index":1,"finish_reason":"stop"}]}'
    )
    assert.deepStrictEqual(chunk.added, [2])
  })

  it("does not believe an index that nobody could count to", () => {
    for (const index of [-1, 1.5, 1e9, "7", null]) {
      assert.strictEqual(readDelta(JSON.stringify({ choices: [{ index }] })).choices, 1)
    }
  })

  it("a choice that the upstream gave up has failed and is not finished", () => {
    for (const choice of [
      { finish_reason: "error" },
      { finish_reason: "abort" },
      { finish_reason: "function_call_filter: MALFORMED_FUNCTION_CALL" },
      { error: { code: 502 } },
      { error: {}, finish_reason: "stop" }
    ]) {
      assert.deepInclude(readDelta(delta({}, choice)), { failed: true, finished: [], meaningful: false })
    }
  })

  it("takes usage where it is a count", () => {
    const usage = (text: string) => readDelta(`{"choices":[],"usage":${text}}`).usage
    assert.deepStrictEqual(usage('{"prompt_tokens":3,"completion_tokens":0}'), { input: 3, output: 0 })
    const details =
      '"prompt_tokens_details":{"cached_tokens":2,"cache_write_tokens":1},"completion_tokens_details":{"reasoning_tokens":4}'
    assert.deepStrictEqual(usage(`{"prompt_tokens":3,"completion_tokens":5,${details}}`), {
      input: 3,
      output: 5,
      cacheRead: 2,
      cacheWrite: 1,
      reasoning: 4
    })
    assert.deepStrictEqual(usage('{"prompt_tokens":3,"completion_tokens":-1}'), {
      input: 3,
      output: undefined
    })
    for (const text of [
      "null",
      "{}",
      '"3"',
      '{"prompt_tokens":"3"}',
      '{"prompt_tokens":1.5,"completion_tokens":null}'
    ]) {
      assert.isUndefined(usage(text), text)
    }
  })
})

describe("ChatCompletion.readAnswer", () => {
  const answer = (text: string) => ChatCompletion.readAnswer(encode(text))

  it("reads model, finish reasons and usage", () => {
    const text =
      '{"id":"a1","model":"m","choices":[{"message":{},"finish_reason":"stop"},{"message":{}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
    const expected = {
      _tag: "Answer",
      id: "a1",
      model: "m",
      finishReasons: ["stop"],
      usage: { input: 1, output: 2 }
    } as const
    assert.deepStrictEqual(answer(text), expected)
    assert.deepStrictEqual(answer(`\uFEFF${text}`), expected)
  })

  it("an answer without a message is malformed, wherever it was cut", () => {
    const text = '{"id":"x","choices":[{"message":{"content":"é"}}]}'
    for (let length = 0; length < encode(text).length; length++) {
      assert.deepStrictEqual(ChatCompletion.readAnswer(encode(text).subarray(0, length)), {
        _tag: "Malformed"
      })
    }
    for (const broken of [
      "<html>",
      "null",
      "[]",
      "{}",
      '{"choices":{}}',
      '{"choices":[]}',
      '{"choices":[null]}',
      '{"choices":[{"text":"a"}]}'
    ]) {
      assert.strictEqual(answer(broken)._tag, "Malformed", broken)
    }
  })

  it("an error beside or inside the choices is an error", () => {
    for (const text of [
      '{"error":{}}',
      '[{"error":{}}]',
      '{"object":"error"}',
      '{"choices":[{"message":{},"finish_reason":"error"}]}',
      '{"choices":[{"error":{"code":502}}]}'
    ]) {
      assert.deepStrictEqual(answer(text), { _tag: "Error", body: text })
    }
  })
})
