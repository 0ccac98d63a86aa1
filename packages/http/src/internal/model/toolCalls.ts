import * as Json from "../bytes/json.ts"
import { type Fields, filled, merge } from "./fields.ts"
import type { ToolCall } from "./request.ts"

/** A piece of a call, and the call's index. */
interface Piece {
  readonly index: number
  readonly id: string | undefined
  readonly name: string | undefined
  readonly arguments: string
}

/** The calls of a whole message. */
export const read = (calls: unknown): ReadonlyArray<ToolCall> =>
  Json.asArray(calls).flatMap((value) => {
    const call = parts(value)
    return call === undefined ? [] : [toolCall(call)]
  })

/** Assembles the calls of a stream. */
export const makeReader = () => {
  const calls: Array<Call> = []
  const byId = new Map<string, Call>()
  /** Under `undefined`, the latest of all. */
  const latest = new Map<number | undefined, Call>()

  const open = ({ id, name, number }: Parts): Call => {
    const call: Call = { index: calls.length, number, id, name, arguments: "", isNamedAgain: false, rest: {} }
    calls.push(call)
    return call
  }

  const find = ({ id, number }: Parts): Call | undefined => {
    const known = id === undefined ? undefined : byId.get(id)
    return known !== undefined && (number ?? known.number) === known.number ? known : latest.get(number)
  }

  return {
    push: (value: unknown): ReadonlyArray<Piece> => {
      const said = parts(value)
      if (said === undefined) return []
      const found = find(said)
      const piece = found?.isNamedAgain ? { ...said, name: said.name ?? found.name } : said
      const call = found === undefined || begins(piece, found) ? open(piece) : found
      const { arguments: text, id, name, number, rest } = piece
      call.isNamedAgain = name !== undefined && text === "" && call.arguments !== ""
      call.id ??= id
      call.name ??= name
      call.arguments += text
      merge(call.rest, rest)
      if (call.id !== undefined) byId.set(call.id, call)
      latest.set(undefined, call)
      latest.set(number, call)
      // Some servers invent an id for every piece (poolsideai/pool#9): the first one counts.
      return [{ index: call.index, id: id === call.id ? id : undefined, name, arguments: text }]
    },
    end: (): ReadonlyArray<ToolCall> => calls.map(toolCall)
  }
}

interface Parts {
  /** The server's own number. */
  readonly number: number | undefined
  readonly id: string | undefined
  readonly name: string | undefined
  readonly arguments: string
  readonly rest: Fields
}

interface Call extends Parts {
  /** In order of appearance, since servers' numbers may start anywhere (pipecat-ai/pipecat#4987) or be missing. */
  readonly index: number
  id: string | undefined
  name: string | undefined
  arguments: string
  /** Whether its last piece was its name and nothing more, behind arguments: the next one may be of one more call. */
  isNamedAgain: boolean
}

/**
 * Whether a piece is not of the call that its id or number is of, but of one more: adapters of Gemini number every call 0
 * (omnigent-ai/omnigent#28), some without an id (NousResearch/hermes-agent#62937), and others do not number them at all. Two calls
 * of one name are told apart by the first one's arguments being whole, in however many pieces they came.
 * What has no name goes on with a call, and so does what says the name again as arguments go on.
 */
const begins = ({ arguments: text, id, name, number }: Parts, call: Call): boolean => {
  if (name === undefined) return false
  if (call.name !== undefined && call.name !== name) return true
  if (id !== undefined && call.id !== undefined) return id !== call.id
  if (number === undefined) return call.arguments !== ""
  return text.trimStart().startsWith("{") && isWhole(call.arguments)
}

/** Nothing can follow these arguments. */
const isWhole = (text: string): boolean =>
  text.trimEnd().endsWith("}") && Json.asObject(Json.parse(text)) !== undefined

const parts = (value: unknown): Parts | undefined => {
  const fields = Json.asObject<string>(value)
  if (fields === undefined) return undefined
  const { function: called, id, index, type: _, ...rest } = fields
  const { arguments: json, name } = Json.asObject<"name" | "arguments">(called) ?? {}
  return {
    number: typeof index === "number" ? index : undefined,
    id: Json.asText(id),
    name: Json.asText(name),
    // Some servers send an object instead of its text.
    arguments: typeof json === "string" ? json : Json.isGiven(json) ? JSON.stringify(json) : "",
    rest
  }
}

const toolCall = ({ arguments: text, id = "", name = "", rest }: Parts): ToolCall => {
  const extra = filled(rest)
  return { id, name, arguments: text, ...(extra && { extra }) }
}
