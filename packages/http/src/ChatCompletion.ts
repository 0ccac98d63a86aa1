/**
 * Thin views over chat completions: what the pipeline needs to know of a request, a chunk and an answer, read without
 * changing their bytes.
 *
 * Parsing JSON and writing it again loses large integers, duplicate keys and number formats. So the bytes are kept, a
 * view is read from them, and the model's name, the one thing that differs between tiers, is replaced in place.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import { isTooDeep, maxDepth } from "./internal/bytes/depth.ts"
import * as Json from "./internal/bytes/json.ts"
import * as RawJson from "./internal/bytes/rawJson.ts"
import * as Utf8 from "./internal/bytes/utf8.ts"
import { readChoices, readUsage } from "./internal/provider/choice.ts"
import { isError } from "./internal/provider/errorBody.ts"

/**
 * The parts of a request that the gateway uses; everything else stays in its bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChatRequest {
  /** The model requested by the caller: the name of a route. */
  readonly model: string
  readonly stream: boolean
  /** How many choices it asks for, if more than one. */
  readonly n?: number | undefined
  /**
   * The beginning of the answer, which is to be continued. Only for a provider that can, see `Provider.prefill`; it is
   * not part of the body.
   */
  readonly prefix?: string | undefined
  /** The request's original bytes. */
  readonly body: Uint8Array
}

/**
 * A request that no tier could answer. Its message contains nothing of the request.
 *
 * @example
 * import { Either } from "effect"
 * import { ChatCompletion } from "@understudy/http"
 *
 * const error = Either.flip(ChatCompletion.readRequest(new TextEncoder().encode("{}")))
 *
 * console.log(Either.getOrThrow(error).code) // => missing_model
 * console.log(Either.getOrThrow(error).message) // => The request has no `model`; name the model to ask for.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidRequest extends Data.TaggedError("InvalidRequest")<{
  readonly code: "invalid_json" | "missing_model" | "invalid_stream" | "unknown_parameter"
  /** The field at fault. */
  readonly param: "model" | "messages" | "stream" | undefined
  readonly message: string
}> {}

/**
 * Reads what the router needs. Of duplicate keys the last one counts, as in `JSON.parse`.
 *
 * **Details**
 * - `stream` must be a boolean or `null`: a server that accepts `1` or `"true"` would send a stream where we expect a
 *   whole answer.
 * - `Model`, `STREAM` and the like are refused: servers written in Go match keys case-insensitively, so that the caller
 *   would choose the model.
 *
 * @example
 * import { Either } from "effect"
 * import { ChatCompletion } from "@understudy/http"
 *
 * const body = new TextEncoder().encode('{"model":"chat","messages":[],"stream":true}')
 *
 * const { model, stream } = Either.getOrThrow(ChatCompletion.readRequest(body))
 *
 * console.log(model, stream) // => chat true
 *
 * @since 0.1.0
 * @category reading
 */
export const readRequest = (body: Uint8Array): Either.Either<ChatRequest, InvalidRequest> => {
  if (body.length === 0) {
    return notJson("The request has no body; send a JSON object that names a `model`.")
  }
  const text = Utf8.decodeStrict(body)
  if (text === undefined) return notJson("The request body is not valid UTF-8; encode the JSON as UTF-8.")
  if (text.startsWith(Utf8.byteOrderMark)) {
    return notJson("The request body begins with a byte order mark; send the JSON without it.")
  }
  const json = Json.parse(text)
  if (json === undefined) {
    return isTooDeep(text)
      ? notJson(`The request body is nested deeper than ${maxDepth} levels; send one that is flatter.`)
      : notJson("The request body is not valid JSON, or was cut short; send one complete JSON object.")
  }
  const request = Json.asObject<"model" | "stream" | "n">(json)
  if (request === undefined) {
    return notJson("The request body is JSON but not an object; send one that names a `model`.")
  }
  const { model, n, stream } = request
  if (model === undefined) return noModel("The request has no `model`; name the model to ask for.")
  if (typeof model !== "string") return noModel("The request's `model` is not a string; send its name.")
  if (model === "") return noModel("The request's `model` is empty; name the model to ask for.")
  if (typeof stream !== "boolean" && stream !== undefined && stream !== null) {
    const message = "The request's `stream` is not a boolean; send true or false."
    return Either.left(new InvalidRequest({ code: "invalid_stream", param: "stream", message }))
  }
  for (const key in request) {
    const meant = key.length <= longest ? ours.get(key.toUpperCase()) : undefined
    if (meant !== undefined && key !== meant) {
      const message = `The request has a key that is \`${meant}\` in other letters, which some servers take for it; write it in small ones.`
      return Either.left(new InvalidRequest({ code: "unknown_parameter", param: meant, message }))
    }
  }
  return Either.right({ model, stream: stream === true, ...(typeof n === "number" && n > 1 && { n }), body })
}

/**
 * The same request for another model: replaces every `model` of the outermost object, and leaves every other byte
 * unchanged. Assumes a body that {@link readRequest} accepted.
 *
 * @example
 * import { ChatCompletion } from "@understudy/http"
 *
 * const body = new TextEncoder().encode('{ "seed": 9007199254740993, "model": "chat" }')
 *
 * console.log(new TextDecoder().decode(ChatCompletion.withModel(body, "gpt-4.1"))) // => { "seed": 9007199254740993, "model": "gpt-4.1" }
 *
 * @since 0.1.0
 * @category writing
 */
export const withModel = (body: Uint8Array, model: string): Uint8Array =>
  RawJson.update(body, ["model"], () => Utf8.encode(JSON.stringify(model)))

/**
 * Token counts, as far as the upstream reported them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Usage {
  readonly input: number | undefined
  readonly output: number | undefined
  /** Input tokens read from the provider's cache. */
  readonly cacheRead?: number | undefined
  /** Input tokens written to the provider's cache. */
  readonly cacheWrite?: number | undefined
  /** Output tokens used for reasoning. */
  readonly reasoning?: number | undefined
}

/**
 * The content of one event of a stream.
 *
 * @since 0.1.0
 * @category models
 */
export type Chunk = Malformed | Done | Failed | Delta

/**
 * Not JSON, or not the expected shape.
 *
 * @since 0.1.0
 * @category models
 */
export interface Malformed {
  readonly _tag: "Malformed"
}

/**
 * The stream's `[DONE]`. It does not prove that the answer is complete: some servers send it after an error.
 *
 * @since 0.1.0
 * @category models
 */
export interface Done {
  readonly _tag: "Done"
}

/**
 * An error in place of an answer, for `ErrorTable.classify`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failed {
  readonly _tag: "Error"
  readonly body: string
}

/**
 * A chunk of an answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Delta {
  readonly _tag: "Delta"
  /** The id of the answer. */
  readonly id: string | undefined
  /** The model named by the upstream. */
  readonly model: string | undefined
  /**
   * Whether it contains anything a reader would see: content, reasoning, a refusal, a tool call, audio, or the end of a
   * choice. A role alone or empty content does not count.
   */
  readonly meaningful: boolean
  /** The highest index of a choice in this chunk plus one; 0 if it has none. */
  readonly choices: number
  /** The choices that it adds anything to that a reader would see. */
  readonly added: ReadonlyArray<number>
  /** The choices that this chunk finishes, for any reason but an error. */
  readonly finished: ReadonlyArray<number>
  readonly finishReasons: ReadonlyArray<string>
  /** Whether the upstream gave up a choice; check this before `meaningful`. */
  readonly failed: boolean
  readonly usage: Usage | undefined
}

/**
 * Reads the data of one event.
 *
 * @example
 * import { ChatCompletion } from "@understudy/http"
 *
 * console.log(ChatCompletion.readChunk("[DONE]")) // => { _tag: 'Done' }
 * console.log(ChatCompletion.readChunk('{"error":{"message":"busy"}}')._tag) // => Error
 *
 * const content = ChatCompletion.readChunk('{"choices":[{"delta":{"content":"Hi"}}]}')
 *
 * console.log(content._tag === "Delta" && content.meaningful) // => true
 *
 * @since 0.1.0
 * @category reading
 */
export const readChunk = (data: string): Chunk => {
  if (data.trim() === "[DONE]") return { _tag: "Done" }
  const json = Json.parse(data)
  if (isError(json)) return { _tag: "Error", body: data }
  const chunk = Json.asObject<"id" | "model" | "choices" | "usage">(json)
  if (chunk === undefined) return malformed
  // Clients expect `choices` in every chunk.
  if (!Array.isArray(chunk.choices) && !Json.isGiven(chunk.usage)) return malformed
  let failed = false
  let choices = 0
  const added: Array<number> = []
  const finished: Array<number> = []
  const finishReasons: Array<string> = []
  for (const [position, choice] of readChoices(chunk.choices).entries()) {
    const index = choice.index ?? position
    choices = Math.max(choices, index + 1)
    if (choice.hasDelta) added.push(index)
    failed ||= choice.failed
    if (choice.finishReason === undefined) continue
    finishReasons.push(choice.finishReason)
    if (!choice.failed) finished.push(index)
  }
  return {
    _tag: "Delta",
    id: Json.asText(chunk.id),
    model: Json.asText(chunk.model),
    meaningful: added.length > 0 || finished.length > 0,
    choices,
    added,
    finished,
    finishReasons,
    failed,
    usage: readUsage(chunk.usage)
  }
}

/**
 * The content of a complete answer.
 *
 * @since 0.1.0
 * @category models
 */
export type CompleteAnswer = Malformed | Failed | Answer

/**
 * A whole answer, with the upstream's bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answer {
  readonly _tag: "Answer"
  /** The id of the answer. */
  readonly id: string | undefined
  /** The model named by the upstream. */
  readonly model: string | undefined
  readonly finishReasons: ReadonlyArray<string>
  readonly usage: Usage | undefined
}

/**
 * Reads a complete answer. Without a choice, or with a choice that has no message, it is malformed; with an error
 * beside or inside its choices, it is an error.
 *
 * @example
 * import { ChatCompletion } from "@understudy/http"
 *
 * const read = (json: string) => ChatCompletion.readAnswer(new TextEncoder().encode(json))
 *
 * console.log(read('{"choices":[]}')) // => { _tag: 'Malformed' }
 *
 * const answer = read('{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":3}}')
 *
 * console.log(answer._tag === "Answer" && answer.usage) // => { input: 3, output: undefined }
 *
 * @since 0.1.0
 * @category reading
 */
export const readAnswer = (body: Uint8Array): CompleteAnswer => {
  const text = Utf8.withoutMark(Utf8.decode(body))
  const json = Json.parse(text)
  const answer = Json.asObject<"id" | "choices" | "model" | "usage">(json)
  const choices = readChoices(answer?.choices)
  if (isError(json) || choices.some((choice) => choice.failed)) return { _tag: "Error", body: text }
  if (answer === undefined || choices.length === 0) return malformed
  if (!choices.every((choice) => choice.hasMessage)) return malformed
  return {
    _tag: "Answer",
    id: Json.asText(answer.id),
    model: Json.asText(answer.model),
    finishReasons: choices.flatMap(({ finishReason }) => (finishReason === undefined ? [] : [finishReason])),
    usage: readUsage(answer.usage)
  }
}

/**
 * The keys that we read or write ourselves, compared as Go's `encoding/json` folds them; upper-casing folds `ſ` as
 * well.
 */
const ours = new Map((["model", "messages", "stream"] as const).map((key) => [key.toUpperCase(), key]))
const longest = "messages".length

const notJson = (message: string): Either.Either<never, InvalidRequest> =>
  Either.left(new InvalidRequest({ code: "invalid_json", param: undefined, message }))

const noModel = (message: string): Either.Either<never, InvalidRequest> =>
  Either.left(new InvalidRequest({ code: "missing_model", param: "model", message }))

const malformed: Malformed = { _tag: "Malformed" }
