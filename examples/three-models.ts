/**
 * Three models in order. The first fails every call: after its two retries the second answers. With the fifth failure
 * its breaker opens, and from then on nobody waits for it.
 */
import { ChatModel, Sandbox } from "@understudy/http"
import { Effect } from "effect"

// In their place: OpenAiCompatible.make, AzureOpenAi.make, Anthropic.make.
const overloaded = Sandbox.make({ name: "large", latency: "20 millis", failure: { status: 503, rate: 1 } })
const well = Sandbox.make({ name: "small", latency: "20 millis" })

const ChatLive = ChatModel.layer({
  deadline: "45s",
  tiers: [
    {
      name: "primary",
      provider: overloaded,
      model: "sandbox-large",
      timeout: "20s",
      retry: { times: 2, base: "10ms" },
      breaker: { consecutive: 5, openFor: "30s" }
    },
    { name: "standby", provider: well, model: "sandbox-medium", timeout: "12s" },
    { name: "baseline", provider: well, model: "sandbox-small", timeout: "8s" }
  ]
})

const ask = Effect.gen(function* () {
  const chat = yield* ChatModel.ChatModel
  const answer = yield* chat.complete({ messages: [{ role: "user", content: "Who goes on tonight?" }] })
  const tries = answer.attempts.map(({ outcome, tier }) => `${tier} ${outcome}`).join(", ")
  console.log(`${answer.text} (${tries})`)
})

await Effect.runPromise(Effect.repeatN(ask, 2).pipe(Effect.provide(ChatLive)))
