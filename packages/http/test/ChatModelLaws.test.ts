import { assert, describe } from "@effect/vitest"
import { Chunk, Effect, FastCheck as Fc, Stream } from "effect"
import type { ChatModel } from "../src/index.ts"
import { delta, hi, scripted, stop, streams } from "./chatModels.ts"
import { law } from "./law.ts"

/** The parts of a stream of these deltas, after one that says something so that there is a stream. */
const streamed = (deltas: ReadonlyArray<object>) =>
  Effect.gen(function* () {
    const begins = { content: "Well" }
    const { chat } = scripted({ large: [streams(...[begins, ...deltas].map((said) => delta(said)), stop)] })
    const { stream } = yield* chat
    const parts = Chunk.toReadonlyArray(yield* Stream.runCollect(stream(hi)))
    const finished = parts.at(-1)
    assert(finished?._tag === "Finished")
    return { parts, finished }
  })

const textOf = (parts: ReadonlyArray<ChatModel.Part>, tag: "TextDelta" | "ReasoningDelta" | "RefusalDelta") =>
  parts.map((part) => (part._tag === tag ? part.text : "")).join("")

const piecesOf = (parts: ReadonlyArray<ChatModel.Part>) =>
  parts.flatMap((part) => (part._tag === "ToolCallDelta" ? [part] : []))

// From here it is any shape, likely or not.
const word = Fc.constantFrom("", "a", "b ", "{", '"', "}")
const part = Fc.oneof(
  Fc.record({ type: Fc.constant("text"), text: word }),
  Fc.record({ type: Fc.constant("thinking"), thinking: Fc.array(word) }),
  Fc.constant({ type: "reference", reference_ids: [0] })
)
const said = Fc.oneof(word, Fc.array(part, { maxLength: 3 }), Fc.constant(null), Fc.constant(1))
const piece = Fc.record(
  {
    index: Fc.constantFrom(0, 1, 5, null, "0"),
    id: Fc.constantFrom("", "c1", "c2", null, 7),
    function: Fc.record(
      {
        name: Fc.constantFrom("", "f", "g", null),
        arguments: Fc.oneof(word, Fc.constant('{"x":1}'), Fc.constant({ x: 1 }), Fc.constant(null))
      },
      { requiredKeys: [] }
    )
  },
  { requiredKeys: [] }
)
const anything = Fc.record(
  {
    content: said,
    reasoning: said,
    reasoning_content: said,
    refusal: said,
    tool_calls: Fc.array(Fc.oneof(piece, Fc.constant(null)), { maxLength: 3 })
  },
  { requiredKeys: [] }
).chain((delta) =>
  Fc.constantFrom(delta, { ...delta, ["__proto__"]: { content: "evil", refusal: "evil", tool_calls: [{}] } })
)

describe("ChatModel: laws of streams", () => {
  law("what was said in the end is what was said piece by piece", Fc.array(anything), (deltas) =>
    Effect.gen(function* () {
      const { finished, parts } = yield* streamed(deltas)
      assert.strictEqual(finished.text, textOf(parts, "TextDelta"))
      assert.strictEqual(finished.reasoning ?? "", textOf(parts, "ReasoningDelta"))
      assert.strictEqual(finished.refusal ?? "", textOf(parts, "RefusalDelta"))
      assert.strictEqual(finished.message.content, finished.text)
      const content = finished.message.extra?.["content"] ?? [{ text: finished.text }]
      assert.strictEqual(
        (content as Array<{ text?: string }>).map(({ text }) => text).join(""),
        finished.text
      )
    })
  )

  law("a tool call is what its pieces say, one after the other", Fc.array(anything), (deltas) =>
    Effect.gen(function* () {
      const { finished, parts } = yield* streamed(deltas)
      const pieces = piecesOf(parts)
      assert.deepStrictEqual(
        [...new Set(pieces.map(({ index }) => index))],
        finished.toolCalls.map((_, index) => index)
      )
      for (const [index, call] of finished.toolCalls.entries()) {
        const own = pieces.filter((piece) => piece.index === index)
        const [id = ""] = own.flatMap(({ id }) => id ?? [])
        const [name = ""] = own.flatMap(({ name }) => name ?? [])
        assert.deepStrictEqual(call, { id, name, arguments: own.map((piece) => piece.arguments).join("") })
        assert.isTrue(own.every((piece) => [undefined, id].includes(piece.id)))
        assert.isTrue(own.every((piece) => [undefined, name].includes(piece.name)))
      }
    })
  )

  law("calls are told apart however a server counts, names and cuts them", calls(), ({ cut, said }) =>
    Effect.gen(function* () {
      const { finished } = yield* streamed(cut)
      assert.deepStrictEqual(
        finished.toolCalls.map(({ arguments: text, name }) => ({ name, arguments: text })),
        said
      )
    })
  )
})

/** Calls, some of the same tool, and a server's way to stream them: deltas of some pieces each. */
function calls() {
  const json = Fc.dictionary(Fc.constantFrom("x", "y"), Fc.jsonValue({ maxDepth: 1 })).map((value) =>
    JSON.stringify(value)
  )
  const call = Fc.record({
    name: Fc.constantFrom("f", "g"),
    json,
    cuts: Fc.array(Fc.nat({ max: 20 }), { maxLength: 3 }),
    opens: Fc.boolean()
  })
  return Fc.record({
    all: Fc.array(call, { minLength: 1, maxLength: 4 }),
    way: Fc.constantFrom(...ways),
    together: Fc.boolean()
  }).map(({ all, together, way }) => {
    const pieces = all.flatMap(({ cuts, json, name, opens }, number) => {
      const ends = [...new Set([...cuts, json.length].map((cut) => Math.min(cut, json.length)))].sort(
        (a, b) => a - b
      )
      const texts = ends.map((end, at) => json.slice(ends[at - 1] ?? 0, end)).filter((text) => text !== "")
      return way(number, name, opens ? ["", ...texts] : texts)
    })
    return {
      said: all.map(({ json, name }) => ({ name, arguments: json })),
      cut: together ? [{ tool_calls: pieces }] : pieces.map((piece) => ({ tool_calls: [piece] }))
    }
  })
}

type Way = (number: number, name: string, texts: ReadonlyArray<string>) => ReadonlyArray<object>

const openAi: Way = (number, name, texts) =>
  texts.map((text, at) =>
    at === 0
      ? { index: number, id: `c${number}`, type: "function", function: { name, arguments: text } }
      : { index: number, function: { arguments: text } }
  )

const ways: ReadonlyArray<Way> = [
  openAi,
  // Every call is number 0.
  (...call) => openAi(...call).map((piece) => ({ id: "", ...piece, index: 0 })),
  (_, name, texts) => [{ index: 0, id: "", function: { name, arguments: texts.join("") } }],
  // Every piece has an id of its own.
  (...call) =>
    openAi(...call).map((piece, at) => ({ ...piece, index: call[0] + 1, id: `c${call[0]} ${at}` })),
  // Every piece has the name.
  (index, name, texts) => texts.map((text) => ({ index, id: "", function: { name, arguments: text } })),
  // No call has a number.
  (number, name, texts) => texts.map((text) => ({ id: `c${number}`, function: { name, arguments: text } })),
  (_, name, texts) => texts.map((text, at) => ({ function: { ...(at === 0 && { name }), arguments: text } })),
  (_, name, texts) => [{ function: { name, arguments: JSON.parse(texts.join("")) } }]
]
