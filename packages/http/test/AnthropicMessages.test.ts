import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { refuses, requestText, sends, sent, textPart as text } from "./anthropic.ts"

const image = (url: string) => ({ type: "image_url", image_url: { url } })
const call = (id: string, args: string) => ({
  id,
  type: "function",
  function: { name: "add", arguments: args }
})
const user = (...content: ReadonlyArray<object>) => ({ role: "user", content })
const assistant = (...content: ReadonlyArray<object>) => ({ role: "assistant", content })

const turns = (name: string, messages: ReadonlyArray<object>, expected: object) =>
  sends(name, { messages }, expected)

describe("Anthropic: a conversation", () => {
  turns(
    "system and developer messages at the beginning are the system prompt",
    [
      { role: "system", content: "a" },
      { role: "developer", content: [text("b"), { ...text("c"), cache_control: { type: "ephemeral" } }] },
      { role: "user", content: "Hi" }
    ],
    { system: [text("a"), text("b"), { ...text("c"), cache_control: { type: "ephemeral" } }] }
  )
  turns(
    "a system message between the user's and the assistant's turns, or at the end, stays there",
    [
      { role: "user", content: "a" },
      { role: "system", content: "b" },
      { role: "developer", content: "c" },
      { role: "assistant", content: "d" },
      { role: "user", content: "e" },
      { role: "system", content: "f" }
    ],
    {
      messages: [
        user(text("a")),
        { role: "system", content: [text("b"), text("c")] },
        assistant(text("d")),
        user(text("e")),
        { role: "system", content: [text("f")] }
      ]
    }
  )
  turns(
    "messages of one role in a row are one turn",
    [
      { role: "user", content: "a" },
      { role: "user", content: [text("b"), text("c")] },
      { role: "assistant", content: "d" },
      { role: "assistant", content: [text("e")] },
      { role: "user", content: "f" }
    ],
    { messages: [user(text("a"), text("b"), text("c")), assistant(text("d"), text("e")), user(text("f"))] }
  )
  turns(
    "calls of tools and their results, which are the user's",
    [
      { role: "user", content: "a" },
      { role: "assistant", content: "b", tool_calls: [call("x", '{"a":1}'), call("y", "")] },
      { role: "tool", tool_call_id: "x", content: "1" },
      { role: "tool", tool_call_id: "y", content: [text("2"), image("https://a/b.png")] },
      { role: "user", content: "c" }
    ],
    {
      messages: [
        user(text("a")),
        assistant(
          text("b"),
          { type: "tool_use", id: "x", name: "add", input: { a: 1 } },
          { type: "tool_use", id: "y", name: "add", input: {} }
        ),
        user(
          { type: "tool_result", tool_use_id: "x", content: [text("1")] },
          {
            type: "tool_result",
            tool_use_id: "y",
            content: [text("2"), { type: "image", source: { type: "url", url: "https://a/b.png" } }]
          },
          text("c")
        )
      ]
    }
  )
  turns(
    "what says nothing is left out: blank texts, and an assistant that only has these",
    [
      { role: "system", content: " \n" },
      { role: "user", content: [text(""), text("a"), text("\n\t")] },
      { role: "assistant", content: "" },
      { role: "assistant", content: null, refusal: null, tool_calls: [] },
      { role: "user", content: "b" },
      { role: "assistant", content: [], tool_calls: [call("x", "{}")] },
      { role: "tool", tool_call_id: "x", content: "" }
    ],
    {
      messages: [
        user(text("a"), text("b")),
        assistant({ type: "tool_use", id: "x", name: "add", input: {} }),
        user({ type: "tool_result", tool_use_id: "x" })
      ]
    }
  )
  turns(
    "what the assistant refused, it said",
    [
      { role: "user", content: "a" },
      { role: "assistant", content: null, refusal: "No." },
      { role: "user", content: "b" },
      { role: "assistant", content: [text("c"), { type: "refusal", refusal: "Never." }] },
      { role: "user", content: "d" }
    ],
    {
      messages: [
        user(text("a")),
        assistant(text("No.")),
        user(text("b")),
        assistant(text("c"), text("Never.")),
        user(text("d"))
      ]
    }
  )
  turns(
    "an answer to be continued",
    [
      { role: "user", content: "a" },
      { role: "assistant", content: "It is (" }
    ],
    {
      messages: [user(text("a")), assistant(text("It is ("))]
    }
  )
  turns(
    "an echo of an answer, with what other providers and clients put into it",
    [
      { role: "user", content: "a" },
      {
        role: "assistant",
        content: "b",
        refusal: null,
        annotations: [],
        audio: null,
        function_call: null,
        parsed: { b: 1 },
        reasoning: "r",
        reasoning_content: "r",
        reasoning_details: [{}],
        tool_calls: [
          {
            index: 0,
            id: "x",
            type: "function",
            function: { name: "add", arguments: "{}", parsed_arguments: {} },
            extra_content: { google: { thought_signature: "s" } }
          }
        ]
      },
      { role: "tool", tool_call_id: "x", name: "add", content: "1" }
    ],
    {
      messages: [
        user(text("a")),
        assistant(text("b"), { type: "tool_use", id: "x", name: "add", input: {} }),
        user({ type: "tool_result", tool_use_id: "x", content: [text("1")] })
      ]
    }
  )

  it.effect("half a surrogate pair in arguments is escaped, and not lost", () =>
    Effect.gen(function* () {
      const messages = [
        { role: "user", content: "Hi" },
        { role: "assistant", tool_calls: [call("a", '{"s":"\ud83d😀"}')] },
        { role: "tool", tool_call_id: "a", content: "ok" }
      ]
      assert.include(yield* sent(requestText({ messages })), '"input":{"s":"\\ud83d😀"}')
    })
  )

  it.effect("an id that Anthropic does not take is another one, the same for call and result", () =>
    Effect.gen(function* () {
      const ids = ["functions.add:0", "functions_add:0", "é", "a b"]
      const body = yield* sent(
        requestText({
          messages: [
            { role: "user", content: "a" },
            { role: "assistant", tool_calls: ids.map((id) => call(id, "{}")) },
            ...ids.map((id) => ({ role: "tool", tool_call_id: id, content: id }))
          ]
        })
      )
      const [, called, results] = JSON.parse(body).messages
      const names: ReadonlyArray<string> = called.content.map((block: { id: string }) => block.id)
      for (const name of names) assert.match(name, /^[a-zA-Z0-9_-]+$/)
      assert.strictEqual(new Set(names).size, ids.length)
      assert.deepStrictEqual(
        results.content.map((block: { tool_use_id: string }) => block.tool_use_id),
        names
      )
    })
  )

  it.effect("may have as many parts as a body can hold", () =>
    Effect.gen(function* () {
      const content = Array.from({ length: 150_000 }, () => text("a"))
      const ask = { role: "user", content }
      const [{ content: said }] = JSON.parse(yield* sent(requestText({ messages: [ask, ask] }))).messages
      assert.strictEqual(said.length, 300_000)
    })
  )
})

describe("Anthropic: a conversation that cannot be put in its words is not sent", () => {
  const says = (message: object) => ({ messages: [{ role: "user", content: "a" }, message] })
  refuses("what is no conversation", { messages: "a" }, "messages", "send one")
  for (const messages of [undefined, []]) {
    refuses("nothing said", { messages }, "messages", "send a user's message")
  }
  refuses(
    "system messages alone",
    { messages: [{ role: "system", content: "a" }] },
    "messages",
    "send a user's message"
  )
  for (const content of ["", " \n", null, undefined, []]) {
    refuses(
      `a user who says ${JSON.stringify(content)}`,
      { messages: [{ role: "user", content }] },
      "messages[0].content",
      "send a message that says something"
    )
  }
  for (const content of [1, {}]) {
    refuses(
      "content of another kind",
      { messages: [{ role: "user", content }] },
      "messages[0].content",
      "send text"
    )
  }
  for (const messages of [
    [
      { role: "user", content: "a" },
      { role: "assistant", content: "b" },
      { role: "system", content: "c" },
      { role: "user", content: "d" }
    ],
    [
      { role: "user", content: "a" },
      { role: "assistant", content: "b" },
      { role: "system", content: "c" }
    ]
  ]) {
    refuses(
      "a system message behind the assistant's",
      { messages },
      "messages[2].role",
      "move the system message to the beginning, or behind the last message of the user"
    )
  }
  refuses(
    "a system message between two of the user's",
    {
      messages: [
        { role: "user", content: "a" },
        { role: "system", content: "b" },
        { role: "user", content: "c" }
      ]
    },
    "messages[1].role",
    "move the system message to the beginning, or behind the last message of the user"
  )
  for (const role of ["function", "toString", 1, undefined]) {
    refuses(
      `the role ${role}`,
      says({ role, content: "b" }),
      "messages[1].role",
      "send it as system, developer, user, assistant or tool"
    )
  }
  refuses(
    "a speaker's name",
    { messages: [{ role: "user", name: "ann", content: "a" }] },
    "messages[0].name",
    "leave it out"
  )
  refuses(
    "what the assistant said aloud",
    says({ role: "assistant", audio: { id: "a" } }),
    "messages[1].audio",
    "leave it out"
  )
  refuses(
    "a call of old",
    says({ role: "assistant", function_call: {} }),
    "messages[1].function_call",
    "send it as one of `tool_calls`"
  )
  refuses(
    "calls that are no list",
    says({ role: "assistant", tool_calls: {} }),
    "messages[1].tool_calls",
    "send one"
  )
  refuses(
    "a custom call",
    says({ role: "assistant", tool_calls: [{ id: "a", type: "custom", custom: {} }] }),
    "messages[1].tool_calls[0].custom",
    "leave it out"
  )
  for (const args of ["{", "[]", "1", '"a"', "null", "{}{}"]) {
    refuses(
      `arguments that are ${args}`,
      says({ role: "assistant", tool_calls: [call("a", args)] }),
      "messages[1].tool_calls[0].function.arguments",
      "send one as text, as a model writes it"
    )
  }
  for (const id of ["", undefined, 1]) {
    refuses(
      `the call ${id}`,
      says({ role: "assistant", tool_calls: [{ ...call("a", "{}"), id }] }),
      "messages[1].tool_calls[0].id",
      "send the id of the call"
    )
    refuses(
      `the result of ${id}`,
      says({ role: "tool", tool_call_id: id, content: "b" }),
      "messages[1].tool_call_id",
      "send the id of the call"
    )
  }
  for (const type of ["input_audio", "video_url", undefined]) {
    refuses(
      `a part that is ${type}`,
      { messages: [user({ type })] },
      "messages[0].content[0].type",
      "send it as text"
    )
  }
  refuses(
    "an image of a system message",
    { messages: [{ role: "system", content: [image("http://a")] }] },
    "messages[0].content[0].type",
    "send it as text"
  )
  refuses(
    "a part's unknown field",
    { messages: [user({ ...text("a"), foo: 1 })] },
    "messages[0].content[0].foo",
    "leave it out"
  )
})
