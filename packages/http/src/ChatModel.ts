/**
 * A chat model with fallback: the typed client of chat completions.
 *
 * It wraps a {@link Route} and uses types in place of bytes: the engine, spans and events are the same.
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
 * A policy of chat completions, as a client.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChatModel {
  /** Returns the whole answer of the first tier that has one. */
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
   * Streams the answer of the first tier that emits content. Failures before that are not visible. A stream that breaks
   * off later is continued by a tier that can, see `Route.Continue`, or fails; a successful stream always ends with
   * `Finished`.
   */
  readonly stream: (
    request: Request
  ) => Stream.Stream<
    Part,
    ProviderError | EmptyStream | DeadlineExceeded | AllTiersFailed<ProviderError | EmptyStream>
  >
}

/**
 * The chat model of an application, as a service.
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
 * The options of a tier beside its policy and provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierOptions extends Quirks.Quirks {
  readonly model: string
  /** How it continues a stream that broke off on a tier above. Default: not at all. */
  readonly continue?: Route.Continue | undefined
}

/**
 * A policy in its file form, `Policy.PolicyFile`, with the same defaults, and a provider and a model for each tier.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Policy.PolicyFile<TierOptions & { readonly provider: Provider }> {
  /** Names the runs in spans and events. Default: `chat`. */
  readonly name?: string | undefined
}

/**
 * Makes a chat model and the circuit breakers of its tiers. Fails if the policy is invalid.
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
 * A typed client of a route.
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
  /** A provider, or an effect that makes one: see `Provider.fromConfig`. */
  readonly provider: Provider | Effect.Effect<Provider, unknown, unknown>
}

/**
 * {@link layer} in which any field of the policy and of its tiers may be a `Config`, and any provider may require
 * services such as `Upstream`.
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
    // The services of the providers cannot be inferred from the array; the declared type has them.
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
 * Decodes the arguments of a tool call; missing ones are an empty object. Its error is meant for the model, which can
 * correct them, and therefore quotes them. JSON deeper than 512 levels does not fit anything.
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
      // The value is not shown, since it may contain a key.
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
