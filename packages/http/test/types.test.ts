import { Config, type ConfigError, Context, Data, Effect, type Layer, type ParseResult, Schema } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import { AzureOpenAi, ChatModel, OpenAiCompatible, Provider, Sandbox, type Upstream } from "../src/index.ts"

class Vault extends Context.Tag("Vault")<Vault, { readonly key: string }>() {}
class Locked extends Data.TaggedError("Locked") {}

const sandbox = Sandbox.make({ name: "sandbox" })
const openai = Provider.fromConfig(OpenAiCompatible.make, {
  name: "openai",
  baseUrl: "https://a.example",
  apiKey: Config.redacted("KEY")
})
const vaulted = Effect.zipRight(Vault, Effect.as(new Locked(), sandbox))

// What these say is checked by the compiler; running them only counts them.
describe("types of chat models", () => {
  it("a provider from the configuration needs an upstream, and can be told what else it asks for", () => {
    expectTypeOf(openai).toEqualTypeOf<
      Effect.Effect<Provider.Provider, ConfigError.ConfigError, Upstream.Upstream>
    >()
    Provider.fromConfig(AzureOpenAi.make, { name: "azure", baseUrl: Config.string("URL"), apiVersion: "v" })
    // @ts-expect-error: where it is
    Provider.fromConfig(OpenAiCompatible.make, { name: "openai" })
  })

  it("a layer needs and fails with what its providers do", () => {
    const tier = { name: "a", model: "large" }
    expectTypeOf(ChatModel.layerConfig({ tiers: [{ ...tier, provider: sandbox }] })).toEqualTypeOf<
      Layer.Layer<ChatModel.ChatModel, ConfigError.ConfigError | ParseResult.ParseError>
    >()
    expectTypeOf(
      ChatModel.layerConfig({
        name: Config.string("NAME"),
        tiers: [
          { ...tier, provider: sandbox },
          { ...tier, provider: openai, timeout: Config.string("TIMEOUT") },
          { ...tier, provider: vaulted }
        ]
      })
    ).toEqualTypeOf<
      Layer.Layer<
        ChatModel.ChatModel,
        ConfigError.ConfigError | ParseResult.ParseError | Locked,
        Upstream.Upstream | Vault
      >
    >()
    // @ts-expect-error: at least one
    ChatModel.layerConfig({ tiers: [] })
  })

  it("an object is what its schema says, and needs what that needs", () => {
    const ask = (chat: ChatModel.ChatModel) =>
      chat.completeObject({
        messages: [],
        schema: Schema.Struct({
          at: Schema.NumberFromString,
          by: Schema.String as Schema.Schema<string, string, Vault>
        })
      })
    type Asked = ReturnType<typeof ask>
    expectTypeOf<Effect.Effect.Success<Asked>["value"]>().toEqualTypeOf<{
      readonly at: number
      readonly by: string
    }>()
    expectTypeOf<Effect.Effect.Context<Asked>>().toEqualTypeOf<Vault>()
    expectTypeOf<Effect.Effect.Error<Asked>["_tag"]>().toEqualTypeOf<"ProviderError" | "AllTiersFailed">()
  })
})
