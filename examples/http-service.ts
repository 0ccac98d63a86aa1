/**
 * A service of an application: `POST /ask` with a question gives back what the model says, or a status that tells the
 * truth: 400 if the question is at fault; 503, and when to come back, if no tier answered.
 */
import { createServer } from "node:http"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { ChatModel, Sandbox } from "@understudy/http"
import { Config, Duration, Effect, Layer, Schema } from "effect"

const ChatLive = ChatModel.layer({
  deadline: "10s",
  tiers: [
    {
      name: "primary",
      provider: Sandbox.make({ name: "a", latency: "50 millis", failure: { status: 500, rate: 0.5 } }),
      model: "sandbox-large",
      retry: { times: 0 }
    },
    { name: "standby", provider: Sandbox.make({ name: "b", latency: "50 millis" }), model: "sandbox-small" }
  ]
})

const Question = Schema.Struct({ question: Schema.NonEmptyString })

const ask = Effect.gen(function* () {
  const { question } = yield* HttpServerRequest.schemaBodyJson(Question)
  const chat = yield* ChatModel.ChatModel
  const answer = yield* chat.complete({ messages: [{ role: "user", content: question }] })
  return yield* HttpServerResponse.json({ answer: answer.text, model: answer.servedBy.model })
}).pipe(
  Effect.catchTags({
    ParseError: () => HttpServerResponse.json({ error: 'expected {"question": "..."}' }, { status: 400 }),
    ProviderError: () => HttpServerResponse.json({ error: "the model rejects it" }, { status: 400 }),
    AllTiersFailed: ({ message, retryAfter = Duration.seconds(1) }) => {
      const headers = { "retry-after": String(Math.ceil(Duration.toSeconds(retryAfter))) }
      return HttpServerResponse.json({ error: message }, { status: 503, headers })
    }
  })
)

const ServerLive = NodeHttpServer.layerConfig(createServer, {
  host: Config.succeed("127.0.0.1"),
  port: Config.withDefault(Config.integer("PORT"), 3000)
})

HttpRouter.empty.pipe(
  HttpRouter.post("/ask", ask),
  HttpServer.serve(),
  HttpServer.withLogAddress,
  Layer.provide(ChatLive),
  Layer.provide(ServerLive),
  Layer.launch,
  NodeRuntime.runMain
)
