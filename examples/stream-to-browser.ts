/**
 * A page that shows an answer as it comes. The policy is the server's: until the first word another tier can take over
 * unseen; a stream that breaks off later is shown as broken off, never as a whole answer. Closing the page closes the
 * upstream's stream.
 */
import { createServer } from "node:http"
import { HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { ChatModel, Sandbox } from "@understudy/http"
import { Config, Effect, Layer, Option, Stream } from "effect"

const ChatLive = ChatModel.layer({
  tiers: [
    {
      name: "primary",
      provider: Sandbox.make({ name: "a", chunkEvery: "80 millis" }),
      model: "sandbox-large"
    }
  ]
})

const page = `<!doctype html><title>Understudy</title><p id="answer"></p><script>
const events = new EventSource("/answer")
events.addEventListener("word", ({ data }) => (answer.textContent += JSON.parse(data)))
events.addEventListener("broken", () => (answer.textContent += " [broken off]"))
for (const end of ["whole", "broken"]) events.addEventListener(end, () => events.close())
</script>`

const event = (name: string, data: unknown) =>
  new TextEncoder().encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)

const answer = Effect.map(ChatModel.ChatModel, (chat) => {
  const words = chat.stream({ messages: [{ role: "user", content: "Who goes on tonight?" }] }).pipe(
    Stream.filterMap((part) => {
      if (part._tag === "TextDelta") return Option.some(event("word", part.text))
      return part._tag === "Finished" ? Option.some(event("whole", null)) : Option.none()
    }),
    Stream.catchAll(() => Stream.make(event("broken", null)))
  )
  return HttpServerResponse.stream(words, { contentType: "text/event-stream" })
})

const ServerLive = NodeHttpServer.layerConfig(createServer, {
  host: Config.succeed("127.0.0.1"),
  port: Config.withDefault(Config.integer("PORT"), 3000)
})

HttpRouter.empty.pipe(
  HttpRouter.get("/", HttpServerResponse.html(page)),
  HttpRouter.get("/answer", answer),
  HttpServer.serve(),
  HttpServer.withLogAddress,
  Layer.provide(ChatLive),
  Layer.provide(ServerLive),
  Layer.launch,
  NodeRuntime.runMain
)
