import { assert, describe } from "@effect/vitest"
import { Chunk, Effect, FastCheck, Stream } from "effect"
import { anthropic, complete, requestText, sent, stream } from "./anthropic.ts"
import * as Answers from "./anthropicAnswers.ts"
import * as Conversations from "./anthropicConversations.ts"
import { law } from "./law.ts"
import { bytes, sse, text } from "./scripted.ts"

const whole = (answer: Answers.Answer) =>
  Effect.map(complete(anthropic({ body: Answers.messageText(answer) })), ({ body }) => JSON.parse(text(body)))

describe("Anthropic: laws", () => {
  law(
    "a conversation says the same to Anthropic, and keeps its rules",
    Conversations.conversations,
    (messages) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(
          Conversations.read(yield* sent(requestText({ messages }))),
          Conversations.script(messages)
        )
      })
  )

  law("a schema and arguments are sent to the letter", Conversations.jsonObject, (json) =>
    Effect.gen(function* () {
      const written = JSON.stringify(json)
      const body = yield* sent(
        `{"model":"chat","messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":` +
          `[{"id":"a","type":"function","function":{"name":"f","arguments":${written}}}]},` +
          `{"role":"tool","tool_call_id":"a","content":"b"}],` +
          `"tools":[{"type":"function","function":{"name":"f","parameters":${json}}}]}`
      )
      assert.include(body, `"input_schema":${json}`)
      assert.deepStrictEqual(
        (JSON.parse(body).messages[1].content[0] as { input: unknown }).input,
        JSON.parse(json)
      )
    })
  )

  law("a whole answer says the same to OpenAI's clients", Answers.answers, (answer) =>
    Effect.gen(function* () {
      const { choices, usage } = yield* whole(answer)
      const { content, tool_calls = [] } = choices[0].message
      assert.deepStrictEqual(
        {
          content: content ?? "",
          tool_calls,
          finish_reason: choices[0].finish_reason,
          tokens: Answers.tokens(usage)
        },
        Answers.expected(answer)
      )
    })
  )

  law(
    "so does a streamed one, however its bytes are cut",
    FastCheck.tuple(Answers.answers, FastCheck.integer({ min: 1, max: 100 })),
    ([answer, size]) =>
      Effect.gen(function* () {
        const all = bytes(Answers.eventsText(answer))
        const cuts = Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
          all.subarray(index * size, (index + 1) * size)
        )
        const up = anthropic({ headers: sse, body: Stream.fromIterable(cuts) })
        const parts = yield* Stream.runCollect(stream(up, { stream_options: { include_usage: true } }))
        const out = Chunk.toReadonlyArray(parts)
        assert.deepStrictEqual(
          Answers.assembled(out.map((part) => text(part.bytes)).join("")),
          Answers.expected(answer)
        )
        const [input, output, cacheRead, cacheWrite] = Answers.expected(answer).tokens
        const usage = { input, output, cacheRead, cacheWrite }
        assert.deepStrictEqual(out.flatMap(({ usage }) => usage ?? []).at(-1), usage)
      })
  )

  law(
    "an answer that is sent back with the results is the one that Anthropic gave",
    Answers.answers,
    (answer) =>
      Effect.gen(function* () {
        const said = (yield* whole(answer)).choices[0].message
        const calls = (said.tool_calls ?? []) as ReadonlyArray<{ id: string }>
        const asked = [{ role: "user", content: "a" }]
        const results = calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: "b" }))
        const body = yield* sent(requestText({ messages: [...asked, said, ...results, ...asked] }))
        const { messages } = JSON.parse(body)
        const sentBack = messages
          .flatMap(({ content }: { content: ReadonlyArray<object> }) => content)
          .filter(({ type }: { type: string }) => type === "tool_use")
        assert.deepStrictEqual(
          sentBack.map(({ name, input }: { name: string; input: unknown }) => [name, input]),
          Answers.expected(answer).tool_calls.map((call) => [
            call.function.name,
            JSON.parse(call.function.arguments)
          ])
        )
        const kept = answer.blocks.flatMap((block) =>
          block.type === "tool_use" && /^[\w-]+$/.test(block.id) ? [`"id":"${block.id}"`] : []
        )
        for (const id of kept) assert.include(body, id)
      })
  )
})
