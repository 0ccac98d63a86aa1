/**
 * One rung of the ladder: an effect with its policy.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Labels } from "./Attempt.ts"
import type { Backoff } from "./Backoff.ts"
import type { CircuitBreaker } from "./CircuitBreaker.ts"
import type { Fallback } from "./Fallback.ts"
import { FallbackEffect } from "./internal/run/fallbackEffect.ts"
import { ladderOf, mapAttempts } from "./internal/run/ladder.ts"
import { rung } from "./internal/run/rung.ts"
import type { Classify } from "./Outcome.ts"
import type { RetryBudget } from "./RetryBudget.ts"

/**
 * A fallback of one tier: it can be run as it is, or composed with others by `Fallback.orElse`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tier<out A, out E, out R> extends Fallback<A, E, R> {}

/**
 * The options of every tier, whether it runs an effect or a stream.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<in E> {
  /** Names the tier in records, logs, spans and metrics. */
  readonly name: string
  /** Further labels there, such as its model and provider. Default: none. */
  readonly labels?: Labels | undefined
  /** Bounds all attempts and waits of the tier together, up to its commit point. Default: unbounded. */
  readonly timeout?: Duration.DurationInput | undefined
  /** How often and when to try again. Default: not at all. */
  readonly backoff?: Backoff | undefined
  /**
   * The longest requested wait that is waited out; a longer one opens the breaker until then and sends the run to the
   * next tier at once. Default: 5 seconds.
   */
  readonly maxRetryAfter?: Duration.DurationInput | undefined
  /** Whether an attempt that exceeded its own timeout is retried. Default: false, the next tier is asked. */
  readonly retryTimeouts?: boolean | undefined
  /** Asked before every attempt and told how each ended. May be shared. Default: none. */
  readonly breaker?: CircuitBreaker | undefined
  /**
   * The budget that retries and hedges draw on; may be shared, by tiers of one provider for example. If it is empty,
   * the next tier is asked instead. Default: none, unlimited.
   */
  readonly budget?: RetryBudget | undefined
  /** Maps a typed error to its outcome. Default: `Outcome.classifyError`, worth a retry and counted by the breaker. */
  readonly classify?: Classify<E> | undefined
  /** The tier's span. Default name: `tier {name}`. */
  readonly span?:
    | {
        readonly name?: string | undefined
        readonly attributes?: Readonly<Record<string, unknown>> | undefined
      }
    | undefined
}

/**
 * Makes a tier from an effect. With nothing but a name it behaves like the effect itself, and fails with the effect's
 * own cause.
 *
 * **Details**
 * - Every attempt runs in its own `Scope`, which is closed before anything else starts.
 * - `attemptTimeout` bounds one attempt. Default: unbounded. An attempt that resists interruption is left behind, so
 *   that bounds are hard.
 * - From the outside in: tier timeout, retry, breaker, attempt timeout, attempt. Hence the breaker counts attempts, and
 *   a half-open breaker is probed by one attempt.
 *
 * @example
 * import { Effect } from "effect"
 * import { Backoff, Tier } from "@understudy/core"
 *
 * let calls = 0
 * const primary = Tier.make({
 *   name: "primary",
 *   effect: Effect.suspend(() => (++calls === 1 ? Effect.fail("busy") : Effect.succeed("answer"))),
 *   attemptTimeout: "5 seconds",
 *   backoff: Backoff.constant({ delay: "1 millis", times: 2 })
 * })
 *
 * console.log(await Effect.runPromise(primary), calls) // => answer 2
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, E extends E2, R, E2 = E>(
  options: Options<E2> & {
    readonly effect: Effect.Effect<A, E, R>
    readonly attemptTimeout?: Duration.DurationInput | undefined
  }
): Tier<A, E, Exclude<R, Scope.Scope>> =>
  new FallbackEffect(
    ladderOf(
      rung(
        options,
        options.effect as Effect.Effect<A, E, Exclude<R, Scope.Scope>>,
        "attemptTimeout",
        options.attemptTimeout
      )
    )
  )

/**
 * Provides a tier's services from a layer, so that one program under different layers makes different tiers.
 *
 * **Details**
 * - The layer is built for every attempt, in the attempt's scope and within its bounds. An expensive one is better
 *   built once (`Layer.build`) and passed as `Layer.succeedContext`.
 * - Its errors must be among the tier's, since the tier's classifier handles them too.
 * - A fallback of several tiers has the layer provided to each of them.
 *
 * @example
 * import { Context, Effect, Layer } from "effect"
 * import { Fallback, Tier } from "@understudy/core"
 *
 * class Model extends Context.Tag("Model")<Model, { readonly ask: Effect.Effect<string, "down"> }>() {}
 *
 * const ask = Effect.flatMap(Model, (model) => model.ask)
 * const large = Layer.succeed(Model, { ask: Effect.fail("down" as const) })
 * const small = Layer.succeed(Model, { ask: Effect.succeed("answer") })
 * const program = Tier.make({ name: "large", effect: ask }).pipe(
 *   Tier.provide(large),
 *   Fallback.orElse(Tier.make({ name: "small", effect: ask }).pipe(Tier.provide(small)))
 * )
 *
 * console.log(Effect.runSync(program)) // => answer
 *
 * @since 0.1.0
 * @category combinators
 */
export const provide: {
  /**
   * Provides a tier's services from a layer, so that one program under different layers makes different tiers.
   *
   * @since 0.1.0
   * @category combinators
   */
  <ROut, E2, RIn>(
    layer: Layer.Layer<ROut, E2, RIn>
  ): <A, E, R>(self: Fallback<A, E, R> & AmongErrors<E2, E>) => Tier<A, E, RIn | Exclude<R, ROut>>
  /**
   * Provides a tier's services from a layer, so that one program under different layers makes different tiers.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R, ROut, RIn>(
    self: Fallback<A, E, R>,
    layer: Layer.Layer<ROut, NoInfer<E>, RIn>
  ): Tier<A, E, RIn | Exclude<R, ROut>>
} = dual(
  2,
  <A, E, R, ROut, RIn>(
    self: Fallback<A, E, R>,
    layer: Layer.Layer<ROut, E, RIn>
  ): Tier<A, E, RIn | Exclude<R, ROut>> =>
    new FallbackEffect(mapAttempts(self.ladder, (attempt) => Effect.provide(attempt, layer)))
)

type AmongErrors<E2, E> = [E2] extends [E] ? unknown : { readonly layerErrorsMustBeAmongTheTiers: E2 }
