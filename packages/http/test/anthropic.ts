import { assert, it } from "@effect/vitest"
import { Effect, Redacted, type Stream } from "effect"
import * as Anthropic from "../src/Anthropic.ts"
import type { Answer, Part } from "../src/Provider.ts"
import type { ProviderError } from "../src/ProviderError.ts"
import { bytes, partsOf, type Script, scripted, text } from "./scripted.ts"

/** A message of Anthropic's, with these fields in the place of the usual ones. */
export const message = (fields: object = {}): string =>
  JSON.stringify({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-1",
    content: [{ type: "text", text: "Hi" }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 3, output_tokens: 1 },
    ...fields
  })

export const anthropic = (script: Script = { body: message() }, options: Partial<Anthropic.Options> = {}) => {
  const up = scripted(script)
  return { ...up, provider: Anthropic.make({ name: "anthropic", ...options, upstream: up.upstream }) }
}

const chat = (body: string, stream = false) => ({ model: "chat", stream, body: bytes(body) })

/** The body of a request with this conversation, or with one that says Hi. */
export const requestText = (fields: object = {}): string =>
  JSON.stringify({ model: "chat", messages: [{ role: "user", content: "Hi" }], ...fields })

export const complete = (
  { provider }: ReturnType<typeof anthropic>,
  body = requestText()
): Effect.Effect<Answer, ProviderError> => Effect.scoped(provider.complete(chat(body), "claude"))

/** What is sent for this body. */
export const sent = (
  body: string,
  options: Partial<Anthropic.Options> = {}
): Effect.Effect<string, ProviderError> => {
  const up = anthropic({ body: message() }, options)
  return Effect.map(complete(up, body), () => text(up.requests[0]!.body!))
}

export interface Refused {
  readonly param: string
  readonly message: string
  readonly code: string
  readonly type: string
}

/** What the caller would be told of an error, which nobody else is. */
export const told = (error: ProviderError): Refused =>
  JSON.parse(text(Redacted.value(error.answer!).body)).error

/** Why this body is not sent. */
export const refused = (body: string): Effect.Effect<Refused, Answer> => {
  const up = anthropic()
  return Effect.map(Effect.flip(complete(up, body)), (error) => {
    if (error.kind !== "unsupported" || up.requests.length > 0)
      throw new Error(`${error.kind}, after a request`)
    return told(error)
  })
}

export const textPart = (text: string) => ({ type: "text", text })

/** Of a request with these fields, these are sent beside the usual ones. */
export const sends = (name: string, fields: object, expected: object) =>
  it.effect(name, () =>
    Effect.gen(function* () {
      const hi = {
        model: "claude",
        max_tokens: 16_384,
        messages: [{ role: "user", content: [textPart("Hi")] }]
      }
      assert.deepStrictEqual(JSON.parse(yield* sent(requestText(fields))), { ...hi, ...expected })
    })
  )

/** A request with these fields is not sent, for this one of them and with this remedy. */
export const refuses = (name: string, fields: object, param: string, remedy: string) =>
  it.effect(name, () =>
    Effect.gen(function* () {
      const told = yield* refused(requestText(fields))
      assert.deepStrictEqual(
        [told.param, told.code, told.type],
        [param, "unsupported_parameter", "invalid_request_error"]
      )
      assert.isTrue(told.message.startsWith(`\`${param}\` `), told.message)
      assert.isTrue(told.message.endsWith(`; ${remedy}.`), told.message)
    })
  )

/** A stream's events, each with its name. */
export const events = (list: ReadonlyArray<{ readonly type: string }>): string =>
  list.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("")

export const stream = (
  { provider }: ReturnType<typeof anthropic>,
  fields: object = {}
): Stream.Stream<Part, ProviderError> =>
  partsOf(provider.stream(chat(requestText({ stream: true, ...fields }), true), "claude"))
