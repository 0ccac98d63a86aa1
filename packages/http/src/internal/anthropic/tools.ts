import * as Either from "effect/Either"
import * as Json from "../bytes/json.ts"
import * as RawJson from "../bytes/rawJson.ts"
import { eachOf, type Fields, fieldsOf, noCounterpart, refuse, type Translation, textOf } from "./fields.ts"

/** The tools of a request, and the tool choice. */
interface ToolFields {
  readonly tools: RawJson.Text | undefined
  readonly tool_choice: RawJson.Text | undefined
}

/** `written` are the tools' original texts. Without tools, Anthropic accepts no tool choice. */
export const toolFields = (
  { parallel_tool_calls, tool_choice, tools }: Fields<"request">,
  written: RawJson.Value | undefined
): Translation<ToolFields> =>
  Either.gen(function* () {
    const choice = yield* toolChoice(tool_choice)
    const values = RawJson.items(written)
    const all = yield* eachOf(tools, "tools", (value, path, index) => tool(value, path, values[index]))
    if (all.length > 0) {
      return { tools: RawJson.array(all), tool_choice: choiceJson(choice, parallel_tool_calls === false) }
    }
    return choice?.type === "any" || choice?.type === "tool"
      ? yield* refuse("tool_choice", "asks for a tool where there is none", "send `tools`, or leave it out")
      : { tools: undefined, tool_choice: undefined }
  })

const tool = (value: unknown, path: string, written: RawJson.Value | undefined): Translation<RawJson.Text> =>
  Either.gen(function* () {
    if (Json.asObject<"type">(value)?.type !== "function") {
      return yield* refuse(`${path}.type`, noCounterpart, "send a function")
    }
    const fields = yield* fieldsOf(value, "tools", path)
    const at = `${path}.function`
    const { description, name, parameters, strict } = yield* fieldsOf(fields.function, "function", at)
    const schema = parameters === undefined ? undefined : RawJson.at(written, "function", "parameters")
    return RawJson.object({
      name: RawJson.text(yield* textOf(name, `${at}.name`)),
      description: RawJson.text(description),
      input_schema: RawJson.written(schema) ?? '{"type":"object","properties":{}}',
      strict: RawJson.text(strict),
      cache_control: RawJson.text(fields.cache_control)
    })
  })

interface Choice {
  readonly type: "auto" | "any" | "none" | "tool"
  readonly name?: string
}

const choices: Readonly<Record<string, Choice>> = {
  auto: { type: "auto" },
  none: { type: "none" },
  required: { type: "any" }
}

const toolChoice = (value: unknown): Translation<Choice | undefined> =>
  Either.gen(function* () {
    if (value === undefined) return undefined
    if (typeof value === "string" && Object.hasOwn(choices, value)) return choices[value]
    if (Json.asObject<"type">(value)?.type !== "function") {
      return yield* refuse("tool_choice", noCounterpart, "send none, auto, required or a function's name")
    }
    const chosen = yield* fieldsOf(value, "toolChoice", "tool_choice")
    const path = "tool_choice.function"
    const { name } = yield* fieldsOf(chosen.function, "chosenFunction", path)
    return { type: "tool", name: yield* textOf(name, `${path}.name`) }
  })

const choiceJson = (choice: Choice | undefined, oneAtATime: boolean): RawJson.Text | undefined => {
  const asked = choice ?? (oneAtATime ? choices["auto"] : undefined)
  return RawJson.text(
    asked && oneAtATime && asked.type !== "none" ? { ...asked, disable_parallel_tool_use: true } : asked
  )
}
