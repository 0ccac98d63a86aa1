import * as Encoding from "effect/Encoding"
import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import type { ChatRequest } from "../../ChatCompletion.ts"
import * as Utf8 from "../bytes/utf8.ts"

/** Vendor-specific fields; sent verbatim, overriding others. */
interface Extra {
  readonly extra?: Readonly<Record<string, unknown>> | undefined
}

/**
 * Instructions from the application.
 *
 * @since 0.1.0
 * @category models
 */
export interface SystemMessage extends Extra {
  readonly role: "system" | "developer"
  readonly content: string
}

/**
 * A message from the user: text, or content of several kinds.
 *
 * @since 0.1.0
 * @category models
 */
export interface UserMessage extends Extra {
  readonly role: "user"
  readonly content: string | ReadonlyArray<Content>
}

/**
 * An earlier reply of the model.
 *
 * @since 0.1.0
 * @category models
 */
export interface AssistantMessage extends Extra {
  readonly role: "assistant"
  readonly content?: string | undefined
  readonly toolCalls?: ReadonlyArray<ToolCall> | undefined
}

/**
 * The result of a tool call.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolMessage extends Extra {
  readonly role: "tool"
  /** The call that this answers. */
  readonly toolCallId: string
  readonly content: string
}

/**
 * A message of a conversation.
 *
 * @since 0.1.0
 * @category models
 */
export type Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage

/**
 * A piece of a user's message.
 *
 * @since 0.1.0
 * @category models
 */
export type Content =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image"; readonly url: string; readonly detail?: string | undefined }
  | {
      readonly type: "image"
      readonly data: Uint8Array
      readonly mediaType: string
      readonly detail?: string | undefined
    }
  | { readonly type: "audio"; readonly data: Uint8Array; readonly format: "wav" | "mp3" }
  | { readonly type: "file"; readonly data: Uint8Array; readonly mediaType: string; readonly name: string }
  /** Any other content part of the protocol, sent verbatim. */
  | { readonly type: "raw"; readonly part: Readonly<Record<string, unknown>> }

/**
 * The model's request to call a tool.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolCall extends Extra {
  readonly id: string
  readonly name: string
  /** JSON as the model wrote it, which need not be valid. */
  readonly arguments: string
}

/**
 * A JSON Schema, or an Effect `Schema` from whose encoded side one is made. A recursive one needs an `identifier`; a
 * request with a schema from which none can be made dies with a `RangeError` before any tier is asked.
 *
 * @since 0.1.0
 * @category models
 */
export type SchemaLike = Schema.Schema.All | JSONSchema.JsonSchema7 | { readonly [keyword: string]: unknown }

/**
 * A tool that the model may call.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tool {
  readonly name: string
  readonly description?: string | undefined
  /** The schema of its arguments. Default: none. */
  readonly parameters?: SchemaLike | undefined
  /** Whether the provider should enforce the schema, if it can. */
  readonly strict?: boolean | undefined
}

/**
 * Whether to call tools, or which one.
 *
 * @since 0.1.0
 * @category models
 */
export type ToolChoice = "auto" | "none" | "required" | { readonly name: string }

/**
 * Text, any JSON, or JSON that matches a schema.
 *
 * @since 0.1.0
 * @category models
 */
export type ResponseFormat =
  | "text"
  | "json"
  | {
      readonly name: string
      readonly description?: string | undefined
      readonly schema: SchemaLike
      /** Default: true. For OpenAI and others, a strict schema has no optional fields. */
      readonly strict?: boolean | undefined
    }

/**
 * A chat request: messages, tools, the format of the answer, and sampling.
 *
 * Every `extra` is sent verbatim and overrides other fields; use it for vendor-specific parameters.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request extends Extra {
  readonly messages: ReadonlyArray<Message>
  readonly tools?: ReadonlyArray<Tool> | undefined
  readonly toolChoice?: ToolChoice | undefined
  readonly parallelToolCalls?: boolean | undefined
  readonly responseFormat?: ResponseFormat | undefined
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  /** Sent as `max_completion_tokens`. */
  readonly maxTokens?: number | undefined
  readonly stop?: string | ReadonlyArray<string> | undefined
  readonly seed?: number | undefined
  readonly frequencyPenalty?: number | undefined
  readonly presencePenalty?: number | undefined
  readonly reasoningEffort?: string | undefined
}

/** Encodes the request for OpenAI's protocol. A streamed one also asks for its usage. */
export const encode = (model: string, request: Request, stream: boolean): ChatRequest => ({
  model,
  stream,
  body: Utf8.encode(
    JSON.stringify({
      model,
      messages: request.messages.map(message),
      tools: list(request.tools, tool),
      tool_choice:
        typeof request.toolChoice === "object"
          ? { type: "function", function: request.toolChoice }
          : request.toolChoice,
      parallel_tool_calls: request.parallelToolCalls,
      response_format: request.responseFormat && responseFormat(request.responseFormat),
      temperature: request.temperature,
      top_p: request.topP,
      max_completion_tokens: request.maxTokens,
      stop: request.stop,
      seed: request.seed,
      frequency_penalty: request.frequencyPenalty,
      presence_penalty: request.presencePenalty,
      reasoning_effort: request.reasoningEffort,
      stream_options: stream ? { include_usage: true } : undefined,
      ...request.extra,
      stream: stream || undefined
    })
  )
})

/** Omits an empty list, which OpenAI rejects. */
const list = <A>(
  items: ReadonlyArray<A> = [],
  write: (item: A) => object
): ReadonlyArray<object> | undefined => (items.length === 0 ? undefined : items.map(write))

const message = (message: Message): object => {
  const { content, extra, role } = message
  switch (role) {
    case "system":
    case "developer":
      return { role, content, ...extra }
    case "user":
      return { role, content: typeof content === "string" ? content : content.map(part), ...extra }
    case "assistant":
      return { role, content: content ?? null, tool_calls: list(message.toolCalls, toolCall), ...extra }
    case "tool":
      return { role, tool_call_id: message.toolCallId, content, ...extra }
  }
}

const part = (content: Content): object => {
  switch (content.type) {
    case "text":
      return content
    case "image": {
      const url = "url" in content ? content.url : dataUrl(content)
      return { type: "image_url", image_url: { url, detail: content.detail } }
    }
    case "audio":
      return {
        type: "input_audio",
        input_audio: { data: Encoding.encodeBase64(content.data), format: content.format }
      }
    case "file":
      return { type: "file", file: { filename: content.name, file_data: dataUrl(content) } }
    case "raw":
      return content.part
  }
}

const dataUrl = ({ data, mediaType }: { readonly data: Uint8Array; readonly mediaType: string }): string =>
  `data:${mediaType};base64,${Encoding.encodeBase64(data)}`

const toolCall = ({ arguments: json, extra, id, name }: ToolCall): object => ({
  id,
  type: "function",
  function: { name, arguments: json },
  ...extra
})

const tool = ({ description, name, parameters, strict }: Tool): object => ({
  type: "function",
  function: {
    name,
    description,
    parameters: parameters && jsonSchema(parameters, `the tool "${name}"`),
    strict
  }
})

const responseFormat = (format: ResponseFormat): object => {
  if (format === "text") return { type: "text" }
  if (format === "json") return { type: "json_object" }
  const { description, name, schema, strict = true } = format
  const written = jsonSchema(schema, `the answer "${name}"`)
  return { type: "json_schema", json_schema: { name, description, schema: written, strict } }
}

/** Without `$schema`, and with an object rather than a reference at the top, as strict providers require. */
const jsonSchema = (schema: SchemaLike, of: string): object => {
  if (!Schema.isSchema(schema)) return schema
  const definitions = {}
  const top = fromAST(schema.ast, definitions, of)
  return Object.keys(definitions).length === 0 ? top : { ...top, $defs: definitions }
}

/** Effect's error names the place in a schema and the annotation that is missing there, but not which schema it is. */
const fromAST = (ast: AST.AST, definitions: Record<string, JSONSchema.JsonSchema7>, of: string): object => {
  try {
    return JSONSchema.fromAST(ast, { definitions, topLevelReferenceStrategy: "skip" })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new RangeError(`ChatModel: the schema of ${of} makes no JSON Schema: ${why}`, { cause })
  }
}
