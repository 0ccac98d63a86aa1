import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted, Stream, TestClock } from "effect"
import * as ProviderError from "../src/ProviderError.ts"
import { TransportError } from "../src/Upstream.ts"
import { anthropic, complete, events, message, requestText, stream, told } from "./anthropic.ts"
import { bytes, text } from "./scripted.ts"

describe("Anthropic: the request", () => {
  for (const baseUrl of [
    "https://a.example",
    "https://a.example/",
    "https://a.example/v1",
    "https://a.example/v1//"
  ]) {
    it.effect(`goes to v1/messages below ${baseUrl}`, () =>
      Effect.gen(function* () {
        const up = anthropic(undefined, { baseUrl, apiKey: Redacted.make("sk-1") })
        yield* complete(up)
        const [{ body, ...rest } = {}] = up.requests
        assert.deepStrictEqual(rest, {
          method: "POST",
          url: "https://a.example/v1/messages",
          headers: {
            accept: "application/json",
            "anthropic-version": "2023-06-01",
            "content-type": "application/json",
            "x-api-key": "sk-1"
          }
        })
        assert.strictEqual(JSON.parse(text(body!)).model, "claude")
      })
    )
  }

  it.effect(
    "has the provider's own headers over ours, however they are written; without a key it names none",
    () =>
      Effect.gen(function* () {
        const headers = {
          "Anthropic-Version": "2026-10-21",
          "anthropic-beta": "b",
          Authorization: "Bearer t"
        }
        const up = anthropic({ headers: { "content-type": "text/event-stream" }, body: "" }, { headers })
        yield* Effect.exit(Stream.runDrain(stream(up)))
        assert.deepStrictEqual(up.requests[0]?.headers, {
          accept: "text/event-stream",
          "anthropic-beta": "b",
          "anthropic-version": "2026-10-21",
          authorization: "Bearer t",
          "content-type": "application/json"
        })
      })
  )

  it("says where the provider is, and of what kind", () => {
    assert.deepStrictEqual(anthropic().provider.server, { address: "api.anthropic.com", port: 443 })
    const local = anthropic(undefined, { baseUrl: "http://127.0.0.1:8080/v1" }).provider
    assert.deepStrictEqual(local.server, { address: "127.0.0.1", port: 8080 })
    assert.deepStrictEqual([local.name, local.system], ["anthropic", "anthropic"])
  })

  it.effect("is the caller's without what the provider drops, and with what it renames", () =>
    Effect.gen(function* () {
      const up = anthropic(undefined, { drop: ["seed"], rename: { limit: "max_tokens" } })
      yield* complete(up, requestText({ seed: 7, limit: 5 }))
      const { max_tokens, seed } = JSON.parse(text(up.requests[0]!.body!))
      assert.deepStrictEqual([max_tokens, seed], [5, undefined])
    })
  )

  it.effect("that cannot be put in Anthropic's words asks the next tier, and is nobody's failure", () =>
    Effect.gen(function* () {
      const up = anthropic()
      const error = yield* Effect.flip(complete(up, requestText({ n: 2, user: "secret" })))
      assert.deepStrictEqual([error.kind, error.status, up.log], ["unsupported", undefined, []])
      const outcome = ProviderError.outcome(error)
      assert.deepStrictEqual(
        [outcome._tag, outcome._tag === "Success" || outcome.next],
        ["Ignored", "nextTier"]
      )
      const { contentType, status } = Redacted.value(error.answer!)
      assert.deepStrictEqual([status, contentType], [400, "application/json"])
      assert.notInclude(`${error.message}${JSON.stringify(error)}`, "secret")
    })
  )
})

/** The completion that this message is, and the usage beside it. */
const completion = (fields: object) =>
  Effect.map(complete(anthropic({ body: message(fields) })), ({ body, usage }) => ({
    completion: JSON.parse(text(body)),
    usage
  }))

const choice = (fields: object) => Effect.map(completion(fields), ({ completion }) => completion.choices[0])

describe("Anthropic: a whole answer", () => {
  it.effect("is a completion with its id, its model and the time", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_700_000_000_999)
      assert.deepStrictEqual(yield* completion({}), {
        completion: {
          id: "msg_1",
          object: "chat.completion",
          created: 1_700_000_000,
          model: "claude-1",
          choices: [
            {
              index: 0,
              message: { role: "assistant", content: "Hi", refusal: null },
              logprobs: null,
              finish_reason: "stop"
            }
          ],
          usage: {
            prompt_tokens: 3,
            completion_tokens: 1,
            total_tokens: 4,
            prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 }
          }
        },
        usage: { input: 3, output: 1 }
      })
    })
  )

  it.effect("has no id and no model where they are no text", () =>
    Effect.gen(function* () {
      for (const none of [undefined, null, 7, {}, ["claude-1"]]) {
        const { id, model } = (yield* completion({ id: none, model: none })).completion
        assert.deepStrictEqual([id, model], ["", ""])
      }
    })
  )

  it.effect("its texts are one, thinking and what nobody asked for are passed over", () =>
    Effect.gen(function* () {
      const content = [
        { type: "thinking", thinking: "t", signature: "s" },
        { type: "text", text: "a" },
        { type: "redacted_thinking", data: "d" },
        { type: "text", text: "", citations: [] },
        { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} },
        { type: "text", text: "b" }
      ]
      assert.deepStrictEqual((yield* choice({ content })).message, {
        role: "assistant",
        content: "ab",
        refusal: null
      })
      assert.strictEqual((yield* choice({ content: [] })).message.content, "")
    })
  )

  it.effect("its calls keep their ids, and their arguments are as they are written", () =>
    Effect.gen(function* () {
      const input = '{ "n": 9007199254740993, "n": 1.0, "s": "\\u00e9\\ud800" }'
      const body = message({ content: [], stop_reason: "tool_use" }).replace(
        "[]",
        `[{"type":"tool_use","id":"toolu_1","name":"f","input":${input}},{"type":"tool_use","id":"toolu_2","name":"g"}]`
      )
      const { message: said, finish_reason } = JSON.parse(text((yield* complete(anthropic({ body }))).body))
        .choices[0]
      assert.deepStrictEqual(said, {
        role: "assistant",
        content: null,
        refusal: null,
        tool_calls: [
          { id: "toolu_1", type: "function", function: { name: "f", arguments: input } },
          { id: "toolu_2", type: "function", function: { name: "g", arguments: "{}" } }
        ]
      })
      assert.strictEqual(finish_reason, "tool_calls")
    })
  )

  for (const [stop_reason, reason] of [
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "length"],
    ["pause_turn", "length"],
    ["tool_use", "tool_calls"],
    ["refusal", "content_filter"],
    ["of_tomorrow", "stop"],
    ["toString", "stop"],
    [null, "stop"]
  ]) {
    it.effect(`that stops for ${stop_reason} finishes for ${reason}`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* choice({ stop_reason })).finish_reason, reason)
      })
    )
  }

  it.effect("counts the cache among the tokens of the prompt, and thinking by itself", () =>
    Effect.gen(function* () {
      const { completion: counted, usage } = yield* completion({
        usage: {
          input_tokens: 3,
          cache_read_input_tokens: 40,
          cache_creation_input_tokens: 500,
          output_tokens: 7,
          output_tokens_details: { thinking_tokens: 5 }
        }
      })
      assert.deepStrictEqual(counted.usage, {
        prompt_tokens: 543,
        completion_tokens: 7,
        total_tokens: 550,
        prompt_tokens_details: { cached_tokens: 40, cache_write_tokens: 500 },
        completion_tokens_details: { reasoning_tokens: 5 }
      })
      assert.deepStrictEqual(usage, { input: 543, output: 7, cacheRead: 40, cacheWrite: 500, reasoning: 5 })
      for (const none of [undefined, null, 7, {}, { input_tokens: "3", output_tokens: -1 }]) {
        const nothing = yield* completion({ usage: none })
        assert.deepStrictEqual([nothing.usage, nothing.completion.usage], [undefined, undefined])
      }
    })
  )

  it.effect("that is none is a failure of the provider's", () =>
    Effect.gen(function* () {
      const bodies = [
        "",
        "<html>",
        "[]",
        "{}",
        message().slice(0, -1),
        message({ content: null }),
        message({ content: "Hi" }),
        message({ content: [{ type: "tool_use", name: "f", input: {} }] }),
        message({ content: [{ type: "tool_use", id: "a", input: {} }] })
      ]
      for (const body of bodies) {
        const error = yield* Effect.flip(complete(anthropic({ body })))
        assert.deepStrictEqual(
          [error.kind, error.status, error.answer],
          ["invalid_answer", 200, undefined],
          body
        )
      }
      assert.strictEqual(
        text((yield* complete(anthropic({ body: `\uFEFF${message()}` }))).body).charAt(0),
        "{"
      )
    })
  )
})

const failure = (type: string, message = "m", details?: object) =>
  JSON.stringify({
    type: "error",
    error: { type, message, ...(details && { details }) },
    request_id: "req_1"
  })

describe("Anthropic: an error", () => {
  for (const [status, type, kind] of [
    [400, "invalid_request_error", "invalid_request"],
    [401, "authentication_error", "auth"],
    [402, "billing_error", "quota_exhausted"],
    [403, "permission_error", "auth"],
    [404, "not_found_error", "model_not_found"],
    [409, "conflict_error", "conflict"],
    [413, "request_too_large", "request_too_large"],
    [429, "rate_limit_error", "rate_limited"],
    [500, "api_error", "server_error"],
    [504, "timeout_error", "upstream_timeout"],
    [529, "overloaded_error", "overloaded"]
  ] as const) {
    it.effect(`${status} is ${kind}, in OpenAI's envelope and with its status`, () =>
      Effect.gen(function* () {
        const headers = { "retry-after": "7", "content-type": "application/json", "x-should-retry": "false" }
        const error = yield* Effect.flip(
          complete(anthropic({ status, headers, body: failure(type, "too bad") }))
        )
        assert.deepStrictEqual([error.kind, error.status, error.retry], [kind, status, false])
        assert.deepStrictEqual(error.retryAfter, Duration.seconds(7))
        assert.strictEqual(Redacted.value(error.answer!).status, status)
        const { message, type: said } = told(error)
        assert.deepStrictEqual([message, said], ["too bad", type])
        assert.notInclude(JSON.stringify(error), "too bad")
      })
    )
  }

  for (const [message, kind, code] of [
    ["prompt is too long: 210000 tokens > 200000 maximum", "context_length", "context_length_exceeded"],
    ["Your credit balance is too low to access the API.", "quota_exhausted", null],
    ["`temperature` is deprecated for this model.", "unsupported", "unsupported_parameter"],
    ["temperature: Extra inputs are not permitted", "unsupported", "unsupported_parameter"],
    [
      "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
      "unsupported",
      "unsupported_parameter"
    ],
    ["role 'system' is not supported on this model", "unsupported", "unsupported_parameter"],
    ["This model does not support effort level 'xhigh'.", "unsupported", "unsupported_parameter"],
    [
      "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level",
      "unsupported",
      "unsupported_parameter"
    ],
    [
      "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
      "unsupported",
      "unsupported_parameter"
    ],
    [
      "This model does not support assistant message prefill. The conversation must end with a user message.",
      "unsupported",
      "unsupported_parameter"
    ],
    [
      "messages: final assistant content cannot end with trailing whitespace",
      "unsupported",
      "unsupported_parameter"
    ],
    [
      "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
      "unsupported",
      "unsupported_parameter"
    ],
    [
      "max_tokens: 99999 > 64000, which is the maximum allowed number of output tokens for claude-1",
      "unsupported",
      "unsupported_parameter"
    ],
    ["messages.0: all of it is wrong", "invalid_request", null]
  ] as const) {
    it.effect(`400 "${message}" is ${kind}`, () =>
      Effect.gen(function* () {
        const body = failure("invalid_request_error", message)
        const error = yield* Effect.flip(complete(anthropic({ status: 400, body })))
        assert.strictEqual(error.kind, kind)
        assert.deepStrictEqual(told(error), {
          message,
          type: "invalid_request_error",
          param: null,
          code
        } as object)
      })
    )
  }

  it.effect("is judged by rows of one's own first", () =>
    Effect.gen(function* () {
      const errors = [{ name: "ours", kind: "overloaded", status: [400], text: /this model/ }] as const
      const body = failure("invalid_request_error", "role 'system' is not supported on this model")
      const error = yield* Effect.flip(complete(anthropic({ status: 400, body }, { errors })))
      assert.strictEqual(error.kind, "overloaded")
    })
  )

  it.effect("names its code, where Anthropic does", () =>
    Effect.gen(function* () {
      const body = failure("invalid_request_error", "m", { error_code: "image_dimensions_too_large" })
      assert.strictEqual(
        told(yield* Effect.flip(complete(anthropic({ status: 400, body })))).code,
        "image_dimensions_too_large"
      )
    })
  )

  it.effect("that is HTML, empty or another's is in OpenAI's envelope all the same", () =>
    Effect.gen(function* () {
      for (const body of ["<html>413</html>", "", "[]", '{"error":"no"}', '{"error":{"message":7}}']) {
        const error = yield* Effect.flip(complete(anthropic({ status: 413, body })))
        assert.strictEqual(error.kind, "request_too_large")
        assert.deepStrictEqual(told(error), {
          message: "The provider did not say what is wrong.",
          type: "api_error",
          param: null,
          code: "request_too_large"
        } as object)
      }
    })
  )

  it.effect("under status 200 is what it says", () =>
    Effect.gen(function* () {
      for (const [type, kind] of [
        ["overloaded_error", "overloaded"],
        ["api_error", "server_error"],
        ["rate_limit_error", "rate_limited"],
        ["invalid_request_error", "invalid_request"],
        ["error_of_tomorrow", "stream_error"]
      ] as const) {
        const error = yield* Effect.flip(complete(anthropic({ body: failure(type) })))
        assert.deepStrictEqual([error.kind, Redacted.value(error.answer!).status], [kind, 400])
      }
    })
  )

  it.effect("of the connection has a kind of its own", () =>
    Effect.gen(function* () {
      const broken = Stream.fail(new TransportError({ reason: "tls", code: "X" }))
      const error = yield* Effect.flip(
        complete(anthropic({ body: Stream.concat(Stream.make(bytes("{")), broken) }))
      )
      assert.strictEqual(error.kind, "tls")
      const body = Stream.concat(Stream.make(bytes(events([{ type: "ping" }]))), broken)
      const cut = anthropic({ headers: { "content-type": "text/event-stream" }, body })
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(stream(cut)))).kind, "tls")
    })
  )
})
