/**
 * A chat model that answers although one of its tiers does not: the typed client of chat completions.
 *
 * It is a {@link Route} of the application's own, asked in types in place of bytes: the same engine, spans and events.
 *
 * @since 0.1.0
 */
import type { DeadlineExceeded } from "@understudy/core/Deadline"
import type { AllTiersFailed } from "@understudy/core/Fallback"
import type { EmptyStream } from "@understudy/core/FallbackStream"
import * as Policy from "@understudy/core/Policy"
import type * as Arr from "effect/Array"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ParseError } from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { decodeJson } from "./internal/model/decode.ts"
import type { Completion, ObjectCompletion, ObjectRequest, Part } from "./internal/model/model.ts"
import * as internal from "./internal/model/model.ts"
import type { Request, ToolCall } from "./internal/model/request.ts"
import { load, type OrConfig } from "./internal/provider/orConfig.ts"
import * as Continuation from "./internal/stream/continuation.ts"
import type { Provider } from "./Provider.ts"
import type { ProviderError } from "./ProviderError.ts"
import * as Quirks from "./Quirks.ts"
import * as Route from "./Route.ts"

export type {
  Completion,
  Finished,
  ObjectCompletion,
  ObjectRequest,
  Part,
  Served,
  Started
} from "./internal/model/model.ts"

export type {
  Delta,
  Other,
  ReasoningDelta,
  RefusalDelta,
  Reply,
  TextDelta,
  ToolCallDelta
} from "./internal/model/reply.ts"
export type {
  AssistantMessage,
  Content,
  Message,
  Request,
  ResponseFormat,
  SchemaLike,
  SystemMessage,
  Tool,
  ToolCall,
  ToolChoice,
  ToolMessage,
  UserMessage
} from "./internal/model/request.ts"

/**
 * A policy of the application's own that speaks chat completions.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChatModel {
  /** Asks for the whole answer of the first tier that has one. */
  readonly complete: (
    request: Request
  ) => Effect.Effect<Completion, ProviderError | AllTiersFailed<ProviderError>>
  /**
   * Asks for JSON that fits a schema. An answer that does not, or is nested deeper than 512 levels, is of no use: its
   * attempt fails as `invalid_output`, is tried again, and then the next tier is asked; no breaker counts it.
   */
  readonly completeObject: <A, I, R>(
    request: ObjectRequest<A, I, R>
  ) => Effect.Effect<ObjectCompletion<A>, ProviderError | AllTiersFailed<ProviderError>, R>
  /**
   * Streams the answer of the first tier that says anything. What fails before that is unseen; what breaks after it
   * is gone on with by a tier that can, see `Route.Continue`, or fails the stream, which ends with `Finished` or not
   * at all.
   */
  readonly stream: (
    request: Request
  ) => Stream.Stream<
    Part,
    ProviderError | EmptyStream | DeadlineExceeded | AllTiersFailed<ProviderError | EmptyStream>
  >
}

/**
 * The model that an application asks, as a service.
 *
 * @example
 * import { Effect } from "effect"
 * import { ChatModel, Sandbox } from "@understudy/http"
 *
 * const greet = Effect.gen(function* () {
 *   const chat = yield* ChatModel.ChatModel
 *   return (yield* chat.complete({ messages: [{ role: "user", content: "Who are you?" }] })).text
 * })
 * const provider = Sandbox.make({ name: "sandbox", latency: "1 millis" })
 * const ChatLive = ChatModel.layer({ tiers: [{ name: "primary", provider, model: "large" }] })
 *
 * console.log(await Effect.runPromise(Effect.provide(greet, ChatLive))) // => The show goes on: this is large, reading the part.
 *
 * @since 0.1.0
 * @category context
 */
export const ChatModel: Context.Tag<ChatModel, ChatModel> = Context.GenericTag<ChatModel>(
  "@understudy/http/ChatModel"
)

/**
 * What a tier of a chat model says beside its policy and its provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierOptions extends Quirks.Quirks {
  readonly model: string
  /** How it goes on with a streamed answer that a tier above began and broke off. Default: not at all. */
  readonly continue?: Route.Continue | undefined
}

/**
 * The policy in the words of `Policy.PolicyFile`, whose defaults hold, with a provider and a model for each tier.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Policy.PolicyFile<TierOptions & { readonly provider: Provider }> {
  /** Names the runs in spans and events. Default: `chat`. */
  readonly name?: string | undefined
}

/**
 * Makes a chat model and the circuit breakers of its tiers. Fails where the policy says what cannot be.
 *
 * @example
 * import { Effect } from "effect"
 * import { ChatModel, Sandbox } from "@understudy/http"
 *
 * const down = Sandbox.make({ name: "down", latency: "1 millis", failure: { status: 503, rate: 1 } })
 * const up = Sandbox.make({ name: "up", latency: "1 millis" })
 *
 * const program = Effect.gen(function* () {
 *   const chat = yield* ChatModel.make({
 *     tiers: [
 *       { name: "primary", provider: down, model: "large", retry: { times: 0 } },
 *       { name: "standby", provider: up, model: "small" }
 *     ]
 *   })
 *   const answer = yield* chat.complete({ messages: [{ role: "user", content: "Who are you?" }] })
 *   return `${answer.servedBy.tier}: ${answer.text}`
 * })
 *
 * console.log(await Effect.runPromise(program)) // => standby: The show goes on: this is small, reading the part.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ name = "chat", ...policy }: Options): Effect.Effect<ChatModel, ParseError> =>
  Effect.map(
    Effect.flatMap(decodePolicy(policy), (policy) => Route.make(name, policy)),
    fromRoute
  )

/**
 * Asks a route in types.
 *
 * @example
 * import { Policy } from "@understudy/core"
 * import { Effect, Schema } from "effect"
 * import { ChatModel, Route, Sandbox } from "@understudy/http"
 *
 * const { tiers: [tier], ...policy } = Schema.decodeSync(Policy.Policy)({ tiers: [{ name: "only" }] })
 * const provider = Sandbox.make({ name: "sandbox", latency: "1 millis" })
 *
 * const program = Effect.gen(function* () {
 *   const route = yield* Route.make("chat", { ...policy, tiers: [{ ...tier, provider, model: "large" }] })
 *   const chat = ChatModel.fromRoute(route)
 *   const { usage } = yield* chat.complete({ messages: [{ role: "user", content: "Who are you?" }] })
 *   return usage
 * })
 *
 * console.log(await Effect.runPromise(program)) // => { input: 8, output: 10 }
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromRoute: (route: Route.Route) => ChatModel = internal.fromRoute

/**
 * A chat model as a service. Its breakers live as long as the layer does.
 *
 * @example
 * import { Chunk, Effect, Stream } from "effect"
 * import { ChatModel, Sandbox } from "@understudy/http"
 *
 * const provider = Sandbox.make({ name: "sandbox", latency: "1 millis", chunkEvery: "1 millis" })
 * const ChatLive = ChatModel.layer({ tiers: [{ name: "primary", provider, model: "large" }] })
 *
 * const program = Effect.gen(function* () {
 *   const chat = yield* ChatModel.ChatModel
 *   const parts = yield* Stream.runCollect(chat.stream({ messages: [{ role: "user", content: "Who are you?" }] }))
 *   return Chunk.toArray(parts).flatMap((part) => (part._tag === "TextDelta" ? [part.text] : []))
 * })
 *
 * console.log((await Effect.runPromise(Effect.provide(program, ChatLive))).slice(0, 3)) // => [ 'The ', 'show ', 'goes ' ]
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (policy: Options): Layer.Layer<ChatModel, ParseError> =>
  Layer.effect(ChatModel, make(policy))

/**
 * A tier of {@link layerConfig}.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierConfig extends OrConfig<Policy.TierFile & TierOptions> {
  /** One that is made already, or how to make it: see `Provider.fromConfig`. */
  readonly provider: Provider | Effect.Effect<Provider, unknown, unknown>
}

/**
 * {@link layer}, where any field of the policy and of its tiers may be left to the configuration, and any provider
 * made of services such as `Upstream`.
 *
 * @example
 * import { Config, ConfigProvider, Effect, Layer } from "effect"
 * import { ChatModel, OpenAiCompatible, Provider, Sandbox, Upstream } from "@understudy/http"
 *
 * const openai = Provider.fromConfig(OpenAiCompatible.make, {
 *   name: "openai",
 *   baseUrl: "https://api.openai.com/v1",
 *   apiKey: Config.redacted("OPENAI_API_KEY")
 * })
 * const ChatLive = ChatModel.layerConfig({
 *   deadline: Config.string("CHAT_DEADLINE").pipe(Config.withDefault("45s")),
 *   tiers: [{ name: "primary", provider: openai, model: Config.string("CHAT_MODEL") }]
 * })
 *
 * const program = Effect.flatMap(ChatModel.ChatModel, (chat) =>
 *   chat.complete({ messages: [{ role: "user", content: "Who are you?" }] })
 * )
 * // Here the environment is a map and OpenAI a sandbox; otherwise it is `Upstream.layerFetch`.
 * const environment = ConfigProvider.fromMap(new Map([["OPENAI_API_KEY", "sk-1"], ["CHAT_MODEL", "gpt-4.1"]]))
 * const UpstreamTest = Layer.succeed(Upstream.Upstream, Sandbox.upstream({ latency: "1 millis" }))
 *
 * const { servedBy } = await program.pipe(
 *   Effect.provide(ChatLive),
 *   Effect.provide(UpstreamTest),
 *   Effect.withConfigProvider(environment),
 *   Effect.runPromise
 * )
 *
 * console.log(servedBy) // => { tier: 'primary', model: 'gpt-4.1', provider: 'openai' }
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = <const Tiers extends Arr.NonEmptyReadonlyArray<TierConfig>>({
  tiers,
  ...policy
}: OrConfig<Omit<Options, "tiers">> & { readonly tiers: Tiers }): Layer.Layer<
  ChatModel,
  ConfigError | ParseError | ErrorOf<Tiers[number]["provider"]>,
  ContextOf<Tiers[number]["provider"]>
> =>
  Layer.effect(
    ChatModel,
    Effect.gen(function* () {
      const loaded = yield* load(policy)
      return yield* make({ ...loaded, tiers: yield* Effect.forEach(tiers, loadTier) })
    })
    // How each provider is made, and of what, an array of them does not say; its type does.
  ) as Layer.Layer<ChatModel, never>

const loadTier = ({ provider, ...tier }: TierConfig) =>
  Effect.zipWith(
    load<Policy.TierFile & TierOptions>(tier),
    Effect.isEffect(provider) ? provider : Effect.succeed(provider),
    (loaded, provider) => ({ ...loaded, provider })
  )

type ErrorOf<P> = P extends Effect.Effect<Provider, infer E, infer _R> ? E : never
type ContextOf<P> = P extends Effect.Effect<Provider, infer _E, infer R> ? R : never

/**
 * Decodes the arguments of a tool call; where the model gave none they are an empty object. What it says of those
 * that do not fit is for the model, which can mend them: it quotes them. JSON deeper than 512 levels does not fit anything.
 *
 * @example
 * import { Effect, Schema } from "effect"
 * import { ChatModel } from "@understudy/http"
 *
 * const argumentsOf = ChatModel.decodeArguments(Schema.Struct({ city: Schema.String }))
 * const call: ChatModel.ToolCall = { id: "call_1", name: "weather", arguments: '{"city":"Oslo"}' }
 *
 * console.log(Effect.runSync(argumentsOf(call)).city) // => Oslo
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeArguments = <A, I, R>(
  schema: Schema.Schema<A, I, R>
): ((call: ToolCall) => Effect.Effect<A, ParseError, R>) => {
  const decode = decodeJson(schema)
  return ({ arguments: json }) => decode(json.trim() === "" ? "{}" : json)
}

const decodePolicy = Schema.decodeUnknown(
  Policy.struct({
    provider: Schema.declare(
      (input): input is Provider =>
        Predicate.hasProperty(input, "complete") && Predicate.hasProperty(input, "stream")
      // Whatever it is, it may hold a key.
    ).annotations({ message: () => "expected a provider" }),
    model: Schema.NonEmptyString,
    continue: Schema.optional(Route.Continue),
    ...Quirks.fields
  }).pipe(
    Schema.filter(({ tiers }) => {
      const wrong = tiers.findIndex(Continuation.answersAnew)
      return wrong === -1
        ? undefined
        : {
            path: ["tiers", wrong, "continue"],
            message: "this provider does not go on from a prefix; use restart"
          }
    })
  )
)
