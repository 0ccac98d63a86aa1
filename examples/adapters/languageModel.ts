/**
 * A chat model's policy behind `@effect/ai`: a `LanguageModel` whose `generateText`, `generateObject` and `streamText`
 * are runs of it. Made to be copied; it needs `@effect/ai` 0.37.
 */
import { AiError, LanguageModel, type Prompt, type Response, Tool } from "@effect/ai"
import { ChatModel } from "@understudy/http"
import { Effect, Encoding, Layer, Schema, Stream } from "effect"

export const layer: Layer.Layer<LanguageModel.LanguageModel, never, ChatModel.ChatModel> = Layer.effect(
  LanguageModel.LanguageModel,
  Effect.flatMap(ChatModel.ChatModel, (chat) =>
    LanguageModel.make({
      generateText: (options) =>
        ask(chat, options).pipe(
          Effect.mapError(aiError("generateText")),
          Effect.flatMap((answer) =>
            Effect.map(toolCalls(answer), (calls) => [
              metadata(answer),
              ...said("reasoning", answer.reasoning),
              ...said("text", answer.text),
              ...calls,
              finish(answer)
            ])
          )
        ),
      streamText: (options) =>
        Stream.mapError(chat.stream(requestOf(options)), aiError("streamText")).pipe(streamed)
    })
  )
)

/** An object is asked for as one, so that one which does not fit is the tier's failure and not the caller's. */
const ask = (chat: ChatModel.ChatModel, options: LanguageModel.ProviderOptions) => {
  const { responseFormat } = options
  return responseFormat.type === "text"
    ? chat.complete(requestOf(options))
    : chat.completeObject({
        ...requestOf(options),
        name: responseFormat.objectName,
        // It is decoded in the fiber of whoever gave it, and has there what it needs.
        schema: responseFormat.schema as Schema.Schema<unknown, unknown>
      })
}

const requestOf = ({ prompt, toolChoice, tools }: LanguageModel.ProviderOptions): ChatModel.Request => ({
  messages: prompt.content.flatMap(messagesOf),
  ...(tools.length > 0 && {
    tools: tools.map(({ description, name, parametersSchema }) => ({
      name,
      description,
      parameters: Tool.getJsonSchemaFromSchemaAst(parametersSchema.ast)
    })),
    toolChoice:
      typeof toolChoice === "string"
        ? toolChoice
        : "tool" in toolChoice
          ? { name: toolChoice.tool }
          : (toolChoice.mode ?? "auto")
  })
})

const messagesOf = (message: Prompt.Message): ReadonlyArray<ChatModel.Message> => {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }]
    case "user":
      return [{ role: "user", content: message.content.map(contentOf) }]
    case "assistant":
      return [
        {
          role: "assistant",
          content:
            message.content.map((part) => (part.type === "text" ? part.text : "")).join("") || undefined,
          toolCalls: message.content.flatMap((part) =>
            part.type === "tool-call"
              ? [{ id: part.id, name: part.name, arguments: JSON.stringify(part.params) }]
              : []
          )
        }
      ]
    case "tool":
      return message.content.map(({ id, result }) => ({
        role: "tool",
        toolCallId: id,
        content: JSON.stringify(result)
      }))
  }
}

const contentOf = (part: Prompt.UserMessagePart): ChatModel.Content => {
  if (part.type === "text") return { type: "text", text: part.text }
  const { data, fileName = "file", mediaType } = part
  const base64 = (data: string | Uint8Array) =>
    typeof data === "string" ? data : Encoding.encodeBase64(data)
  const url = data instanceof URL ? data.href : `data:${mediaType};base64,${base64(data)}`
  return mediaType.startsWith("image/")
    ? { type: "image", url }
    : { type: "raw", part: { type: "file", file: { filename: fileName, file_data: url } } }
}

/** Which tier it was goes along as the model, and in the metadata. */
const metadata = ({ fallback, servedBy }: ChatModel.Served): Response.ResponseMetadataPartEncoded => ({
  type: "response-metadata",
  modelId: servedBy.model,
  metadata: { understudy: { tier: servedBy.tier, fallback } }
})

const said = <Type extends "text" | "reasoning">(type: Type, text: string | undefined) =>
  text ? [{ type, text }] : []

const toolCalls = ({ toolCalls }: ChatModel.Reply) =>
  Effect.forEach(toolCalls, (call) =>
    ChatModel.decodeArguments(Schema.Unknown)(call).pipe(
      Effect.mapBoth({
        onSuccess: (params): Response.ToolCallPartEncoded => ({
          type: "tool-call",
          id: call.id,
          name: call.name,
          params
        }),
        onFailure: () =>
          new AiError.MalformedOutput({
            module: "ChatModel",
            method: "toolCalls",
            description: "the arguments of a tool call are not JSON"
          })
      })
    )
  )

const finish = ({ finishReason, usage }: ChatModel.Reply): Response.FinishPartEncoded => ({
  type: "finish",
  reason: finishReason === undefined ? "unknown" : (reasons[finishReason] ?? "other"),
  usage: { inputTokens: usage?.input, outputTokens: usage?.output, totalTokens: undefined }
})

const reasons: Readonly<Record<string, Response.FinishReason>> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool-calls",
  content_filter: "content-filter"
}

const streamed = (
  parts: Stream.Stream<ChatModel.Part, AiError.AiError>
): Stream.Stream<Response.StreamPartEncoded, AiError.AiError> =>
  Stream.suspend(() => {
    const open = new Set<"text" | "reasoning">()
    const delta = (id: "text" | "reasoning", delta: string): ReadonlyArray<Response.StreamPartEncoded> => {
      const start = open.has(id) ? [] : [{ type: `${id}-start`, id } as const]
      open.add(id)
      return [...start, { type: `${id}-delta`, id, delta }]
    }
    const read = (
      part: ChatModel.Part
    ): Effect.Effect<ReadonlyArray<Response.StreamPartEncoded>, AiError.AiError> => {
      switch (part._tag) {
        case "Started":
          return Effect.succeed([metadata(part)])
        case "TextDelta":
          return Effect.succeed(delta("text", part.text))
        case "ReasoningDelta":
          return Effect.succeed(delta("reasoning", part.text))
        case "Finished":
          return Effect.map(toolCalls(part), (calls) => [
            ...[...open].map((id) => ({ type: `${id}-end`, id }) as const),
            ...calls,
            finish(part)
          ])
        default:
          return Effect.succeed([])
      }
    }
    return Stream.flattenIterables(Stream.mapEffect(parts, read))
  })

type Failure =
  | Effect.Effect.Error<ReturnType<ChatModel.ChatModel["complete"]>>
  | Stream.Stream.Error<ReturnType<ChatModel.ChatModel["stream"]>>

const aiError =
  (method: string) =>
  (cause: Failure): AiError.AiError => {
    const said = { module: "ChatModel", method, description: cause.message, cause }
    switch (cause._tag === "ProviderError" ? cause.kind : cause._tag) {
      case "invalid_request":
        return new AiError.MalformedInput(said)
      case "invalid_output":
      case "stream_truncated":
        return new AiError.MalformedOutput(said)
      default:
        return new AiError.UnknownError(said)
    }
  }
