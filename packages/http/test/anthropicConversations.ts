import { FastCheck } from "effect"

// A model of Anthropic's API, told apart from the code that is tested: what it takes, and what it reads in it.

/** JSON with its numbers as texts, so that none of them is rounded. */
export const exact = (json: string): unknown =>
  JSON.parse(
    json.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
      token.startsWith('"') ? token : `"#${token}"`
    )
  )

const isBlank = (text: string): boolean => text.trim() === ""

export const words: FastCheck.Arbitrary<string> = FastCheck.oneof(
  FastCheck.string({ maxLength: 8 }),
  FastCheck.string({ unit: "grapheme", maxLength: 4 }),
  FastCheck.constantFrom(
    "",
    " ",
    "\n",
    "\u2028",
    "\ud83d",
    "👩‍👩‍👧",
    '"\\',
    "data: [DONE]\n\n",
    "\uFEFF",
    "\0"
  )
)

const said: FastCheck.Arbitrary<string> = words.map((text) => `${text}.`)

const number = FastCheck.oneof(
  FastCheck.integer().map(String),
  FastCheck.constantFrom("9007199254740993", "-0", "1.0", "1e400", "0.10", "123456789012345678901234567890")
)

const quoted = FastCheck.oneof(
  words.map((text) => JSON.stringify(text)),
  FastCheck.constantFrom('"\\u00e9"', '"\\ud83d"', '"\\/"')
)

const space = FastCheck.constantFrom("", " ", "\n\t")

/** Texts of JSON objects, with numbers that JavaScript has not, keys given twice and white space. */
export const { object: jsonObject } = FastCheck.letrec<{ object: string; array: string; value: string }>(
  (tie) => ({
    value: FastCheck.oneof(
      { depthSize: "small", withCrossShrink: true },
      FastCheck.oneof(number, quoted, FastCheck.constantFrom("true", "null")),
      tie("array"),
      tie("object")
    ),
    array: FastCheck.tuple(space, FastCheck.array(tie("value"), { maxLength: 3 })).map(
      ([space, items]) => `[${space}${items.join(`${space},`)}${space}]`
    ),
    object: FastCheck.tuple(
      space,
      FastCheck.array(FastCheck.tuple(quoted, tie("value")), { maxLength: 3 })
    ).map(
      ([space, members]) =>
        `{${space}${members.map(([key, value]) => `${key}${space}:${value}`).join(`,${space}`)}${space}}`
    )
  })
)

interface Call {
  readonly id: string
  readonly type: "function"
  readonly function: { readonly name: string; readonly arguments: string }
}

interface Spoken {
  readonly role: string
  readonly content?: string | null | ReadonlyArray<{ readonly type: "text"; readonly text: string }>
  readonly tool_calls?: ReadonlyArray<Call>
  readonly tool_call_id?: string
}

const contents = (text: FastCheck.Arbitrary<string>) =>
  FastCheck.oneof(
    text,
    FastCheck.array(text, { minLength: 1, maxLength: 3 }).map((texts) =>
      texts.map((text) => ({ type: "text" as const, text }))
    )
  )

const user = contents(said).map((content): Spoken => ({ role: "user", content }))
const system = FastCheck.tuple(FastCheck.constantFrom("system", "developer"), contents(words)).map(
  ([role, content]): Spoken => ({ role, content })
)

export const ids = FastCheck.oneof(
  FastCheck.stringMatching(/^toolu_[a-zA-Z0-9]{4}$/),
  FastCheck.stringMatching(/^functions\.[a-z]{2}:[0-9]$/),
  FastCheck.string({ minLength: 1, maxLength: 4 })
)

const calls = FastCheck.uniqueArray(FastCheck.tuple(ids, said, jsonObject), {
  selector: ([id]) => id,
  maxLength: 20
}).map((calls) =>
  calls.map(([id, name, args]): Call => ({ id, type: "function", function: { name, arguments: args } }))
)

const assistant = FastCheck.tuple(
  FastCheck.oneof(contents(words), FastCheck.constant(null)),
  calls,
  words
).map(
  ([content, tool_calls, result]): ReadonlyArray<Spoken> => [
    { role: "assistant", content, ...(tool_calls.length > 0 && { tool_calls }) },
    ...tool_calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: `${result}${id}` }))
  ]
)

const round = FastCheck.tuple(
  FastCheck.array(user, { minLength: 1, maxLength: 2 }),
  assistant,
  FastCheck.option(said, { nil: undefined })
)

/** A conversation as OpenAI allows it, and as far as Anthropic has a place for its system messages. */
export const conversations: FastCheck.Arbitrary<ReadonlyArray<Spoken>> = FastCheck.tuple(
  FastCheck.array(system, { maxLength: 2 }),
  FastCheck.array(round, { maxLength: 3 }),
  user,
  FastCheck.array(system, { maxLength: 2 })
).map(([head, rounds, last, tail]) => [
  ...head,
  ...rounds.flatMap(([users, answer, aside]) =>
    // Where the assistant says nothing there is no turn of its own to stand before.
    aside === undefined || turnOf(answer[0]!).length === 0
      ? [...users, ...answer]
      : [...users, { role: "system", content: aside }, ...answer]
  ),
  last,
  ...tail
])

const texts = (content: Spoken["content"]): ReadonlyArray<string> =>
  (typeof content === "string" ? [content] : (content ?? []).map(({ text }) => text)).filter(
    (text) => !isBlank(text)
  )

const turnOf = ({ content, tool_calls = [] }: Spoken): ReadonlyArray<unknown> => [
  ...texts(content),
  ...tool_calls
]

/** Who says what, in order, as OpenAI tells it; the calls of tools are numbered. */
export const script = (messages: ReadonlyArray<Spoken>): ReadonlyArray<unknown> => {
  const numbers = new Map<string, number>()
  let calls = 0
  return messages.flatMap(({ content, role, tool_call_id = "", tool_calls = [] }): ReadonlyArray<unknown> => {
    if (role === "tool") return [["user", "result", numbers.get(tool_call_id), texts(content)]]
    const speaker = role === "developer" ? "system" : role
    return [
      ...texts(content).map((text) => [speaker, "text", text]),
      ...tool_calls.map((call) => {
        numbers.set(call.id, calls)
        return [speaker, "call", calls++, call.function.name, exact(call.function.arguments)]
      })
    ]
  })
}

interface Block {
  readonly type: string
  readonly text: string
  readonly id: string
  readonly name: string
  readonly input: unknown
  readonly tool_use_id: string
  readonly content?: ReadonlyArray<Block>
}

interface Asked {
  readonly system?: ReadonlyArray<Block>
  readonly messages: ReadonlyArray<{ readonly role: string; readonly content: ReadonlyArray<Block> }>
}

const broken = (rule: string): never => {
  throw new Error(`Anthropic's API answers 400: ${rule}`)
}

/** The same of a request as Anthropic reads it, once it has found that the request keeps its rules. */
export const read = (request: string): ReadonlyArray<unknown> => {
  const { messages, system = [] } = exact(request) as Asked
  const numbers = new Map<string, number>()
  let calls = 0
  const lines: Array<unknown> = system.map((block) => ["system", "text", spoken(block)])
  for (const [index, { content, role }] of messages.entries()) {
    const [before, after] = [messages[index - 1], messages[index + 1]]
    if (content.length === 0) broken("empty content")
    if (before === undefined && role !== "user") broken("the first turn is the user's")
    if (before?.role === role) broken("two turns of one role")
    if (
      role === "system" &&
      (before?.role !== "user" || (after !== undefined && after.role !== "assistant"))
    ) {
      broken("a misplaced system message")
    }
    const open = before?.role === "assistant" ? before.content.filter(({ type }) => type === "tool_use") : []
    const results = content.slice(0, open.length)
    if (String(open.map(({ id }) => id)) !== String(results.map(({ tool_use_id }) => tool_use_id))) {
      broken("calls without results")
    }
    for (const block of content) {
      if (block.type === "text") lines.push([role, "text", spoken(block)])
      else if (block.type === "tool_use" && role === "assistant") {
        if (!/^[a-zA-Z0-9_-]+$/.test(block.id)) broken("an id")
        if (open.some(({ id }) => id === block.id)) broken("an id given twice")
        numbers.set(block.id, calls)
        lines.push([role, "call", calls++, block.name, block.input])
      } else if (block.type === "tool_result" && role === "user") {
        lines.push([role, "result", numbers.get(block.tool_use_id), (block.content ?? []).map(spoken)])
      } else broken(`a ${block.type} of ${role}`)
    }
  }
  return lines
}

const spoken = ({ text, type }: Block): string =>
  type !== "text" || isBlank(text) ? broken("a blank text") : text
