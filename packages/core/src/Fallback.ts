/**
 * Tiers composed into one effect that asks them in order until one answers.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Scope from "effect/Scope"
import type { Event } from "./Attempt.ts"
import { ladderFrom } from "./internal/policy/compiled.ts"
import { FallbackEffect, served as servedBy } from "./internal/run/fallbackEffect.ts"
import type { AllTiersFailed, Served } from "./internal/run/ladder.ts"
import * as ladder from "./internal/run/ladder.ts"
import { runs } from "./internal/run/rung.ts"
import type { Outcome } from "./Outcome.ts"
import type { Compiled, TierPolicy } from "./Policy.ts"

/**
 * An ordered list of tiers that *is* an `Effect`: `yield*` it, `pipe` it, or compose it further.
 *
 * It fails with the tier's own error if that error is meant for the caller (its outcome says abort, or the fallback is
 * a single tier without retries), and with {@link AllTiersFailed} otherwise.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fallback<out A, out E, out R> extends Effect.Effect<A, E | AllTiersFailed<E>, R> {
  /** @hidden In the published types all the same, or any effect would pass for a fallback. */
  readonly ladder: ladder.Ladder<A, E, R>
}

export type { Served } from "./internal/run/ladder.ts"
export { AllTiersFailed } from "./internal/run/ladder.ts"

/**
 * Asks `that` if `self` has no answer.
 *
 * **Details**
 * - Associative: however tiers are grouped, the same attempts happen at the same times. A group with its own bounds
 *   ({@link within}, {@link atMost}) keeps them.
 * - The next tier starts as soon as the one before it is given up, without a wait.
 * - Interruption, and an error whose outcome says abort, ask no further tier.
 *
 * @example
 * import { Effect } from "effect"
 * import { Fallback, Tier } from "@understudy/core"
 *
 * const primary = Tier.make({ name: "primary", effect: Effect.fail("down") })
 * const standby = Tier.make({ name: "standby", effect: Effect.succeed("answer") })
 *
 * console.log(Effect.runSync(primary.pipe(Fallback.orElse(standby)))) // => answer
 *
 * @since 0.1.0
 * @category combinators
 */
export const orElse: {
  /**
   * Asks `that` if `self` has no answer.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A2, E2, R2>(
    that: Fallback<A2, E2, R2>
  ): <A, E, R>(self: Fallback<A, E, R>) => Fallback<A | A2, E | E2, R | R2>
  /**
   * Asks `that` if `self` has no answer.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R, A2, E2, R2>(self: Fallback<A, E, R>, that: Fallback<A2, E2, R2>): Fallback<A | A2, E | E2, R | R2>
} = dual(
  2,
  <A, E, R, A2, E2, R2>(
    self: Fallback<A, E, R>,
    that: Fallback<A2, E2, R2>
  ): Fallback<A | A2, E | E2, R | R2> => new FallbackEffect(ladder.orElse(self.ladder, that.ladder))
)

/**
 * `orElse` that does not wait for `self` to fail: if its last tier has not answered within `after` of its start, `that`
 * starts alongside it; if it fails earlier, `that` starts at once. The first answer wins, and the others are
 * interrupted.
 *
 * **Details**
 * - An interrupted loser counts for no breaker; its finalizers run.
 * - A failure that aborts ends both sides. Otherwise the run fails when no attempt is left.
 * - Use it only for calls that may be made twice.
 *
 * Source: J. Dean, L. A. Barroso, "The Tail at Scale", 2013; gRPC proposal A6 for the start upon a failure.
 *
 * @example
 * import { Effect } from "effect"
 * import { Fallback, Tier } from "@understudy/core"
 *
 * const slow = Tier.make({ name: "slow", effect: Effect.delay(Effect.succeed("slow"), "1 minute") })
 * const quick = Tier.make({ name: "quick", effect: Effect.succeed("quick") })
 *
 * console.log(await Effect.runPromise(slow.pipe(Fallback.hedge(quick, { after: "5 millis" })))) // => quick
 *
 * @since 0.1.0
 * @category combinators
 */
export const hedge: {
  /**
   * `orElse` that does not wait for `self` to fail: if its last tier has not answered within `after` of its start,
   * `that` starts alongside it; if it fails earlier, `that` starts at once.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A2, E2, R2>(
    that: Fallback<A2, E2, R2>,
    options: { readonly after: Duration.DurationInput }
  ): <A, E, R>(self: Fallback<A, E, R>) => Fallback<A | A2, E | E2, R | R2>
  /**
   * `orElse` that does not wait for `self` to fail: if its last tier has not answered within `after` of its start,
   * `that` starts alongside it; if it fails earlier, `that` starts at once.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R, A2, E2, R2>(
    self: Fallback<A, E, R>,
    that: Fallback<A2, E2, R2>,
    options: { readonly after: Duration.DurationInput }
  ): Fallback<A | A2, E | E2, R | R2>
} = dual(
  3,
  <A, E, R, A2, E2, R2>(
    self: Fallback<A, E, R>,
    that: Fallback<A2, E2, R2>,
    options: { readonly after: Duration.DurationInput }
  ): Fallback<A | A2, E | E2, R | R2> =>
    new FallbackEffect(ladder.hedge(self.ladder, that.ladder, options.after))
)

/**
 * Bounds the whole run, with all its tiers, attempts and waits. The bound starts with the run; a shorter deadline that
 * is already in force stays in force.
 *
 * @example
 * import { Effect } from "effect"
 * import { Fallback, Tier } from "@understudy/core"
 *
 * const slow = Tier.make({ name: "slow", effect: Effect.never })
 * const program = Effect.flip(slow.pipe(Fallback.within("10 millis")))
 *
 * console.log((await Effect.runPromise(program)).message) // => the deadline ended the run after 1 attempt
 *
 * @since 0.1.0
 * @category combinators
 */
export const within: {
  /**
   * Bounds the whole run, with all its tiers, attempts and waits.
   *
   * @since 0.1.0
   * @category combinators
   */
  (duration: Duration.DurationInput): <A, E, R>(self: Fallback<A, E, R>) => Fallback<A, E, R>
  /**
   * Bounds the whole run, with all its tiers, attempts and waits.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R>(self: Fallback<A, E, R>, duration: Duration.DurationInput): Fallback<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Fallback<A, E, R>, duration: Duration.DurationInput): Fallback<A, E, R> =>
    new FallbackEffect(ladder.within(self.ladder, duration))
)

/**
 * Limits how many tiers one run may start. A tier whose breaker refuses does not count as started.
 *
 * @example
 * import { Effect } from "effect"
 * import { Fallback, Tier } from "@understudy/core"
 *
 * const tier = (name: string) => Tier.make({ name, effect: Effect.fail("down") })
 * const program = tier("a").pipe(Fallback.orElse(tier("b")), Fallback.orElse(tier("c")), Fallback.atMost(2))
 *
 * console.log(String(Effect.runSync(Effect.flip(program)))) // => AllTiersFailed: all tiers failed after 2 attempts
 *
 * @since 0.1.0
 * @category combinators
 */
export const atMost: {
  /**
   * Limits how many tiers one run may start.
   *
   * @since 0.1.0
   * @category combinators
   */
  (tiers: number): <A, E, R>(self: Fallback<A, E, R>) => Fallback<A, E, R>
  /**
   * Limits how many tiers one run may start.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R>(self: Fallback<A, E, R>, tiers: number): Fallback<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Fallback<A, E, R>, tiers: number): Fallback<A, E, R> =>
    new FallbackEffect(ladder.atMost(self.ladder, tiers))
)

/**
 * Names the run in its span (`fallback {name}`) and events. Default: the name of the first tier.
 *
 * @example
 * import { Effect } from "effect"
 * import { Attempt, Fallback, Tier } from "@understudy/core"
 *
 * const chat = Tier.make({ name: "primary", effect: Effect.succeed("answer") }).pipe(Fallback.named("chat"))
 * const runs = new Set<string>()
 * Effect.runSync(Effect.provideService(chat, Attempt.Listener, (event) => runs.add(event.run)))
 *
 * console.log(runs) // => Set(1) { 'chat' }
 *
 * @since 0.1.0
 * @category combinators
 */
export const named: {
  /**
   * Names the run in its span (`fallback {name}`) and events.
   *
   * @since 0.1.0
   * @category combinators
   */
  (name: string): <A, E, R>(self: Fallback<A, E, R>) => Fallback<A, E, R>
  /**
   * Names the run in its span (`fallback {name}`) and events.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R>(self: Fallback<A, E, R>, name: string): Fallback<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Fallback<A, E, R>, name: string): Fallback<A, E, R> =>
    new FallbackEffect({ ...self.ladder, name })
)

/**
 * Changes the effect of every attempt, to validate answers for example. `f` becomes part of the attempt: it runs within
 * its bounds and scope, and its failures, which must be among the tier's own, are classified like those.
 *
 * @example
 * import { Effect } from "effect"
 * import { Fallback, Tier } from "@understudy/core"
 *
 * const model = (name: string, answer: Effect.Effect<string, "empty">) => Tier.make({ name, effect: answer })
 * const checked = model("terse", Effect.succeed("")).pipe(
 *   Fallback.orElse(model("chatty", Effect.succeed("Hello"))),
 *   Fallback.mapAttempts(Effect.filterOrFail((answer) => answer !== "", () => "empty" as const))
 * )
 *
 * console.log(Effect.runSync(checked)) // => Hello
 *
 * @since 0.1.0
 * @category combinators
 */
export const mapAttempts: {
  /**
   * Changes the effect of every attempt, to validate answers for example.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R, A2, R2>(
    f: (attempt: Effect.Effect<A, E, R>) => Effect.Effect<A2, NoInfer<E>, R2>
  ): (self: Fallback<A, E, R>) => Fallback<A2, E, Exclude<R2, Scope.Scope>>
  /**
   * Changes the effect of every attempt, to validate answers for example.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R, A2, R2>(
    self: Fallback<A, E, R>,
    f: (attempt: Effect.Effect<A, E, R>) => Effect.Effect<A2, NoInfer<E>, R2>
  ): Fallback<A2, E, Exclude<R2, Scope.Scope>>
} = dual(
  2,
  <A, E, R, A2, R2>(
    self: Fallback<A, E, R>,
    f: (attempt: Effect.Effect<A, E, R>) => Effect.Effect<A2, E, Exclude<R2, Scope.Scope>>
  ): Fallback<A2, E, Exclude<R2, Scope.Scope>> => new FallbackEffect(ladder.mapAttempts(self.ladder, f))
)

/**
 * The tiers of a policy, each with its effect. Compile the policy once, since it holds the breakers' state; the
 * fallback is cheap, and may be made for every run.
 *
 * **Details**
 * - `effect` is called when an attempt starts, and never for a tier that is not asked. What it throws is a defect of
 *   that attempt.
 * - `classify` maps a typed error to its outcome. Default: `Outcome.classifyError`.
 *
 * @example
 * import { Effect, Either } from "effect"
 * import { Fallback, Policy } from "@understudy/core"
 *
 * const policy = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary" }, { name: "standby" }] }))
 *
 * const program = Effect.gen(function* () {
 *   const compiled = yield* Policy.compile(policy)
 *   return yield* Fallback.fromPolicy(compiled, (tier) => Effect.succeed(`the ${tier.name} answers`))
 * })
 *
 * console.log(await Effect.runPromise(program)) // => the primary answers
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromPolicy = <Tier extends TierPolicy, A, E, R>(
  policy: Compiled<Tier>,
  effect: (tier: Tier) => Effect.Effect<A, E, R>,
  options?: { readonly classify?: ((error: E, tier: Tier) => Outcome) | undefined }
): Fallback<A, E, Exclude<R, Scope.Scope>> => {
  const classify = options?.classify
  return new FallbackEffect(
    ladderFrom(policy, ({ answer, tier }) =>
      runs(
        answer,
        Effect.suspend(() => effect(tier)) as Effect.Effect<A, E, Exclude<R, Scope.Scope>>,
        classify && ((error: E) => classify(error, tier))
      )
    )
  )
}

/**
 * Runs the fallback and returns how its answer came about: the tier that served it, and every attempt on the way.
 *
 * A `listener` receives the run's events in place of `Attempt.Listener`. Default: none.
 *
 * @example
 * import { Effect } from "effect"
 * import { Fallback, Tier } from "@understudy/core"
 *
 * const primary = Tier.make({ name: "primary", effect: Effect.fail("down") })
 * const standby = Tier.make({ name: "standby", effect: Effect.succeed("answer") })
 * const { value, tier, attempts } = Effect.runSync(Fallback.served(primary.pipe(Fallback.orElse(standby))))
 *
 * console.log(value, tier, attempts.map((attempt) => attempt.outcome)) // => answer standby [ 'failure', 'success' ]
 *
 * @since 0.1.0
 * @category execution
 */
export const served = <A, E, R>(
  self: Fallback<A, E, R>,
  options?: { readonly listener?: ((event: Event) => void) | undefined }
): Effect.Effect<Served<A, E>, E | AllTiersFailed<E>, R> => servedBy(self.ladder, options?.listener)
