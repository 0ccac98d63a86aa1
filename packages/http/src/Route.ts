/**
 * A name callers ask for, and the tiers behind it.
 *
 * @since 0.1.0
 */
import * as Fallback from "@understudy/core/Fallback"
import * as FallbackStream from "@understudy/core/FallbackStream"
import * as Outcome from "@understudy/core/Outcome"
import * as Policy from "@understudy/core/Policy"
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type { ChatRequest } from "./ChatCompletion.ts"
import type { Answer, Part, Provider } from "./Provider.ts"
import { outcome, type ProviderError } from "./ProviderError.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Route {
  readonly name: string
  readonly tiers: Arr.NonEmptyReadonlyArray<RouteTier>
  /** Whether any tier's breaker would let a call through now. */
  readonly available: Effect.Effect<boolean>
  /** One run for a whole answer. */
  readonly complete: (request: ChatRequest) => Fallback.Fallback<Answer, ProviderError, never>
  /** One run for a streamed answer, committed at its first content. */
  readonly stream: (request: ChatRequest) => FallbackStream.FallbackStream<Part, ProviderError, never>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface RouteTier extends Policy.TierPolicy {
  readonly provider: Provider
  /** What the provider calls the model. */
  readonly model: string
}

/**
 * Makes a route and the circuit breakers of its tiers, one each.
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
  Effect.map(
    Policy.compile(policy, {
      name,
      labels: ({ model, provider }) => ({ model, provider: provider.name }),
      span: (tier) => ({ name: `chat ${tier.model}`, attributes: spanAttributes(tier) })
    }),
    (compiled): Route => ({
      name,
      tiers: policy.tiers,
      available: compiled.available,
      complete: (request) =>
        Fallback.fromPolicy(compiled, ({ model, provider }) => provider.complete(request, model), {
          classify: outcome
        }),
      stream: (request) =>
        FallbackStream.fromPolicy(compiled, ({ model, provider }) => provider.stream(request, model), {
          isContent: (part) => part.content,
          classify: (error) => (error._tag === "EmptyStream" ? emptyStream : outcome(error))
        })
    })
  )

const emptyStream = Outcome.failure({ errorType: "stream_truncated" })

const spanAttributes = ({
  model,
  provider
}: Pick<RouteTier, "model" | "provider">): Readonly<Record<string, unknown>> => ({
  "gen_ai.operation.name": "chat",
  "gen_ai.provider.name": provider.system,
  "gen_ai.request.model": model,
  ...(provider.server && { "server.address": provider.server.address, "server.port": provider.server.port })
})
