import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Decision, tables } from "../src/internal/anthropic/fields.ts"
import { refused, refuses, requestText, sends, sent } from "./anthropic.ts"

const tool = { type: "function", function: { name: "add", parameters: { type: "object" } } }

const essential: ReadonlySet<string> = new Set(["model", "messages"])

describe("Anthropic: a request", () => {
  sends("that says little", {}, {})
  sends("max_tokens", { max_tokens: 5 }, { max_tokens: 5 })
  sends("max_completion_tokens goes first", { max_tokens: 5, max_completion_tokens: 7 }, { max_tokens: 7 })
  sends("one stop is a list of one", { stop: "END" }, { stop_sequences: ["END"] })
  sends("stops", { stop: ["a", "\n\nb"] }, { stop_sequences: ["a", "\n\nb"] })
  sends("temperature and top_p", { temperature: 1, top_p: 0.5 }, { temperature: 1, top_p: 0.5 })
  sends("the user", { user: "u1" }, { metadata: { user_id: "u1" } })
  sends(
    "the safety identifier before the user",
    { user: "u1", safety_identifier: "s1" },
    { metadata: { user_id: "s1" } }
  )
  sends(
    "fields of Anthropic's own",
    { top_k: 5, thinking: { type: "enabled", budget_tokens: 1024 }, cache_control: { type: "ephemeral" } },
    { top_k: 5, thinking: { type: "enabled", budget_tokens: 1024 }, cache_control: { type: "ephemeral" } }
  )
  for (const [asked, effort] of [
    ["minimal", "low"],
    ["low", "low"],
    ["medium", "medium"],
    ["high", "high"],
    ["xhigh", "xhigh"],
    ["max", "max"]
  ]) {
    sends(`an effort of ${asked}`, { reasoning_effort: asked }, { output_config: { effort } })
  }
  sends("no effort at all", { reasoning_effort: "none" }, { thinking: { type: "disabled" } })
  sends(
    "null asks for nothing",
    Object.fromEntries(
      ["foo", ...Object.keys(tables.request)].flatMap((field) =>
        essential.has(field) ? [] : [[field, null]]
      )
    ),
    {}
  )

  it.effect("another default of tokens", () =>
    Effect.gen(function* () {
      assert.include(yield* sent(requestText(), { maxTokens: 99 }), '"max_tokens":99,')
      assert.include(yield* sent(requestText({ max_tokens: 1 }), { maxTokens: 99 }), '"max_tokens":1,')
    })
  )

  it.effect("numbers, schemas and arguments go as they are written, twice-given keys and all", () =>
    Effect.gen(function* () {
      const schema = '{ "type":"object", "maximum":9007199254740993, "maximum":1e400, "x":{"x":1.0} }'
      const args = '{ \\"n\\": 9007199254740993, \\"n\\": 1.0, \\"s\\": \\"\\\\u00e9\\\\ud800\\" }'
      const body = yield* sent(
        `{"model":"chat","temperature":0.50,"top_p":1.0,"max_tokens":1e3,"messages":[` +
          `{"role":"user","content":"\\u00e9 é \\ud83d"},` +
          `{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"${args}"}}]},` +
          `{"role":"tool","tool_call_id":"a","content":"ok"}],` +
          `"tools":[{"type":"function","function":{"name":"f","parameters":${schema}}}],` +
          `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":${schema}}}}`
      )
      for (const piece of [
        '"temperature":0.50,',
        '"top_p":1.0,',
        '"max_tokens":1e3,',
        `"input_schema":${schema}`,
        `"schema":${schema}`,
        '"input":{ "n": 9007199254740993, "n": 1.0, "s": "\\u00e9\\ud800" }',
        '"text":"é é \\ud83d"'
      ]) {
        assert.include(body, piece)
      }
    })
  )

  it.effect(
    "white space around and a key that is escaped or given twice are read as JSON.parse reads them",
    () =>
      Effect.gen(function* () {
        const messages =
          '"messages":[{"role":"user","content":"no"}],"m\\u0065ssages":[{"role":"user","content":"yes"}]'
        const body = yield* sent(` \n{"model":"chat", ${messages}, "top_p":1, "t\\u006fp_p": 0.50 }\n`)
        assert.include(body, '[{"type":"text","text":"yes"}]')
        assert.include(body, '"top_p":0.50')
      })
  )
})

describe("Anthropic: tools", () => {
  const input_schema = { type: "object" }
  const tools = [{ name: "add", input_schema }]
  sends(
    "with all they may have, and with nothing",
    {
      tools: [
        {
          type: "function",
          function: { name: "add", description: "Adds.", parameters: input_schema, strict: true },
          cache_control: { type: "ephemeral" }
        },
        { type: "function", function: { name: "now" } }
      ]
    },
    {
      tools: [
        {
          name: "add",
          description: "Adds.",
          input_schema,
          strict: true,
          cache_control: { type: "ephemeral" }
        },
        { name: "now", input_schema: { type: "object", properties: {} } }
      ]
    }
  )
  for (const [tool_choice, type] of [
    ["auto", "auto"],
    ["none", "none"],
    ["required", "any"]
  ]) {
    sends(`chosen by ${tool_choice}`, { tools: [tool], tool_choice }, { tools, tool_choice: { type } })
  }
  sends(
    "chosen by name",
    { tools: [tool], tool_choice: { type: "function", function: { name: "add" } } },
    { tools, tool_choice: { type: "tool", name: "add" } }
  )
  for (const [tool_choice, type] of [
    [undefined, "auto"],
    ["auto", "auto"],
    ["required", "any"]
  ]) {
    sends(
      `one at a time, chosen by ${tool_choice}`,
      { tools: [tool], tool_choice, parallel_tool_calls: false },
      { tools, tool_choice: { type, disable_parallel_tool_use: true } }
    )
  }
  sends(
    "none, one at a time",
    { tools: [tool], tool_choice: "none", parallel_tool_calls: false },
    { tools, tool_choice: { type: "none" } }
  )
  sends("in parallel is how it is", { tools: [tool], parallel_tool_calls: true }, { tools })
  sends("none to choose from", { tools: [], tool_choice: "auto", parallel_tool_calls: false }, {})
  for (const tool_choice of ["required", { type: "function", function: { name: "add" } }]) {
    refuses("one asked for and none there", { tool_choice }, "tool_choice", "send `tools`, or leave it out")
  }
  for (const tool_choice of ["any", "toString", 1, {}, { type: "allowed_tools", allowed_tools: {} }]) {
    refuses(
      `a choice of ${JSON.stringify(tool_choice)}`,
      { tools: [tool], tool_choice },
      "tool_choice",
      "send none, auto, required or a function's name"
    )
  }
  refuses(
    "custom ones",
    { tools: [{ type: "custom", custom: { name: "a" } }] },
    "tools[0].type",
    "send a function"
  )
})

describe("Anthropic: the format of an answer", () => {
  const schema = { type: "object", additionalProperties: false }
  const json_schema = { name: "city", strict: true, schema }
  sends("text", { response_format: { type: "text" } }, {})
  sends(
    "a schema",
    { response_format: { type: "json_schema", json_schema } },
    { output_config: { format: { type: "json_schema", schema } } }
  )
  sends(
    "a schema and an effort",
    { response_format: { type: "json_schema", json_schema }, reasoning_effort: "high" },
    { output_config: { effort: "high", format: { type: "json_schema", schema } } }
  )
  refuses(
    "any JSON",
    { response_format: { type: "json_object" } },
    "response_format.type",
    "send a schema, as json_schema"
  )
  refuses(
    "no schema",
    { response_format: { type: "json_schema", json_schema: { name: "a" } } },
    "response_format.json_schema.schema",
    "send one"
  )
})

describe("Anthropic: what cannot be put in its words is not sent", () => {
  refuses("a temperature above its scale", { temperature: 1.01 }, "temperature", "send 1 or less")
  refuses("a stop of white space", { stop: ["a", "\n"] }, "stop", "leave it out")
  refuses(
    "an effort of its own",
    { reasoning_effort: "huge" },
    "reasoning_effort",
    "send one of none, minimal, low, medium, high, xhigh, max"
  )
  refuses("a tool's unknown field", { tools: [{ ...tool, foo: 1 }] }, "tools[0].foo", "leave it out")
  refuses("a stream's unknown option", { stream_options: { foo: 1 } }, "stream_options.foo", "leave it out")
  for (const key of ["foo", "__proto__", "constructor", ""]) {
    it.effect(`the unknown field "${key}"`, () =>
      Effect.gen(function* () {
        const body = requestText().replace("{", `{${JSON.stringify(key)}:1,`)
        assert.strictEqual((yield* refused(body)).param, key)
      })
    )
  }
})

/** A value of each field that asks for something. */
const asking: Readonly<Record<string, unknown>> = {
  model: "chat",
  messages: [{ role: "user", content: "Ho" }],
  stream: true,
  stream_options: { include_usage: true, include_obfuscation: true },
  stop: "END",
  thinking: { type: "adaptive" },
  cache_control: { type: "ephemeral" },
  response_format: { type: "json_schema", json_schema: { name: "a", schema: {} } },
  reasoning_effort: "low",
  tools: [tool],
  logprobs: true,
  verbosity: "low",
  modalities: ["text", "audio"],
  logit_bias: { "1": 1 },
  functions: [{}]
}

/** What these fields can only be seen with. */
const beside: Readonly<Record<string, object>> = {
  tool_choice: { tools: [tool], tool_choice: "none" },
  parallel_tool_calls: { tools: [tool], parallel_tool_calls: false }
}

describe("Anthropic: the table of fields", () => {
  for (const [field, decision] of Object.entries<Decision>(tables.request)) {
    it.effect(`${field} is ${typeof decision === "string" ? decision : "refused"}`, () =>
      Effect.gen(function* () {
        const fields = beside[field] ?? { [field]: field in asking ? asking[field] : 0.5 }
        const body = requestText(fields)
        const { [field]: _, ...without } = fields as Record<string, unknown>
        if (typeof decision === "string") {
          // The first three are seen elsewhere: the model is the tier's, and a stream's options are ours to heed.
          const same = decision === "passed over" || field === "model" || field === "stream_options"
          assert.strictEqual((yield* sent(body)) === (yield* sent(requestText(without))), same)
        } else {
          const told = yield* refused(body)
          assert.strictEqual(told.param, field)
          assert.include(told.message, decision.remedy)
          for (const value of [null, ...(decision.butFor ?? [])]) {
            assert.strictEqual(yield* sent(requestText({ [field]: value })), yield* sent(requestText()))
          }
        }
      })
    )
  }

  it("is the one that the guide shows", () => {
    const guide = readFileSync(new URL("../../../docs/anthropic.md", import.meta.url), "utf8")
    const rows = [...guide.matchAll(/^\| ((?:`\w+`(?:, )?)+) +\| (translated|passed over|refused)\b/gm)]
    const shown = rows.flatMap(([, names = "", decision]) =>
      [...names.matchAll(/\w+/g)].map(([name]) => [name, decision] as const)
    )
    const decided = Object.entries<Decision>(tables.request).map(
      ([field, decision]) => [field, typeof decision === "string" ? decision : "refused"] as const
    )
    assert.deepStrictEqual(Object.fromEntries(shown), Object.fromEntries(decided))
  })
})
