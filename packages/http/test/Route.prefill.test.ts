import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, Redacted } from "effect"
import { Anthropic, AzureOpenAi, ChatModel, Upstream } from "../src/index.ts"
import {
  assertCut,
  assertWhole,
  broken,
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

const text = 'The 🎭 \n "on".'

interface Message {
  readonly role: string
  readonly content: string
}

const last = (request: string): Message => JSON.parse(request).messages.at(-1)

/** A server that says what is missing of a text, after what it is given of it. */
const goesOn = (text: string) => (request: string) => {
  const { content, role } = last(request)
  assert.deepStrictEqual([role, content, text.startsWith(content)], ["assistant", content.trimEnd(), true])
  return whole(second.role, ...second.says(...text.slice(content.length)), second.stop, second.done)
}

const prefill = (begun: ReadonlyArray<string>, standby: ReturnType<typeof upstream>, body = hi) =>
  resumed(first.says(...begun), standby, "prefill", body)

describe("continue: prefill", () => {
  it.effect("goes on wherever the first one breaks off", () =>
    Effect.gen(function* () {
      for (let cut = 1; cut <= text.length; cut++) {
        assertWhole(yield* prefill([text.slice(0, cut)], upstream(goesOn(text))), text)
      }
    })
  )

  it.effect(
    "has white space at the end once, and as it was sent where the second one has none or another",
    () =>
      Effect.gen(function* () {
        const says = (...words: ReadonlyArray<string>) =>
          upstream(whole(second.role, ...second.says(...words), second.stop))
        assertWhole(yield* prefill(["Hello", " \n"], says(" ", "\nyou")), "Hello \nyou")
        assertWhole(yield* prefill(["Hello", " \n"], says("you")), "Hello \nyou")
        assertWhole(yield* prefill(["Hello", " \n"], says(" you")), "Hello \nyou")
        assertWhole(yield* prefill(["Hello", " \n"], says()), "Hello \n")
      })
  )

  it.effect("whatever is said, and in whatever pieces: the one answer", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(FastCheck.fullUnicodeString({ minLength: 1, maxLength: 6 }), {
            minLength: 2,
            maxLength: 4
          }),
          FastCheck.nat(30),
          FastCheck.boolean(),
          async (words, kept, echoes) => {
            const answer = words.join("")
            const begun = words.slice(0, 1 + (kept % words.length))
            FastCheck.pre(begun.join("").trim() !== "")
            const standby = echoes
              ? upstream(whole(second.role, ...second.says(...answer), second.stop), { dialect: "mistral" })
              : upstream(goesOn(answer))
            assertWhole(await Effect.runPromise(prefill(begun, standby)), answer)
          }
        )
      )
    )
  )

  describe("puts what was said behind the request, and every other byte as it came", () => {
    const body =
      '{ "model":"chat", "big":9007199254740993,"x":1.0,\n"messages" : [ {"role":"user","content":"Hi","n":1e400} ] ,"stream":true }'
    const asked = (message: string, more: string) =>
      body.replace("chat", "m2").replace("1e400} ]", `1e400},${message} ]`).replace("true }", `true${more} }`)
    const said = (more = "") => `{"role":"assistant","content":"He said \\"🎭\\""${more}}`

    const begun = 'He said "🎭"'
    const dialects = {
      "by itself": [{ prefill: true }, said(), "", ["!"]],
      "for vLLM": [
        { dialect: "vllm" },
        said(),
        ',"continue_final_message":true,"add_generation_prompt":false',
        ["!"]
      ],
      "for Mistral, which says it again": [{ dialect: "mistral" }, said(',"prefix":true'), "", [begun, "!"]]
    } as const

    for (const [name, [options, message, more, answer]] of Object.entries(dialects)) {
      it.effect(name, () =>
        Effect.gen(function* () {
          const standby = upstream(whole(second.role, ...second.says(...answer), second.stop), options)
          assertWhole(yield* prefill([begun, "\n"], standby, body), `${begun}\n!`)
          assert.deepStrictEqual(standby.asked, [asked(message, more)])
        })
      )
    }
  })

  it.effect("for Anthropic is its last turn, whatever the model makes of it", () =>
    Effect.gen(function* () {
      const asked: Array<Readonly<Record<string, unknown>>> = []
      const event = (data: Readonly<Record<string, unknown>>) =>
        `event: ${data["type"]}\ndata: ${JSON.stringify(data)}\n\n`
      const answers = [
        event({
          type: "message_start",
          message: { id: "msg_1", model: "claude", usage: { input_tokens: 9 } }
        }) +
          event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }) +
          event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "lo" } }) +
          event({ type: "content_block_stop", index: 0 }) +
          event({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 2 } }) +
          event({ type: "message_stop" }),
        '{"type":"error","error":{"type":"invalid_request_error","message":"This model does not support assistant message prefill."}}'
      ]
      const send: Upstream.Upstream["send"] = ({ body }) => {
        asked.push(JSON.parse(new TextDecoder().decode(body)))
        const answer = new TextEncoder().encode(answers[asked.length - 1])
        const status = asked.length === 1 ? 200 : 400
        return Upstream.respond({ status, headers: { "content-type": "text/event-stream" }, body: answer })
      }
      const anthropic = Anthropic.make({ name: "anthropic", apiKey: Redacted.make("k"), upstream: { send } })
      const primary = upstream(broken(first.role, ...first.says("Hel")))
      const route = yield* routeOf(
        { provider: primary.provider },
        { provider: anthropic, continue: "prefill" }
      )
      assertWhole(yield* stream(route), "Hello")
      assert.deepStrictEqual(asked[0]?.["messages"], [
        { role: "user", content: [{ type: "text", text: "Hi" }] },
        { role: "assistant", content: [{ type: "text", text: "Hel" }] }
      ])
      const refused = yield* stream(route)
      assertCut(refused, "Hel", "connection")
      assert.deepStrictEqual(told(refused.events).slice(0, 2), [
        "tier1 failure connection",
        "tier2 ignored unsupported"
      ])
    })
  )

  it.effect("is nothing where a model answers anew all the same: a server that echoes something else", () =>
    Effect.gen(function* () {
      const standby = upstream(whole(second.role, ...second.says("Hi!"), second.stop), { dialect: "mistral" })
      const got = yield* prefill(["Hello"], standby)
      assertCut(got, "Hello", "connection")
      assert.include(told(got.events), "tier2 ignored stream_diverged")
    })
  )

  it.effect("blames itself for a 400: the next tier is asked", () =>
    Effect.gen(function* () {
      const primary = upstream(broken(first.role, ...first.says("Hel")))
      const refusing = upstream(refuses(400))
      const standby = upstream(goesOn("Hello"))
      const route = yield* routeOf(
        { provider: primary.provider },
        { provider: refusing.provider, continue: "prefill" },
        { provider: standby.provider, continue: "prefill" }
      )
      const got = yield* stream(route)
      assertWhole(got, "Hello")
      assert.deepStrictEqual(told(got.events), [
        "tier1 failure connection",
        "tier2 ignored unsupported",
        "tier3 success",
        "run success by tier3"
      ])
    })
  )

  const notTaken = {
    "asks for JSON": '"response_format":{"type":"json_object"},',
    "asks for a schema": '"response_format":{"type":"json_schema","json_schema":{"schema":{}}},',
    "asks vLLM for a form": '"guided_regex":"[a-z]+",',
    "asks vLLM for a schema": '"structured_outputs":{"json":{}},'
  }
  for (const [name, fields] of Object.entries(notTaken)) {
    it.effect(`is not tried for a request that ${name}`, () =>
      Effect.gen(function* () {
        const standby = upstream(goesOn("Hello"))
        assertCut(yield* prefill(["Hel"], standby, hi.replace("{", `{${fields}`)), "Hel", "connection")
        assert.deepStrictEqual(standby.asked, [])
      })
    )
  }

  it.effect("is tried where the form that is asked for is text, or none", () =>
    Effect.gen(function* () {
      for (const form of ['{"type":"text"}', "null"]) {
        const body = hi.replace("{", `{"response_format":${form},`)
        assertWhole(yield* prefill(["Hel"], upstream(goesOn("Hello")), body), "Hello")
      }
    })
  )

  it.effect(
    "is not tried where the request ends with the assistant's own words, or nothing but space was said",
    () =>
      Effect.gen(function* () {
        const standby = upstream(goesOn("Hello"))
        const body = hi.replace("}]", '},{"role":"assistant","content":"Well,"}]')
        assertCut(yield* prefill([" Hel"], standby, body), " Hel", "connection")
        assertCut(yield* prefill(["\n"], standby), "\n", "connection")
        assert.deepStrictEqual(standby.asked, [])
      })
  )

  it.effect("is refused for a provider that is not known to go on from a prefix", () =>
    Effect.gen(function* () {
      const openai = upstream(whole(), {}).provider
      const azure = AzureOpenAi.make({
        name: "azure",
        baseUrl: "https://x.example",
        upstream: { send: () => Effect.die("not asked") }
      })
      for (const provider of [
        openai,
        azure,
        upstream(whole(), { dialect: "vllm", prefill: false }).provider
      ]) {
        const error = yield* Effect.flip(
          ChatModel.make({
            tiers: [
              { name: "a", provider: upstream(whole()).provider, model: "m", continue: "prefill" },
              { name: "b", provider, model: "m", continue: "prefill" }
            ]
          })
        )
        assert.include(error.message, '["tiers"][1]["continue"]')
        assert.include(error.message, "this provider does not go on from a prefix; use restart")
        const defect = yield* Effect.flip(Effect.sandbox(routeOf({ provider, continue: "prefill" })))
        assert.include(String(defect), "RangeError: Route: the provider of tier1 cannot prefill")
      }
    })
  )
})
