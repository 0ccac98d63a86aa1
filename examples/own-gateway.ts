/**
 * The gateway's router in an application's own server, below `/ai`, with the application's own keys. A client of OpenAI
 * needs the base URL `http://127.0.0.1:3000/ai/v1` and one of these keys.
 */
import { createServer } from "node:http"
import { HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Policy } from "@understudy/core"
import { Callers, OpenAiRouter, Route, Sandbox } from "@understudy/http"
import { Config, Effect, Layer, Redacted, Schema } from "effect"

const makeRouter = Effect.gen(function* () {
  const { tiers, ...policy } = yield* Schema.decode(Policy.Policy)({
    deadline: "30s",
    tiers: [{ name: "primary", retry: { times: 1, base: "50ms" } }]
  })
  const provider = Sandbox.make({ name: "sandbox", latency: "50 millis" })
  const chat = yield* Route.make("chat", {
    ...policy,
    tiers: [{ ...tiers[0], provider, model: "sandbox-large" }]
  })
  const callers = yield* Callers.fromKeys([Redacted.make("for-the-web-shop")])
  return OpenAiRouter.make({ routes: [chat], callers })
})

const ServerLive = NodeHttpServer.layerConfig(createServer, {
  host: Config.succeed("127.0.0.1"),
  port: Config.withDefault(Config.integer("PORT"), 3000)
})

const program = Effect.flatMap(makeRouter, (router) =>
  HttpRouter.empty.pipe(
    HttpRouter.get("/", HttpServerResponse.text("the application")),
    HttpRouter.mountApp("/ai", OpenAiRouter.toHttpApp(router)),
    HttpServer.serve(),
    HttpServer.withLogAddress,
    Layer.provide(ServerLive),
    Layer.launch
  )
)

NodeRuntime.runMain(program)
