import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask } from "../support/caller.ts"
import { chat, gateway } from "../support/gateway.ts"
import { bytes } from "../support/socket.ts"
import { answer, fails, sends, wall } from "../support/wall.ts"

/** `model` stands where the caller's route goes out and the tier's model goes in. */
const requests: Readonly<Record<string, string>> = {
  "numbers that JavaScript cannot hold":
    '{"model":"<model>","seed":9007199254740993,"top_p":1.0,"x":1e400,"y":-0,"z":1E+2}',
  "a key that is there twice": '{"model":"<model>","stop":"a","stop":"b","messages":[],"messages":[{}]}',
  "the model's key twice": '{"model":"<model>","messages":[],"model":"<model>"}',
  "odd white space": '\r\n\t {\n\t"model"\r : \t"<model>"  ,\n\n "messages" :[ ]\t}\n\n ',
  "fields that nobody knows":
    '{"zz":{"model":"chat","deep":[{"model":"chat"}]},"model":"<model>","provider":{"order":[]}}',
  "escapes and other alphabets":
    '{"\\u006dessages":[{"content":"\\ud83d\\ude00 \\/ \\u00e9 é 😀 \\u2028"}],"model":"<model>"}',
  "an escaped key": '{"\\u006d\\u006fdel":"<model>","messages":[]}',
  "a lone surrogate": '{"model":"<model>","messages":[{"content":"\\ud800"}]}',
  "a NUL": '{"model":"<model>","messages":[{"content":"\\u0000"}]}',
  "prototypes as data": '{"__proto__":{"model":"chat"},"constructor":{"prototype":{}},"model":"<model>"}',
  "names of the model in text":
    '{"messages":[{"content":"\\"model\\":\\"chat\\""}],"model":"<model>","model2":"chat"}',
  "deep nesting": `{"a":${"[".repeat(511)}${"]".repeat(511)},"model":"<model>"}`
}

const answers: Readonly<Record<string, string>> = {
  "numbers that JavaScript cannot hold":
    '{"id":9007199254740993,"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"logprobs":1.0}],"x":1e400}',
  "odd white space and double keys":
    ' {\r\n"choices" : [ {"message":{"content":"a"},"message":{"content":"b"}} ] ,\t"unknown":{"a":1,"a":2}}\n\n',
  "another model's name than was asked for":
    '{"model":"gpt-4.1-2030-01-01","choices":[{"message":{"content":"\\u00e9 é 😀"},"finish_reason":"eos"}]}',
  "bytes that are no UTF-8": '{"choices":[{"message":{"content":"\u00ff\u00fe"}}]}'
}

describe("the bytes of a request", () => {
  for (const [name, template] of Object.entries(requests)) {
    it.scopedLive(`${name}: every tier gets them as they came but for the model`, () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(fails(503))
        second.script(sends(200, "application/json", '{"choices":[{"message":{"content":""}}]}'))
        const { url } = yield* gateway(
          chat([first.url, second.url], { tier: "retry: { times: 1, base: 1ms }" })
        )
        const { status } = yield* ask(url, { body: template.replaceAll("<model>", "chat") })
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(
          [...first.received, ...second.received].map(({ body }) => body.toString()),
          ["model1", "model1", "model2"].map((model) => template.replaceAll("<model>", model))
        )
        for (const { body, headers } of first.received) {
          assert.strictEqual(headers["content-length"], String(body.length))
        }
      })
    )
  }

  it.scopedLive("a model's name with quotes in it goes in as JSON", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url]).replace("model: model1", "model: 'a\"b\\c'"))
      yield* ask(url, { body: '{"model": "chat"}' })
      assert.strictEqual(only.received[0]?.body.toString(), '{"model": "a\\"b\\\\c"}')
    })
  )
})

describe("the bytes of an answer", () => {
  for (const [name, text] of Object.entries(answers)) {
    it.scopedLive(`${name}: the caller gets them as they came`, () =>
      Effect.gen(function* () {
        const only = yield* wall
        const sent = Buffer.from(text, name === "bytes that are no UTF-8" ? "latin1" : "utf8")
        only.script(sends(200, "application/json", sent))
        const { url } = yield* gateway(chat([only.url]))
        const { body, headers } = yield* ask(url)
        assert.isTrue(body.equals(sent))
        assert.strictEqual(headers["content-length"], String(sent.length))
      })
    )
  }

  it.scopedLive("events with fields and numbers of their own, in a stream", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const sent = [
        ": OPENROUTER PROCESSING\n\n",
        'data:{"choices":[],"prompt_filter_results":[{"x":9007199254740993}]}\n\n',
        'id: 7\nevent: chunk\nretry: 10\ndata: {"choices":[{"index":0,\ndata:  "delta":{"content":"\\u00e9 é 😀"}}]}\n\n',
        '\n\ndata: {"choices":[{"delta":{"reasoning_content":"x","extra":1.0},"finish_reason":"stop"}],"a":1,"a":2}\n\n',
        'data: {"choices":[],"usage":{"prompt_tokens":1e400}}\n\n'
      ].join("")
      only.script(sends(200, "text/event-stream; charset=utf-8", sent))
      const { url } = yield* gateway(chat([only.url]))
      const { text } = yield* ask(url, { body: { model: "chat", stream: true } })
      assert.strictEqual(text, `${sent}data: [DONE]\n\n`)
    })
  )
})

describe("the headers", () => {
  const callers = {
    authorization: "Bearer sk-caller",
    "api-key": "sk-caller",
    "x-api-key": "sk-caller",
    cookie: "session=sk-caller",
    "x-stainless-lang": "js",
    "x-stainless-retry-count": "1",
    "x-forwarded-for": "10.0.0.1",
    "x-forwarded-host": "evil.example",
    forwarded: "for=10.0.0.1",
    "x-real-ip": "10.0.0.1",
    via: "1.1 proxy",
    "openai-organization": "org-caller",
    "openai-project": "proj-caller",
    "user-agent": "OpenAI/JS 7.57.0",
    "accept-encoding": "gzip",
    "accept-language": "de",
    referer: "https://intranet.example/",
    baggage: "user=7",
    "x-request-id": "mine",
    "idempotency-key": "mine",
    "proxy-authorization": "Basic sk-caller",
    te: "trailers",
    "x-understudy-timeout": "5s",
    "x-understudy-tier": "tier2"
  }

  it.scopedLive("of a caller stay here; a tier gets its provider's key and headers alone", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(500))
      const { url } = yield* gateway(
        chat([first.url, second.url], { tier: "retry: { times: 0 }" }).replace(
          "apiKey: sk-upstream-2",
          "apiKey: sk-upstream-2, headers: { x-team: blue, openai-organization: org-ours }"
        )
      )
      for (const stream of [false, true]) {
        const { status } = yield* ask(url, { headers: callers, body: { model: "chat", stream } })
        assert.strictEqual(status, 200)
        const accept = stream ? "text/event-stream" : "application/json"
        const common = {
          accept,
          "accept-encoding": "identity",
          connection: "keep-alive",
          "content-type": "application/json"
        }
        const seen = [first, second].map(({ received }) => {
          const { "content-length": _, ...headers } = received.at(-1)!.headers
          return headers
        })
        assert.deepStrictEqual<unknown>(seen, [
          { ...common, host: new URL(first.url).host, authorization: "Bearer sk-upstream-1" },
          {
            ...common,
            host: new URL(second.url).host,
            authorization: "Bearer sk-upstream-2",
            "x-team": "blue",
            "openai-organization": "org-ours"
          }
        ])
      }
    })
  )

  it.scopedLive("that a caller calls hop-by-hop, to smuggle them, change nothing", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url]))
      yield* ask(url, { headers: { connection: "close, authorization, content-type" } })
      const { authorization, connection } = only.received[0]!.headers
      assert.deepStrictEqual([authorization, connection], ["Bearer sk-upstream-1", "keep-alive"])
    })
  )

  it.scopedLive("of a tier without a key have no authorization", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { url } = yield* gateway(chat([only.url]).replace(", apiKey: sk-upstream-1", ""))
      yield* ask(url, { headers: callers })
      assert.isUndefined(only.received[0]?.headers.authorization)
    })
  )

  it.scopedLive("of an upstream stay there", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const body = '{"choices":[{"message":{"content":""}}]}'
      only.script(
        (response, received) => {
          response.setHeader("set-cookie", "a=b")
          response.setHeader("openai-organization", "org-ours")
          response.setHeader("x-request-id", "theirs")
          response.setHeader("x-should-retry", "true")
          response.setHeader("server", "uvicorn")
          sends(200, "application/json", body)(response, received)
        },
        bytes(`HTTP/1.1 200 OK\r\ncontent-length: 40\r\nset-cookie: a=b\r\n\r\n${body}`)
      )
      const { url } = yield* gateway(chat([only.url]))
      for (const round of [1, 2]) {
        const { headers } = yield* ask(url)
        assert.deepStrictEqual(
          Object.keys(headers).sort(),
          [
            "connection",
            "content-length",
            "content-type",
            "date",
            "x-request-id",
            "x-understudy-attempts",
            "x-understudy-model",
            "x-understudy-tier"
          ],
          `round ${round}`
        )
        assert.notStrictEqual(headers["x-request-id"], "theirs")
      }
    })
  )

  it.scopedLive("never reach the log, and neither do prompts and answers", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(answer(["the answer"]), fails(401, "invalid_api_key"))
      const { log, url } = yield* gateway(chat([only.url]))
      for (let round = 0; round < 3; round++) {
        yield* ask(url, { headers: callers, body: { model: "chat", messages: [{ content: "the prompt" }] } })
      }
      assert.isAbove(log.length, 3)
      assert.notMatch(JSON.stringify(log), /sk-|the prompt|the answer|10\.0\.0\.1/)
    })
  )
})
