/**
 * A name callers ask for, and the tiers behind it.
 *
 * @since 0.1.0
 */
import * as CircuitBreaker from "@understudy/core/CircuitBreaker"
import * as Deadline from "@understudy/core/Deadline"
import * as Fallback from "@understudy/core/Fallback"
import * as FallbackStream from "@understudy/core/FallbackStream"
import * as Outcome from "@understudy/core/Outcome"
import type * as Policy from "@understudy/core/Policy"
import * as Tier from "@understudy/core/Tier"
import * as Arr from "effect/Array"
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
    Effect.forEach(policy.tiers, (tier) =>
      Effect.map(CircuitBreaker.make({ ...tier.breaker, key: `${name}/${tier.name}` }), (breaker) => ({
        ...tier,
        breaker
      }))
    ),
    (tiers): Route => {
      const rungs = Arr.map(tiers as Arr.NonEmptyArray<(typeof tiers)[number]>, (tier) => ({
        tier,
        options: {
          name: tier.name,
          labels: { model: tier.model, provider: tier.provider.name },
          timeout: tier.timeout,
          backoff: tier.backoff,
          maxRetryAfter: tier.maxRetryAfter,
          retryTimeouts: tier.retryTimeouts,
          breaker: tier.breaker,
          span: { name: `chat ${tier.model}`, attributes: spanAttributes(tier) }
        }
      }))
      const maxTiers = policy.maxTiers ?? tiers.length
      return {
        name,
        tiers: policy.tiers,
        available: Effect.map(
          Effect.zip(
            Deadline.now,
            Effect.forEach(tiers, ({ breaker }) => breaker.state)
          ),
          ([now, states]) => states.some((state) => state._tag !== "Open" || state.until <= now)
        ),
        complete: (request) =>
          Arr.map(rungs, ({ options, tier }) =>
            Tier.make({
              ...options,
              classify: outcome,
              effect: tier.provider.complete(request, tier.model),
              attemptTimeout: tier.attemptTimeout
            })
          )
            .reduce((above, below) => Fallback.orElse(above, below))
            .pipe(Fallback.named(name), Fallback.within(policy.deadline), Fallback.atMost(maxTiers)),
        stream: (request) =>
          Arr.map(rungs, ({ options, tier }) =>
            FallbackStream.tier({
              ...options,
              classify: (error) => (error._tag === "EmptyStream" ? emptyStream : outcome(error)),
              stream: tier.provider.stream(request, tier.model),
              isContent: (part) => part.content,
              firstToken: tier.firstToken,
              idle: tier.idle,
              maxStream: tier.maxStream
            })
          )
            .reduce((above, below) => FallbackStream.orElse(above, below))
            .pipe(
              FallbackStream.named(name),
              FallbackStream.within(policy.deadline),
              FallbackStream.atMost(maxTiers)
            )
      }
    }
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
