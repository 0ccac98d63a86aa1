import * as Either from "effect/Either"
import * as Json from "../bytes/json.ts"
import * as RawJson from "../bytes/rawJson.ts"
import { eachOf, fieldsOf, isBlank, noCounterpart, refuse, type Translation, textOf } from "./fields.ts"
import { documentBlock, imageBlock } from "./media.ts"

/** A translated conversation. */
interface Conversation {
  /** Blocks. */
  readonly system: ReadonlyArray<RawJson.Text>
  readonly messages: ReadonlyArray<RawJson.Text>
}

interface Turn {
  readonly role: "user" | "assistant" | "system"
  readonly blocks: Array<RawJson.Text>
  /** The path of the turn's first message. */
  readonly path: string
}

/**
 * - System messages at the beginning are the system prompt. A later one stays where it is, which Anthropic allows
 *   between a user's turn and the assistant's, or at the end; elsewhere it is refused.
 * - Consecutive messages of the same role form one turn, and tool results are the user's.
 * - Blank texts are left out, since Anthropic rejects them, and so are empty assistant messages.
 */
export const conversation = (value: unknown): Translation<Conversation> =>
  Either.gen(function* () {
    const system: Array<RawJson.Text> = []
    const turns: Array<Turn> = []
    for (const { blocks, path, role } of yield* eachOf(value, "messages", message)) {
      const last = turns.at(-1)
      const open =
        role === "system" && last === undefined ? system : last?.role === role ? last.blocks : undefined
      if (open === undefined && blocks.length > 0) turns.push({ role, blocks: [...blocks], path })
      for (const block of open === undefined ? [] : blocks) open?.push(block)
    }
    yield* checkPlaces(turns)
    return {
      system,
      messages: turns.map(({ blocks, role }) =>
        RawJson.object({ role: JSON.stringify(role), content: RawJson.array(blocks) })
      )
    }
  })

const checkPlaces = (turns: ReadonlyArray<Turn>): Translation<void> => {
  if (turns.length === 0) return refuse("messages", "says nothing", "send a user's message")
  const misplaced = turns.find(
    ({ role }, index) =>
      role === "system" && (turns[index - 1]?.role !== "user" || turns[index + 1]?.role === "user")
  )
  return misplaced === undefined
    ? Either.void
    : refuse(
        `${misplaced.path}.role`,
        `${noCounterpart} in this place`,
        "move the system message to the beginning, or behind the last message of the user"
      )
}

interface Message {
  readonly role: Turn["role"]
  readonly blocks: ReadonlyArray<RawJson.Text>
  readonly path: string
}

const message = (value: unknown, path: string): Translation<Message> => {
  switch (Json.asObject<"role">(value)?.role) {
    case "system":
    case "developer":
      return Either.flatMap(fieldsOf(value, "system", path), (fields) =>
        Either.map(content(fields.content, `${path}.content`, textPart), (blocks) => ({
          role: "system",
          blocks,
          path
        }))
      )
    case "user":
      return userMessage(value, path)
    case "assistant":
      return assistantMessage(value, path)
    case "tool":
      return toolMessage(value, path)
    default:
      return refuse(`${path}.role`, noCounterpart, "send it as system, developer, user, assistant or tool")
  }
}

const userMessage = (value: unknown, path: string): Translation<Message> =>
  Either.flatMap(fieldsOf(value, "user", path), (fields) =>
    Either.flatMap(content(fields.content, `${path}.content`, userPart), (blocks) =>
      blocks.length === 0
        ? refuse(`${path}.content`, "is blank", "send a message that says something")
        : Either.right({ role: "user", blocks, path })
    )
  )

const assistantMessage = (value: unknown, path: string): Translation<Message> =>
  Either.gen(function* () {
    const fields = yield* fieldsOf(value, "assistant", path)
    const said = yield* content(fields.content, `${path}.content`, assistantPart)
    const refused = yield* textBlock(fields.refusal, `${path}.refusal`)
    const calls = yield* eachOf(fields.tool_calls, `${path}.tool_calls`, toolUse)
    return { role: "assistant", blocks: [...said, ...refused, ...calls], path }
  })

const toolMessage = (value: unknown, path: string): Translation<Message> =>
  Either.gen(function* () {
    const fields = yield* fieldsOf(value, "tool", path)
    const blocks = yield* content(fields.content, `${path}.content`, userPart)
    const result = RawJson.object({
      type: '"tool_result"',
      tool_use_id: JSON.stringify(yield* toolId(fields.tool_call_id, `${path}.tool_call_id`)),
      content: blocks.length === 0 ? undefined : RawJson.array(blocks)
    })
    return { role: "user", blocks: [result], path }
  })

/** Blocks; empty for blank text. */
type Blocks = Translation<ReadonlyArray<RawJson.Text>>

const content = (value: unknown, path: string, part: (value: unknown, path: string) => Blocks): Blocks =>
  Array.isArray(value)
    ? Either.map(eachOf(value, path, part), (blocks) => blocks.flat())
    : textBlock(value, path)

const typeOf = (part: unknown): unknown => Json.asObject<"type">(part)?.type

const textPart = (value: unknown, path: string): Blocks =>
  typeOf(value) === "text"
    ? Either.flatMap(fieldsOf(value, "text", path), ({ cache_control, text }) =>
        textBlock(text, `${path}.text`, cache_control)
      )
    : refuse(`${path}.type`, `${noCounterpart} in this place`, "send it as text")

const userPart = (value: unknown, path: string): Blocks => {
  switch (typeOf(value)) {
    case "image_url":
      return Either.map(imageBlock(value, path), (block) => [block])
    case "file":
      return Either.map(documentBlock(value, path), (block) => [block])
    default:
      return textPart(value, path)
  }
}

const assistantPart = (value: unknown, path: string): Blocks =>
  typeOf(value) === "refusal"
    ? Either.flatMap(fieldsOf(value, "refusal", path), ({ refusal }) => textBlock(refusal, `${path}.refusal`))
    : textPart(value, path)

const textBlock = (value: unknown, path: string, cache_control?: unknown): Blocks =>
  value === undefined || value === null || isBlank(value)
    ? Either.right([])
    : Either.map(textOf(value, path), (text) => [JSON.stringify({ type: "text", text, cache_control })])

const toolUse = (value: unknown, path: string): Translation<RawJson.Text> =>
  Either.gen(function* () {
    const call = yield* fieldsOf(value, "toolCall", path)
    const at = `${path}.function`
    const called = yield* fieldsOf(call.function, "calledFunction", at)
    return RawJson.object({
      type: '"tool_use"',
      id: JSON.stringify(yield* toolId(call.id, `${path}.id`)),
      name: JSON.stringify(yield* textOf(called.name, `${at}.name`)),
      input: yield* toolInput(called.arguments, `${at}.arguments`)
    })
  })

/** The arguments verbatim: parsing them would lose large numbers and duplicate keys. */
const toolInput = (value: unknown, path: string): Translation<RawJson.Text> => {
  if (value === undefined || value === "") return Either.right("{}")
  return typeof value === "string" && Json.asObject(Json.parse(value)) !== undefined
    ? Either.right(RawJson.wellFormed(value))
    : refuse(path, "is no JSON object", "send one as text, as a model writes it")
}

/**
 * Anthropic's ids consist of letters, digits, `_` and `-`, unlike those of some models. Since an id only links a result
 * to its call, it can be replaced consistently.
 */
const toolId = (value: unknown, path: string): Translation<string> => {
  if (typeof value !== "string" || value === "") return refuse(path, "is missing", "send the id of the call")
  return Either.right(
    /^[\w-]+$/.test(value)
      ? value
      : value.replace(/[^a-zA-Z0-9-]/g, (char) => `_${char.charCodeAt(0).toString(16)}_`)
  )
}
