import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, Stream, TestClock } from "effect"
import * as OpenAiCompatible from "../src/OpenAiCompatible.ts"
import { respond, type TransportError } from "../src/Upstream.ts"
import { partsOf } from "./scripted.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

type Body = Stream.Stream<Uint8Array, TransportError>

const choice = (index: number, content: string, finish_reason: string | null = null) =>
  `data: ${JSON.stringify({ choices: [{ index, delta: { content }, finish_reason }] })}\n\n`
const usage = 'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'
const done = "data: [DONE]\n\n"
const pings = Stream.schedule(Stream.repeatValue(bytes(": ping\n\n")), Schedule.spaced("100 millis"))
const say = (...texts: ReadonlyArray<string>): Body => Stream.fromIterable(texts.map(bytes))
const after = (millis: number, body: Body): Body =>
  Stream.unwrap(Effect.as(Effect.sleep(`${millis} millis`), body))

/** Reads a stream in a fiber of its own, and shows how far that has come. */
const reading = (body: Body, n?: number) =>
  Effect.gen(function* () {
    const seen = { text: "", open: false }
    const provider = OpenAiCompatible.make({
      name: "up",
      baseUrl: "https://up.example/v1",
      upstream: {
        send: () =>
          Effect.zipRight(
            Effect.acquireRelease(
              Effect.sync(() => (seen.open = true)),
              () => Effect.sync(() => (seen.open = false))
            ),
            respond({ status: 200, headers: { "content-type": "text/event-stream" }, body })
          )
      }
    })
    const request = { model: "chat", stream: true, body: bytes('{"model":"chat"}'), ...(n && { n }) }
    const fiber = yield* partsOf(provider.stream(request, "gpt")).pipe(
      Stream.runForEach((part) =>
        Effect.sync(() => {
          seen.text += new TextDecoder().decode(part.bytes)
        })
      ),
      Effect.either,
      Effect.fork
    )
    const ended = Effect.map(Fiber.poll(fiber), (exit) => exit._tag === "Some")
    return { seen, ended, end: Fiber.join(fiber) }
  })

describe("a stream whose every choice is finished", () => {
  const finished = choice(0, "Hi", "stop")
  const silent: Readonly<Record<string, Body>> = {
    "falls silent": Stream.concat(say(finished), Stream.never),
    "goes on with comments alone": Stream.concat(say(finished), pings),
    "breaks off in an event": Stream.concat(say(finished, 'data: {"choices":[],"us'), Stream.never)
  }
  for (const [name, body] of Object.entries(silent)) {
    it.effect(`and that then ${name} ends well after 2 seconds, and lets its connection go`, () =>
      Effect.gen(function* () {
        const { end, ended, seen } = yield* reading(body)
        yield* TestClock.adjust("1999 millis")
        assert.deepStrictEqual([yield* ended, seen.open], [false, true])
        yield* TestClock.adjust("1 millis")
        assert.strictEqual((yield* end)._tag, "Right")
        assert.isFalse(seen.open)
        assert.isTrue(seen.text.startsWith(finished) && seen.text.endsWith(done))
      })
    )
  }

  it.effect("still gets what comes within that time", () =>
    Effect.gen(function* () {
      const body = Stream.concat(say(finished), after(1500, Stream.concat(say(usage), Stream.never)))
      const { end, seen } = yield* reading(body)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* end)._tag, "Right")
      assert.strictEqual(seen.text, finished + usage + done)
    })
  )

  it.effect("ends in a whole event, wherever it broke off", () =>
    Effect.gen(function* () {
      for (const [rest, kept] of [
        ["d", ""],
        ["data: [DO", ""],
        ["data: [DONE]", ""],
        [": ping", ""],
        [usage.slice(0, -1), `${usage}\n`],
        [usage.slice(0, -2), usage]
      ]) {
        const { end, seen } = yield* reading(say(finished, rest!))
        assert.strictEqual((yield* end)._tag, "Right")
        assert.strictEqual(seen.text, finished + kept + done)
      }
      const { end, seen } = yield* reading(say(finished.slice(0, -2)))
      assert.strictEqual((yield* end)._tag, "Right")
      assert.strictEqual(seen.text, finished + done)
    })
  )

  it.effect("and that says so ends at once", () =>
    Effect.gen(function* () {
      const { end, seen } = yield* reading(Stream.concat(say(finished, done), Stream.never))
      assert.strictEqual((yield* end)._tag, "Right")
      assert.strictEqual(seen.text, finished + done)
    })
  )
})

describe("a stream that is not finished is waited for", () => {
  const second = choice(1, "Ho", "stop")
  const unfinished: Readonly<Record<string, readonly [string, string, number?]>> = {
    "while its only choice is open": [choice(0, "Hi"), choice(0, "", "stop")],
    "while one of two that have begun is": [choice(0, "A", "stop") + choice(1, "B"), choice(1, "", "stop")],
    "while one that was asked for has yet to begin": [choice(0, "Hi", "stop"), second, 2]
  }
  for (const [name, [first, rest, n]] of Object.entries(unfinished)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const { end, ended, seen } = yield* reading(Stream.concat(say(first), after(60_000, say(rest))), n)
        yield* TestClock.adjust("59 seconds")
        assert.isFalse(yield* ended)
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual((yield* end)._tag, "Right")
        assert.strictEqual(seen.text, first + rest + done)
      })
    )
  }
})

describe("what a stream says before its first content", () => {
  const comment = `: ${"x".repeat(1021)}\n\n`

  it.effect("is held back up to 1 MiB, and no more", () =>
    Effect.gen(function* () {
      const content = choice(0, "Hi", "stop")
      const most = yield* reading(say(comment.repeat(1023), content))
      assert.strictEqual((yield* most.end)._tag, "Right")
      assert.strictEqual(most.seen.text, comment.repeat(1023) + content + done)
      const endless = yield* reading(Stream.repeatValue(bytes(comment)))
      const end = yield* endless.end
      assert.strictEqual(end._tag === "Left" && end.left.kind, "stream_error")
      assert.isFalse(endless.seen.open)
    })
  )

  it.effect("is not what it says after it", () =>
    Effect.gen(function* () {
      const text = choice(0, "Hi") + comment.repeat(3000) + choice(0, "", "stop")
      const { end, seen } = yield* reading(say(...text.split(/(?<=\n\n)/)))
      assert.strictEqual((yield* end)._tag, "Right")
      assert.strictEqual(seen.text, text + done)
    })
  )
})

it.effect("an error whose body does not end is what its status says, after 2 seconds", () =>
  Effect.gen(function* () {
    const provider = OpenAiCompatible.make({
      name: "up",
      baseUrl: "https://up.example/v1",
      upstream: { send: () => respond({ status: 503, headers: {}, body: pings }) }
    })
    const request = { model: "chat", stream: false, body: bytes('{"model":"chat"}') }
    const fiber = yield* Effect.fork(Effect.flip(Effect.scoped(provider.complete(request, "gpt"))))
    yield* TestClock.adjust("2 seconds")
    const { kind, status } = yield* Fiber.join(fiber)
    assert.deepStrictEqual([kind, status], ["overloaded", 503])
  })
)
