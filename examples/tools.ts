/**
 * A conversation with a tool: the model asks how warm it is, is told, and answers. The arguments a model writes need not
 * be valid; if they are not, it is told so and can try again.
 */
import { ChatModel, OpenAiCompatible, Upstream } from "@understudy/http"
import { Effect, Schema } from "effect"

/** Stands in for a model, and needs no key: first it calls the tool, then it says what it was told. */
const upstream: Upstream.Upstream = {
  send: ({ body }) => {
    const last = JSON.parse(new TextDecoder().decode(body)).messages.at(-1)
    const call = { id: "c1", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } }
    const message = last.role === "tool" ? { content: `It is ${last.content}.` } : { tool_calls: [call] }
    const answer = JSON.stringify({ choices: [{ message, finish_reason: "stop" }] })
    return Upstream.respond({ status: 200, headers: {}, body: new TextEncoder().encode(answer) })
  }
}
const provider = OpenAiCompatible.make({ name: "test", baseUrl: "http://test.invalid/v1", upstream })
const ChatLive = ChatModel.layer({ tiers: [{ name: "primary", provider, model: "large" }] })

const City = Schema.Struct({ city: Schema.String })
const tools = [{ name: "weather", description: "How warm it is somewhere.", parameters: City }]

const weather = (call: ChatModel.ToolCall) =>
  ChatModel.decodeArguments(City)(call).pipe(
    Effect.map(({ city }) => (city === "Oslo" ? "4 degrees" : "unknown")),
    Effect.catchTag("ParseError", ({ message }) => Effect.succeed(message))
  )

type Failure = Effect.Effect.Error<ReturnType<ChatModel.ChatModel["complete"]>>

const converse = (
  messages: ReadonlyArray<ChatModel.Message>
): Effect.Effect<string, Failure, ChatModel.ChatModel> =>
  Effect.gen(function* () {
    const chat = yield* ChatModel.ChatModel
    const answer = yield* chat.complete({ messages, tools })
    if (answer.toolCalls.length === 0) return answer.text
    const results = yield* Effect.forEach(answer.toolCalls, (call) =>
      Effect.map(weather(call), (content) => ({ role: "tool", toolCallId: call.id, content }) as const)
    )
    return yield* converse([...messages, answer.message, ...results])
  })

const program = converse([{ role: "user", content: "How warm is Oslo?" }])

console.log(await Effect.runPromise(Effect.provide(program, ChatLive)))
