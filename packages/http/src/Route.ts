/**
 * A name that callers ask for, and the policy behind it.
 *
 * @since 0.1.0
 */
import type { Labels } from "@understudy/core/Attempt"
import * as CircuitBreaker from "@understudy/core/CircuitBreaker"
import * as Fallback from "@understudy/core/Fallback"
import * as FallbackStream from "@understudy/core/FallbackStream"
import * as Outcome from "@understudy/core/Outcome"
import * as Policy from "@understudy/core/Policy"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ChatRequest } from "./ChatCompletion.ts"
import { breakerOf, type Holder } from "./internal/provider/credential.ts"
import * as Embeddings from "./internal/provider/embeddings.ts"
import * as Continuation from "./internal/stream/continuation.ts"
import type { Answer, Part, Provider } from "./Provider.ts"
import { outcome, type ProviderError } from "./ProviderError.ts"
import * as Quirks from "./Quirks.ts"

/**
 * A name that callers ask for, and the policy behind it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Route {
  readonly name: string
  /** The endpoint it serves. */
  readonly serves: "chat" | "embeddings"
  readonly tiers: Arr.NonEmptyReadonlyArray<RouteTier>
  /** The breakers of the tiers, in their order. */
  readonly breakers: Arr.NonEmptyReadonlyArray<RouteBreaker>
  /** Whether any tier's breaker admits calls now, or is half-open. */
  readonly available: Effect.Effect<boolean>
  /** One run for a whole answer. */
  readonly complete: (request: ChatRequest) => Fallback.Fallback<Answer, ProviderError, never>
  /** One run for a streamed answer, committed at its first content. */
  readonly stream: (request: ChatRequest) => FallbackStream.FallbackStream<Part, ProviderError, never>
}

/**
 * A tier, with its provider and model.
 *
 * @since 0.1.0
 * @category models
 */
export interface RouteTier extends Policy.TierPolicy, Quirks.Quirks {
  readonly provider: Provider
  /** The model's name at the provider. */
  readonly model: string
  /**
   * The model of its vectors, such as `text-embedding-3-small`: the tier then answers only requests for embeddings. All
   * tiers of a route must have the same, since vectors of different models cannot be compared.
   */
  readonly embeddings?: string | undefined
  /** How it continues a stream that broke off on a tier above. Default: not at all. */
  readonly continue?: Continue | undefined
}

/**
 * The breaker of a tier.
 *
 * @since 0.1.0
 * @category models
 */
export interface RouteBreaker {
  readonly tier: string
  readonly labels: Labels
  readonly breaker: CircuitBreaker.CircuitBreaker
}

/**
 * How a tier continues a stream that broke off on another tier.
 *
 * - `prefill`: what was said is sent as a final assistant message, and its answer is appended. Its provider must
 *   continue such a message and not start over, see `Provider.prefill`.
 * - `restart`: it gets the same request. Its answer is held back as long as it repeats what was said; what follows is
 *   appended. If it differs, it fails as `stream_diverged`.
 *
 * **Details**
 * - Only text of a single choice is continued: nothing with a tool call, reasoning or a refusal, and nothing that has
 *   ended. A request for structured output, such as JSON, or one that ends with an assistant message, is not prefilled.
 * - All chunks have the `id`, `created` and `model` that the answer began with, and one role. Its `usage` is that of
 *   the tier that ended it, marked `"incomplete": true`.
 * - It is asked as usual: its `firstToken` and `timeout` bound the time to its first new words.
 * - If no tier can continue, the stream fails with the original failure.
 *
 * @since 0.1.0
 * @category models
 */
export type Continue = typeof Continue.Type

/**
 * The schema of {@link Continue}, for files.
 *
 * @example
 * import { Route } from "@understudy/http"
 * import { Schema } from "effect"
 *
 * console.log(Schema.decodeUnknownSync(Route.Continue)("prefill")) // => prefill
 *
 * @since 0.1.0
 * @category schemas
 */
export const Continue: Schema.Literal<["prefill", "restart"]> = Schema.Literal(
  "prefill",
  "restart"
).annotations({
  title: "way to go on"
})

/**
 * Makes a route and the circuit breakers of its tiers, one each.
 *
 * **Details**
 * - A breaker that opens because of the credential (401, 402, 403, an exhausted quota) opens those of all tiers with
 *   the same provider. Each is probed separately after its time, and a probe that fails because of the credential makes
 *   the others wait as long again. Everything else opens only the tier's own breaker.
 * - Make routes that share providers together, with {@link makeAll}.
 * - Throws a `RangeError` that names a tier whose `embeddings` differ from the first tier's, or whose provider has
 *   none.
 * - Throws a `RangeError` for a tier with `prefill` whose provider cannot continue a prefix.
 *
 * @example
 * import { Policy } from "@understudy/core"
 * import { Route, Sandbox } from "@understudy/http"
 * import { Effect, Schema } from "effect"
 *
 * const policy = Schema.decodeSync(Policy.Policy)({ tiers: [{ name: "primary" }, { name: "standby" }] })
 * const [primary, standby] = policy.tiers
 * const provider = Sandbox.make({ name: "sandbox", latency: "1 millis" })
 * const body = new TextEncoder().encode('{"model":"chat","messages":[]}')
 *
 * const program = Effect.gen(function* () {
 *   const route = yield* Route.make("chat", {
 *     ...policy,
 *     tiers: [{ ...primary, provider, model: "large" }, { ...standby!, provider, model: "small" }]
 *   })
 *   const answer = yield* route.complete({ model: "chat", stream: false, body })
 *   return JSON.parse(new TextDecoder().decode(answer.body)).model
 * })
 *
 * console.log(await Effect.runPromise(program)) // => large
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (name: string, policy: Policy.Policy<RouteTier>): Effect.Effect<Route> =>
  Effect.suspend(() => one(name, policy, new Map(), breakerOfItsOwn))

/**
 * Makes several routes whose tiers share the credentials of their providers: a failure of a credential, as in
 * {@link make}, opens the breakers of all.
 *
 * `breaker` supplies a tier's circuit breaker, such as the one it had before a policy was changed. Default: a new one
 * each.
 *
 * @example
 * import { Policy } from "@understudy/core"
 * import { Route, Sandbox } from "@understudy/http"
 * import { Array, Effect, Schema } from "effect"
 *
 * const policy = Schema.decodeSync(Policy.Policy)({ tiers: [{ name: "primary" }] })
 * const provider = Sandbox.make({ name: "sandbox", failure: { status: 401, rate: 1 }, latency: "1 millis" })
 * const asking = (model: string) => ({
 *   ...policy,
 *   tiers: Array.map(policy.tiers, (tier) => ({ ...tier, provider, model }))
 * })
 * const body = new TextEncoder().encode('{"model":"chat","messages":[]}')
 *
 * const program = Effect.gen(function* () {
 *   const [chat, draft] = yield* Route.makeAll({ chat: asking("large"), draft: asking("small") })
 *   yield* Effect.exit(chat!.complete({ model: "chat", stream: false, body }))
 *   return yield* draft!.available
 * })
 *
 * console.log(await Effect.runPromise(program)) // => false
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeAll = (
  policies: Readonly<Record<string, Policy.Policy<RouteTier>>>,
  options: { readonly breaker?: BreakerOf | undefined } = {}
): Effect.Effect<ReadonlyArray<Route>> =>
  Effect.suspend(() => {
    const holders = new Map<Provider, Array<Holder>>()
    return Effect.forEach(Object.entries(policies), ([name, policy]) =>
      one(name, policy, holders, options.breaker ?? breakerOfItsOwn)
    )
  })

type BreakerOf = (route: string, tier: RouteTier) => Effect.Effect<CircuitBreaker.CircuitBreaker>

const breakerOfItsOwn: BreakerOf = (route, tier) =>
  CircuitBreaker.make({ ...tier.breaker, key: `${route}/${tier.name}` })

const one = (
  name: string,
  policy: Policy.Policy<RouteTier>,
  holders: Map<Provider, Array<Holder>>,
  breakerFor: BreakerOf
): Effect.Effect<Route> =>
  Effect.gen(function* () {
    const misfit = Embeddings.misfit(policy.tiers)
    if (misfit !== undefined) throw new RangeError(`Route: ${misfit} does not make the embeddings of ${name}`)
    const serves = policy.tiers[0].embeddings === undefined ? "chat" : "embeddings"
    const wrong = policy.tiers.find(Continuation.answersAnew)
    if (wrong !== undefined) throw new RangeError(`Route: the provider of ${wrong.name} cannot prefill`)
    const breakers = new Map<RouteTier, CircuitBreaker.CircuitBreaker>()
    const tiers = Arr.map(policy.tiers, (tier) => ({ ...tier, adapt: Quirks.adapt(tier) }))
    for (const tier of tiers) {
      const breaker = yield* breakerFor(name, tier)
      const own: Holder = { run: name, tier: tier.name, labels: labels(tier), breaker }
      const all = holders.get(tier.provider) ?? []
      holders.set(tier.provider, all)
      all.push(own)
      breakers.set(tier, breakerOf(own, all))
    }
    const compiled = yield* Policy.compile(
      { ...policy, tiers },
      {
        name,
        labels,
        span: (tier) => ({ name: `${serves} ${tier.model}`, attributes: spanAttributes(serves, tier) }),
        breaker: (tier) => breakers.get(tier)
      }
    )
    const isGoneOnWith = policy.tiers.some((tier) => tier.continue !== undefined)
    return {
      name,
      serves,
      tiers: policy.tiers,
      breakers: Arr.map(compiled.tiers, ({ breaker, tier }) => ({
        tier: tier.name,
        labels: labels(tier),
        breaker
      })),
      available: compiled.available,
      complete: (request) =>
        Fallback.fromPolicy(
          compiled,
          ({ adapt, model, provider }) =>
            (serves === "embeddings" && provider.embeddings ? provider.embeddings : provider.complete)(
              adapt(request),
              model
            ),
          { classify: outcome }
        ),
      stream: (request) =>
        FallbackStream.fromPolicyPull(
          compiled,
          ({ adapt, model, provider }) => provider.stream(adapt(request), model),
          {
            isContent: (part) => part.content,
            classify: (error) => (error._tag === "EmptyStream" ? emptyStream : outcome(error)),
            transcript: request.n === undefined && isGoneOnWith ? Continuation.transcript : undefined,
            resume: (tier) =>
              tier.continue &&
              ((said) =>
                Continuation.goOn(tier, said, request, (request) =>
                  tier.provider.stream(tier.adapt(request), tier.model)
                ))
          }
        )
    }
  })

const labels = ({ model, provider }: RouteTier): Labels => ({ model, provider: provider.name })

const emptyStream = Outcome.failure({ errorType: "stream_truncated" })

const spanAttributes = (
  operation: Route["serves"],
  { model, provider }: Pick<RouteTier, "model" | "provider">
): Readonly<Record<string, unknown>> => ({
  "gen_ai.operation.name": operation,
  "gen_ai.provider.name": provider.system,
  "gen_ai.request.model": model,
  ...(provider.server && { "server.address": provider.server.address, "server.port": provider.server.port })
})
