/**
 * A program that uses `@effect/ai` and knows nothing of tiers, with a policy behind its language model. The adapter,
 * `adapters/languageModel.ts`, is made to be copied.
 */
import { LanguageModel } from "@effect/ai"
import { ChatModel, Sandbox } from "@understudy/http"
import { Effect, Layer } from "effect"
import * as UnderstudyModel from "./adapters/languageModel.ts"

const ModelLive = UnderstudyModel.layer.pipe(
  Layer.provide(
    ChatModel.layer({
      tiers: [
        {
          name: "primary",
          provider: Sandbox.make({ name: "a", latency: "20 millis", failure: { status: 429, rate: 1 } }),
          model: "sandbox-large",
          retry: { times: 0 }
        },
        {
          name: "standby",
          provider: Sandbox.make({ name: "b", latency: "20 millis" }),
          model: "sandbox-small"
        }
      ]
    })
  )
)

const program = Effect.gen(function* () {
  const { text } = yield* LanguageModel.generateText({ prompt: "Who goes on tonight?" })
  console.log(text)
})

await Effect.runPromise(Effect.provide(program, ModelLive))
