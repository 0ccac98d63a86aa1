import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, Fiber, Stream, TestClock } from "effect"
import { type Provider, Sandbox } from "../src/index.ts"
import { anthropic, events } from "./anthropic.ts"
import {
  assertCut,
  assertWhole,
  broken,
  chunks,
  first,
  hi,
  refuses,
  resumed,
  routeOf,
  second,
  stream,
  told,
  upstream,
  whole
} from "./continuing.ts"
import { sse } from "./scripted.ts"

const third = chunks("third")
const hello = whole(second.role, ...second.says("Hel", "lo"), second.stop, second.done)

const ways = ["restart", "prefill"] as const

/** The stream of a first tier that breaks off with this, over one that could go on. */
const after = (sends: ReadonlyArray<string>, way: (typeof ways)[number], n?: number) =>
  Effect.map(resumed(sends, upstream(hello), way, hi, n), (got) => ({
    ...got,
    asked: got.standby.asked.length
  }))

describe("a stream that breaks off is not gone on with", () => {
  const hel = first.chunk({ content: "Hel" })
  const cases: Readonly<Record<string, ReadonlyArray<string>>> = {
    "once a call of a tool has begun": [
      hel,
      first.chunk({ tool_calls: [{ index: 0, id: "call_1", function: { name: "f", arguments: '{"a' } }] })
    ],
    "once a function of old has begun": [hel, first.chunk({ function_call: { name: "f", arguments: "" } })],
    "once it is refused": [hel, first.chunk({ refusal: "No." })],
    "once it has shown thoughts": [first.chunk({ reasoning_content: "Hm." }), hel],
    "once it has shown thoughts of OpenRouter's": [
      hel,
      first.chunk({ reasoning_details: [{ text: "Hm." }] })
    ],
    "once it has sound": [hel, first.chunk({ audio: { id: "audio_1", data: "AAAA" } })],
    "once it has content in parts": [hel, first.chunk({ content: [{ type: "text", text: "lo" }] })],
    "once it has what nobody knows": [hel, first.chunk({ sources: ["https://example.com"] })],
    "of another choice than the first": [
      hel,
      'data: {"choices":[{"index":1,"delta":{"content":"B"},"finish_reason":null}]}\n\n'
    ],
    "of several choices in a chunk": [
      hel,
      'data: {"choices":[{"index":0,"delta":{"content":"l"}},{"index":1,"delta":{"content":"B"}}]}\n\n'
    ],
    "longer than a megabyte": first.says(
      ..."x"
        .repeat(17)
        .split("")
        .map((x) => x.repeat(2 ** 16))
    )
  }
  for (const [name, sends] of Object.entries(cases)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        for (const way of ways) {
          const got = yield* after(sends, way)
          assert.deepStrictEqual([got.error, got.dones, got.asked], ["connection", 0, 0])
          assert.isTrue(got.sent.includes(sends.at(-1) ?? "?"))
          assert.deepStrictEqual(told(got.events), ["tier1 failure connection", "run failure by tier1"])
        }
      })
    )
  }

  it.effect("where several choices were asked for", () =>
    Effect.gen(function* () {
      for (const way of ways) {
        const got = yield* after([hel], way, 2)
        assert.deepStrictEqual([got.error, got.asked], ["connection", 0])
      }
    })
  )

  it.effect("where no tier says how", () =>
    Effect.gen(function* () {
      const standby = upstream(hello)
      const route = yield* routeOf(
        { provider: upstream(broken(hel)).provider },
        { provider: standby.provider }
      )
      assertCut(yield* stream(route), "Hel", "connection")
      assert.deepStrictEqual(standby.asked, [])
    })
  )

  it.effect("that had its end before it failed", () =>
    Effect.gen(function* () {
      const error = 'data: {"error":{"message":"lost","type":"server_error"}}\n\n'
      const got = yield* after([hel, first.stop, error], "restart")
      assert.deepStrictEqual([got.error, got.asked], ["server_error", 0])
    })
  )

  it.effect("that is whole, though its connection breaks", () =>
    Effect.gen(function* () {
      const got = yield* after([hel, first.stop], "restart")
      assertWhole(got, "Hel")
      assert.strictEqual(got.asked, 0)
    })
  )
})

describe("a stream that breaks off is gone on with", () => {
  it.effect("as often as it breaks, and the run is served by the tier that ends it", () =>
    Effect.gen(function* () {
      const route = yield* routeOf(
        { provider: upstream(broken(first.role, ...first.says("The ", "show "))).provider },
        {
          provider: upstream(broken(second.role, ...second.says("goes ", "o"))).provider,
          continue: "prefill"
        },
        {
          provider: upstream(whole(third.role, ...third.says("The show go", "es on."), third.stop)).provider,
          continue: "restart"
        }
      )
      const got = yield* stream(route)
      assertWhole(got, "The show goes on.")
      assert.deepStrictEqual(told(got.events), [
        "tier1 failure connection",
        "tier2 failure connection",
        "tier3 success",
        "run success by tier3"
      ])
    })
  )

  it.effect("by the next tier that can, where one fails before it says anything new", () =>
    Effect.gen(function* () {
      const says = broken(second.role, ...second.says("He"))
      for (const act of [refuses(503), says, whole(second.role), broken()]) {
        const route = yield* routeOf(
          { provider: upstream(broken(first.role, ...first.says("Hel"))).provider },
          { provider: upstream(act).provider, continue: "restart" },
          { provider: upstream(hello).provider },
          {
            provider: upstream(whole(third.role, ...third.says("Hello"), third.stop)).provider,
            continue: "restart"
          }
        )
        assertWhole(yield* stream(route), "Hello")
      }
    })
  )

  it.effect("under the name that it began with, whatever its first chunk says", () =>
    Effect.gen(function* () {
      const filters = 'data: {"id":"","created":0,"model":"","choices":[],"prompt_filter_results":[]}\n\n'
      const unnamed = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"lo"},"finish_reason":"stop"}]}\n\n`
      const route = yield* routeOf(
        { provider: upstream(broken(filters, first.role, ...first.says("Hel"))).provider },
        { provider: upstream(whole(filters, unnamed)).provider, continue: "prefill" }
      )
      const { json, said } = yield* stream(route)
      const named = { id: "first", created: 5, model: "model-first" }
      assert.deepStrictEqual([said, json.length], ["Hello", 4])
      for (const chunk of json.slice(1)) assert.deepInclude(chunk, named)
      assert.deepStrictEqual(json.at(-1), {
        choices: [{ index: 0, delta: { content: "lo" }, finish_reason: "stop" }],
        ...named
      })
    })
  )

  it.effect("under one name and role, whatever comes of the second one, and in whatever order", () => {
    const other = (index: number) => second.chunk({}).replace('"index":0', `"index":${index}`)
    const events = FastCheck.constantFrom(
      second.role,
      ...second.says("H", "e", "l", "lo", "", " 🎭"),
      second.chunk({ role: "assistant", content: "llo" }),
      second.chunk({ content: "", reasoning: "Hm." }),
      second.chunk({ tool_calls: [{ index: 0, id: "call_1" }] }),
      second.chunk({ content: null, refusal: "No." }),
      second.usage({ prompt_tokens: 1 }),
      second.stop,
      second.done,
      other(1),
      second.chunk({}).replace(/"choices":.*]/, '"choices":null,"usage":{}'),
      second.chunk({}).replace(/"choices":.*]/, '"choices":[{"index":0,"delta":{}},{"index":1,"delta":{}}]'),
      ": ping\n\n",
      "event: ping\ndata: {oops\n\n",
      'data: {"error":{"message":"lost"}}\n\n'
    )
    return Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(events, { maxLength: 12 }),
          FastCheck.constantFrom(...ways),
          async (sends, way) => {
            const got = await Effect.runPromise(resumed(first.says("Hel"), upstream(whole(...sends)), way))
            assert.deepStrictEqual([got.roles, got.heads.size], [1, 1], got.sent)
            assert.isTrue(got.said.startsWith("Hel"))
            assert.strictEqual(got.dones, got.error === undefined ? 1 : 0)
            if (got.error === undefined) assert.isAtLeast(got.ends.length, 1)
          }
        ),
        { numRuns: 100 }
      )
    )
  })

  it.effect("with the usage of the tier that ends it, marked; one that nobody else began has no mark", () =>
    Effect.gen(function* () {
      const usage = { prompt_tokens: 9007199254740991, completion_tokens: 2 }
      const counted = (marked: object) => [null, null, null, { ...usage, ...marked }]
      const ends = [second.chunk({}, "stop", { usage: null }), second.usage(usage), second.done]
      const got = yield* resumed(
        [first.chunk({ content: "Hel" }, null, { usage: null })],
        upstream(whole(second.role, second.chunk({ content: "lo" }, null, { usage: null }), ...ends)),
        "prefill"
      )
      assertWhole(got, "Hello")
      assert.deepStrictEqual(
        got.json.slice(1).map(({ usage }) => usage),
        counted({ incomplete: true })
      )
      assert.deepStrictEqual(got.parts.findLast(({ usage }) => usage !== undefined)?.usage, {
        input: 9007199254740991,
        output: 2
      })
      const alone = yield* routeOf({
        provider: upstream(whole(second.role, ...second.says("Hello"), ...ends)).provider
      })
      assert.deepStrictEqual((yield* stream(alone)).json.at(-1).usage, usage)
    })
  )

  it.effect("that one of Anthropic's began, under the name that it was given", () =>
    Effect.gen(function* () {
      const said = (type: string, fields: object) => ({ type, ...fields })
      const begun = events([
        said("message_start", { message: { id: "msg_1", model: "claude", usage: { input_tokens: 3 } } }),
        said("content_block_start", { index: 0, content_block: { type: "text", text: "Hel" } })
      ])
      for (const way of ways) {
        const route = yield* routeOf(
          { provider: anthropic({ headers: sse, body: begun }).provider },
          {
            provider: upstream(
              whole(second.role, ...second.says(...(way === "restart" ? ["He", "llo"] : ["lo"])), second.stop)
            ).provider,
            continue: way
          }
        )
        const got = yield* stream(route)
        assertWhole(got, "Hello")
        assert.deepStrictEqual([...got.heads], ["msg_1 0 claude"])
      }
    })
  )

  it.effect("by a sandbox, whose words come next", () =>
    Effect.gen(function* () {
      const breaks = Sandbox.make({ name: "breaks", latency: 0, script: [{ breaks: "end", after: 3 }] })
      const goesOn = Sandbox.make({ name: "goes on", latency: 0 })
      for (const way of ways) {
        const route = yield* routeOf({ provider: breaks }, { provider: goesOn, continue: way })
        const streaming = yield* Effect.fork(stream(route))
        yield* TestClock.adjust("1 second")
        assertWhole(yield* Fiber.join(streaming), "The show goes on: this is m2, reading the part.")
      }
    })
  )

  it.effect("after the first one's connection is closed, and until the caller leaves", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const logged = (name: string, provider: Provider.Provider): Provider.Provider => ({
        ...provider,
        stream: (request, model) =>
          Effect.acquireRelease(
            Effect.sync(() => log.push(`${name} opens`)),
            () => Effect.sync(() => log.push(`${name} closes`))
          ).pipe(Effect.flatMap(() => provider.stream(request, model)))
      })
      const route = yield* routeOf(
        { provider: logged("first", upstream(broken(...first.says("Hel"))).provider) },
        { provider: logged("second", upstream(hello).provider), continue: "restart" }
      )
      yield* Stream.runDrain(
        Stream.take(route.stream({ model: "chat", stream: true, body: new TextEncoder().encode(hi) }), 2)
      )
      assert.deepStrictEqual(log, ["first opens", "first closes", "second opens", "second closes"])
    })
  )
})
