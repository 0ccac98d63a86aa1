import { assert, describe, it } from "@effect/vitest"
import { Cause, Chunk, Duration, Effect, Exit, Fiber, Option, Redacted, Stream, TestClock } from "effect"
import * as OpenAiCompatible from "../src/OpenAiCompatible.ts"
import type { ProviderError } from "../src/ProviderError.ts"
import * as Upstream from "../src/Upstream.ts"
import {
  answer,
  bytes,
  delta,
  event,
  partsOf,
  request,
  type Script,
  scripted as scriptedUpstream,
  sse,
  stop,
  text
} from "./scripted.ts"

/** A provider over an upstream that answers this, with what that upstream saw. */
const scripted = (
  script: Script | Upstream.TransportError,
  options: Partial<OpenAiCompatible.Options> = {}
) => {
  const { log, requests, upstream } = scriptedUpstream(script)
  const provider = OpenAiCompatible.make({
    name: "up",
    baseUrl: "https://up.example/v1",
    ...options,
    upstream
  })
  return { provider, log, requests }
}

const complete = ({ provider }: ReturnType<typeof scripted>) =>
  Effect.scoped(provider.complete(request(), "gpt"))

const failure = <A>(effect: Effect.Effect<A, ProviderError>) =>
  Effect.map(Effect.flip(effect), ({ kind, status }) => [kind, status])

/** The stream's parts as text, and how it ended. */
const streamed = (script: Script) => {
  const up = scripted({ headers: sse, ...script })
  const parts: Array<readonly [string, boolean]> = []
  const run = partsOf(up.provider.stream(request(',"stream":true'), "gpt")).pipe(
    Stream.runForEach((part) => Effect.sync(() => parts.push([text(part.bytes), part.content])))
  )
  return Effect.map(Effect.exit(run), (exit) => ({
    parts,
    log: up.log,
    kind: Exit.isSuccess(exit) ? undefined : Option.getOrThrow(Cause.failureOption(exit.cause)).kind
  }))
}

describe("OpenAiCompatible: the request", () => {
  for (const baseUrl of ["https://up.example/v1", "https://up.example/v1/", "https://up.example/v1//"]) {
    it.effect(`goes to chat/completions below ${baseUrl}`, () =>
      Effect.gen(function* () {
        const up = scripted({ body: answer }, { baseUrl, apiKey: Redacted.make("sk-1") })
        yield* complete(up)
        assert.deepStrictEqual(
          up.requests.map(({ body, ...rest }) => ({ ...rest, body: text(body!) })),
          [
            {
              method: "POST",
              url: "https://up.example/v1/chat/completions",
              headers: {
                accept: "application/json",
                authorization: "Bearer sk-1",
                "content-type": "application/json"
              },
              body: '{"model": "gpt"}'
            }
          ]
        )
      })
    )
  }

  it.effect("has the provider's own headers over ours, however they are written", () =>
    Effect.gen(function* () {
      const headers = { Authorization: "Token t", "X-Team": "blue", Accept: "*/*" }
      const up = scripted({ body: answer }, { apiKey: Redacted.make("sk-1"), headers })
      yield* complete(up)
      assert.deepStrictEqual(up.requests[0]?.headers, {
        accept: "*/*",
        authorization: "Token t",
        "content-type": "application/json",
        "x-team": "blue"
      })
    })
  )

  it.effect("for a stream asks for events; without a key it names none", () =>
    Effect.gen(function* () {
      const up = scripted({ headers: sse, body: delta("Hi") + stop })
      yield* Stream.runDrain(partsOf(up.provider.stream(request(',"stream":true'), "gpt")))
      assert.deepStrictEqual(up.requests[0]?.headers, {
        accept: "text/event-stream",
        "content-type": "application/json"
      })
    })
  )

  it("says where the provider is, for spans", () => {
    const server = (baseUrl: string) => scripted({}, { baseUrl }).provider.server
    assert.deepStrictEqual(server("https://up.example/v1"), { address: "up.example", port: 443 })
    assert.deepStrictEqual(server("http://127.0.0.1/v1"), { address: "127.0.0.1", port: 80 })
    assert.deepStrictEqual(server("http://localhost:11434/v1"), { address: "localhost", port: 11434 })
    assert.isUndefined(server("http://sandbox.invalid/v1"))
    assert.deepStrictEqual([scripted({}).provider.name, scripted({}).provider.system], ["up", "openai"])
  })
})

describe("OpenAiCompatible: a whole answer", () => {
  it.effect("comes back in its bytes, with its usage and whatever its type", () =>
    Effect.gen(function* () {
      const body = Stream.fromIterable([...answer].map(bytes))
      for (const headers of [{}, { "content-type": "text/plain" }] as const) {
        const served = yield* complete(scripted({ body, headers }))
        assert.strictEqual(text(served.body), answer)
        assert.deepStrictEqual(served.usage, { input: 3, output: 1 })
      }
    })
  )

  it.effect("the status of every attempt stands on its span", () =>
    Effect.gen(function* () {
      for (const [status, body] of [
        [200, answer],
        [503, "busy"]
      ] as const) {
        const seen = yield* Effect.exit(complete(scripted({ status, body }))).pipe(
          Effect.zipRight(Effect.currentSpan),
          Effect.withSpan("attempt")
        )
        assert.strictEqual(seen.attributes.get("http.response.status_code"), status)
      }
    })
  )

  it.effect("a broken transport is a kind of its own", () =>
    Effect.gen(function* () {
      for (const reason of ["connection", "tls"] as const) {
        const error = new Upstream.TransportError({ reason, code: "X" })
        assert.deepStrictEqual(yield* failure(complete(scripted(error))), [reason, undefined])
        const half = Stream.concat(Stream.make(bytes("{")), Stream.fail(error))
        assert.deepStrictEqual(yield* failure(complete(scripted({ body: half }))), [reason, undefined])
      }
    })
  )

  it.effect("an error under any status is classified, with the wait it asks for and what it said", () =>
    Effect.gen(function* () {
      const body = '{"error":{"message":"slow down","code":"rate_limit_exceeded"}}'
      const headers = { "retry-after": "7", "content-type": "application/problem+json" }
      for (const status of [429, 200]) {
        const error = yield* Effect.flip(complete(scripted({ status, headers, body })))
        assert.deepStrictEqual([error.kind, error.status], ["rate_limited", status])
        assert.deepStrictEqual(error.retryAfter, Duration.seconds(7))
        const { body: said, contentType } = Redacted.value(error.answer!)
        assert.deepStrictEqual([text(said), contentType], [body, "application/problem+json"])
        assert.notInclude(JSON.stringify(error), "slow down")
      }
      assert.strictEqual(text((yield* complete(scripted({ status: 201, body: answer }))).body), answer)
      for (const status of [101, 301, 304, 307, 400, 418, 500, 599]) {
        assert.strictEqual((yield* Effect.flip(complete(scripted({ status })))).status, status)
      }
    })
  )

  it.effect("a date in Retry-After is measured by the clock", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2030, 0, 1))
      const headers = { "retry-after": "Tue, 01 Jan 2030 00:00:30 GMT" }
      const error = yield* Effect.flip(complete(scripted({ status: 503, headers })))
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(30))
    })
  )

  it.effect("an error that is too long to read, or breaks off, is what its status says", () =>
    Effect.gen(function* () {
      const broken = Stream.concat(
        Stream.make(bytes('{"error":{"code":"insufficient_quota"')),
        Stream.fail(new Upstream.TransportError({ reason: "connection", code: undefined }))
      )
      const endless = Stream.repeatValue(new Uint8Array(64 * 1024))
      for (const body of [broken, endless]) {
        const error = yield* Effect.flip(complete(scripted({ status: 503, body })))
        assert.deepStrictEqual([error.kind, error.status], ["overloaded", 503])
        assert.strictEqual(Redacted.value(error.answer!).body.length, 0)
      }
    })
  )

  it.effect("one that is too long to be an answer is none", () =>
    Effect.gen(function* () {
      const body = Stream.repeatValue(new Uint8Array(4 * 1024 * 1024))
      assert.strictEqual((yield* failure(complete(scripted({ body }))))[0], "invalid_answer")
    })
  )
})

describe("OpenAiCompatible: a stream", () => {
  it.effect("comes in parts of whole events, content marked, and ends with [DONE]", () =>
    Effect.gen(function* () {
      const first = event({ choices: [{ index: 0, delta: { role: "assistant", content: "" } }] })
      const all = bytes(first + delta("é") + delta("!") + stop)
      const body = Stream.make(all.subarray(0, 70), all.subarray(70, 75), all.subarray(75))
      const { kind, log, parts } = yield* streamed({ body })
      assert.isUndefined(kind)
      assert.strictEqual(parts.map(([part]) => part).join(""), `${text(all)}data: [DONE]\n\n`)
      for (const [part] of parts) assert.isTrue(part.endsWith("\n\n"))
      assert.deepStrictEqual([parts[0]?.[1], parts.at(-1)], [false, ["data: [DONE]\n\n", false]])
      assert.isTrue(parts.some(([, content]) => content))
      assert.deepStrictEqual(log, ["open", "close"])
    })
  )

  it.effect("its usage is that of the last event that has one", () =>
    Effect.gen(function* () {
      const usage = (prompt_tokens: number) => event({ choices: [], usage: { prompt_tokens } })
      const up = scripted({ headers: sse, body: delta("a") + usage(1) + stop + usage(2) })
      const parts = yield* Stream.runCollect(partsOf(up.provider.stream(request(), "gpt")))
      const counted = Chunk.toArray(parts).flatMap((part) => part.usage ?? [])
      assert.deepStrictEqual(counted, [{ input: 2, output: undefined }])
    })
  )

  it.effect("that goes on after a finish_reason is not over with that, however long it takes", () =>
    Effect.gen(function* () {
      const ended = (fields: object) =>
        event({ choices: [{ index: 0, delta: fields, finish_reason: "stop" }] })
      const endings: Readonly<Record<string, ReadonlyArray<string>>> = {
        "behind its thoughts": [ended({ reasoning: "hm" }), delta("a"), delta("b"), delta("c"), stop],
        "in every chunk": ["a", "b", "c", "d"].map((content) => ended({ content }))
      }
      for (const [name, [first = "", second = "", ...rest]] of Object.entries(endings)) {
        const late = Stream.mapEffect(Stream.fromIterable(rest), (event) =>
          Effect.delay(Effect.succeed(bytes(event)), "9 seconds")
        )
        const body = Stream.concat(Stream.make(bytes(first), bytes(second)), late)
        const reading = yield* Effect.fork(streamed({ body }))
        yield* TestClock.adjust("1 minute")
        const { kind, parts } = yield* Fiber.join(reading)
        assert.isUndefined(kind, name)
        assert.strictEqual(
          parts.map(([part]) => part).join(""),
          [first, second, ...rest, "data: [DONE]\n\n"].join(""),
          name
        )
      }
    })
  )

  it.effect("that goes on after a finish_reason has to finish again, or say [DONE]", () =>
    Effect.gen(function* () {
      const body = delta("a") + stop + delta("b")
      assert.strictEqual((yield* streamed({ body })).kind, "stream_truncated")
      for (const end of [stop, "data: [DONE]\n\n"]) {
        assert.isUndefined((yield* streamed({ body: body + end })).kind, end)
      }
    })
  )

  it.effect("is one by its type, however that is written", () =>
    Effect.gen(function* () {
      for (const type of ["text/event-stream; charset=utf-8", "Text/Event-Stream"]) {
        const { kind } = yield* streamed({ headers: { "content-type": type }, body: delta("a") + stop })
        assert.isUndefined(kind)
      }
    })
  )

  it.effect("no type, an end before the end and an event larger than any are failures", () =>
    Effect.gen(function* () {
      const large = Stream.repeatValue(new Uint8Array(1024 * 1024).fill(120))
      const failures = [
        [{ headers: {}, body: delta("a") + stop }, "invalid_answer"],
        [{ body: delta("a") }, "stream_truncated"],
        [{ body: large }, "stream_error"]
      ] as const
      for (const [script, expected] of failures) {
        const { kind, log } = yield* streamed(script)
        assert.strictEqual(kind, expected)
        assert.deepStrictEqual(log, ["open", "close"])
      }
    })
  )

  it.effect("malformed events are left out and counted on the span", () =>
    Effect.gen(function* () {
      const body = `data: {oops\n\n${delta("a")}data: 7\n\n${stop}`
      const { result, span } = yield* Effect.gen(function* () {
        const result = yield* streamed({ body })
        return { result, span: yield* Effect.currentSpan }
      }).pipe(Effect.withSpan("attempt"))
      assert.strictEqual(result.parts.map(([part]) => part).join(""), `${delta("a")}${stop}data: [DONE]\n\n`)
      assert.strictEqual(span.attributes.get("understudy.stream.malformed_events"), 2)
    })
  )

  it.effect("the upstream's scope closes when the reader has had enough or is interrupted", () =>
    Effect.gen(function* () {
      const endless = { headers: sse, body: Stream.repeatValue(bytes(delta("la"))) }
      const enough = scripted(endless)
      yield* Stream.runDrain(Stream.take(partsOf(enough.provider.stream(request(), "gpt")), 3))
      assert.deepStrictEqual(enough.log, ["open", "close"])
      const silent = scripted({ headers: sse, body: Stream.never })
      const fiber = yield* Effect.fork(Stream.runDrain(partsOf(silent.provider.stream(request(), "gpt"))))
      while (silent.log.length === 0) yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(silent.log, ["open", "close"])
    })
  )
})
