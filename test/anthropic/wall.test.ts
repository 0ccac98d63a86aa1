import Anthropic from "@anthropic-ai/sdk"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  errorEvent,
  eventsOf,
  fails,
  message,
  piece,
  says,
  text,
  thinking,
  through,
  toolUse
} from "../support/anthropic.ts"
import { gateway } from "../support/gateway.ts"
import { stream, wall } from "../support/wall.ts"

const asked = { model: "claude", max_tokens: 99, messages: [{ role: "user" as const, content: "Hi" }] }

const setUp = Effect.gen(function* () {
  const upstream = yield* wall
  const client = new Anthropic({
    baseURL: upstream.url.replace(/\/v1$/, ""),
    apiKey: "sk-ant",
    authToken: null,
    maxRetries: 0
  })
  return { client, upstream }
})

const messages = [
  message([text("Grüße 👋")]),
  message([]),
  message(
    [thinking, text("a"), toolUse("toolu_1", "add", { a: [1, { b: "ü" }] }), toolUse("toolu_2", "now", {})],
    {
      stop_reason: "tool_use"
    }
  ),
  message([text("No")], { stop_reason: "refusal" })
]

// What is scripted here for Anthropic is what Anthropic's own client takes for it.
describe("the wall as Anthropic: its own client", () => {
  it.scopedLive("reads every message, whole and put together from its events", () =>
    Effect.gen(function* () {
      const { client, upstream } = yield* setUp
      for (const said of messages) {
        upstream.script(says(said))
        const whole = yield* Effect.promise(() => client.messages.create(asked))
        assert.deepStrictEqual({ ...whole }, { ...said })
        const streamed = yield* Effect.promise(() => client.messages.stream(asked).finalMessage())
        const { parsed_output, ...rest } = JSON.parse(JSON.stringify(streamed))
        assert.deepStrictEqual([rest, parsed_output], [said, null])
      }
    })
  )

  it.scopedLive("raises every error for what it is, before and within a stream", () =>
    Effect.gen(function* () {
      const { client, upstream } = yield* setUp
      const raised = (call: () => PromiseLike<unknown>) =>
        Effect.promise(() =>
          Promise.resolve(call()).then(
            () => undefined,
            (error: unknown) => error
          )
        )
      for (const [status, type, kind] of [
        [400, "invalid_request_error", Anthropic.BadRequestError],
        [401, "authentication_error", Anthropic.AuthenticationError],
        [404, "not_found_error", Anthropic.NotFoundError],
        [429, "rate_limit_error", Anthropic.RateLimitError],
        [529, "overloaded_error", Anthropic.InternalServerError]
      ] as const) {
        upstream.script(fails(status, type))
        const error = yield* raised(() => client.messages.create(asked))
        assert.instanceOf(error, kind)
        assert(error instanceof Anthropic.APIError)
        assert.deepStrictEqual([error.status, error.type], [status, type])
      }
      const [start] = eventsOf(messages[0]!)
      upstream.script(stream([piece(start!), errorEvent("overloaded_error")], "eof"))
      const error = yield* raised(() => client.messages.stream(asked).finalMessage())
      assert(error instanceof Anthropic.APIError)
      assert.strictEqual(error.type, "overloaded_error")
    })
  )

  it.scopedLive("and the gateway ask for the same thing at the same place", () =>
    Effect.gen(function* () {
      const { client, upstream } = yield* setUp
      upstream.script(says(messages[0]!))
      const { url } = yield* gateway(through([["anthropic", upstream.url]]))
      yield* Effect.promise(() => client.messages.create(asked))
      yield* Effect.promise(() =>
        fetch(`${url}/v1/chat/completions`, {
          method: "POST",
          body: JSON.stringify({ ...asked, model: "chat" })
        })
      )
      const [theirs, ours] = upstream.received
      assert.deepStrictEqual([ours?.method, ours?.path], [theirs?.method, theirs?.path])
      assert.deepStrictEqual(JSON.parse(ours!.body.toString()), {
        ...JSON.parse(theirs!.body.toString()),
        messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }]
      })
    })
  )
})
