/**
 * Tiers as plain data: what a file says, with every default filled in.
 *
 * A policy can be read, printed and bounded before anything runs. Decoding rejects what cannot work (no tier, two tiers
 * of one name, a number out of range) and unknown keys.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as Backoff from "./Backoff.ts"
import type * as CircuitBreaker from "./CircuitBreaker.ts"
import type { Alert } from "./Health.ts"
import type { Compiled, CompileOptions } from "./internal/policy/compiled.ts"
import * as compiled from "./internal/policy/compiled.ts"
import * as fields from "./internal/policy/fields.ts"
import type { Finding } from "./internal/policy/lint.ts"
import * as checks from "./internal/policy/lint.ts"
import * as file from "./internal/policy/policyFile.ts"
import type { TierReach } from "./internal/policy/reach.ts"
import * as reaches from "./internal/policy/reach.ts"
import type { RunKind, WorstCase } from "./internal/policy/worstCase.ts"
import * as bounds from "./internal/policy/worstCase.ts"

export type { Compiled, CompiledTier, CompileOptions } from "./internal/policy/compiled.ts"
export type { Finding, Rule } from "./internal/policy/lint.ts"
export type { TierReach } from "./internal/policy/reach.ts"
export type { Bounds, RunKind, TierBounds, WorstCase } from "./internal/policy/worstCase.ts"

/**
 * One rung of the ladder.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierPolicy {
  readonly name: string
  /** Bounds all attempts and waits of the tier together. */
  readonly timeout: Duration.Duration
  /** Bounds one attempt. */
  readonly attemptTimeout: Duration.Duration
  /** Bounds the wait for the first content of an attempt's stream. */
  readonly firstToken: Duration.Duration
  /** Bounds the silence of a stream after the commit point. */
  readonly idle: Duration.Duration
  /** Bounds the whole length of a stream after the commit point. */
  readonly maxStream: Duration.Duration
  readonly backoff: Backoff.Backoff
  /** The longest requested wait that is waited out. */
  readonly maxRetryAfter: Duration.Duration
  /** Whether an attempt that timed out is retried. */
  readonly retryTimeouts: boolean
  readonly breaker: CircuitBreaker.Config
  /**
   * In a run for a whole answer, how long the tier may take before the next one is asked alongside it; the first answer
   * wins. Default: no hedge; never in a stream.
   */
  readonly hedge?: { readonly after: Duration.Duration } | undefined
}

/**
 * Tiers in the order in which they are asked, and what bounds a run through them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy<out Tier extends TierPolicy = TierPolicy> {
  /** Bounds the run. */
  readonly deadline: Duration.Duration
  /** How many tiers one run may ask. Default: all. */
  readonly maxTiers: number | undefined
  readonly tiers: Arr.NonEmptyReadonlyArray<Tier>
  /** When to alert. */
  readonly alert?: Alert | undefined
}

/**
 * A policy in its file form; `Extra` are additional fields of each tier.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyFile<out Extra = {}> {
  readonly deadline?: string | undefined
  readonly maxTiers?: number | undefined
  readonly tiers: readonly [TierFile & Extra, ...Array<TierFile & Extra>]
  readonly alert?: AlertFile | undefined
}

/**
 * A tier in its file form.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierFile extends Schema.Struct.Encoded<typeof file.tierFields> {}

/**
 * An alert in its file form.
 *
 * @since 0.1.0
 * @category models
 */
export interface AlertFile extends Schema.Schema.Encoded<typeof file.Alert> {}

/**
 * A duration in its file form: Effect's own text or a short form such as `20s`, `250ms`, `1.5s` or `1h30m`. Negative
 * durations are rejected; it encodes to the short form.
 *
 * @example
 * import { Duration, Schema } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * console.log(Duration.toMillis(Schema.decodeSync(Policy.DurationText)("1m30s"))) // => 90000
 * console.log(Schema.encodeSync(Policy.DurationText)(Duration.minutes(90))) // => 1h30m
 *
 * @since 0.1.0
 * @category schemas
 */
export const DurationText: Schema.Schema<Duration.Duration, string> = fields.DurationText

/**
 * The name of a tier, or any other text that appears verbatim in log lines, metric labels and HTTP headers.
 *
 * @example
 * import { Schema } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * console.log(Schema.is(Policy.Name)("llama3.2:1b"), Schema.is(Policy.Name)("two\nlines")) // => true false
 *
 * @since 0.1.0
 * @category schemas
 */
export const Name: Schema.Schema<string> = fields.Name

/**
 * The schema of a policy whose tiers have additional fields, such as a gateway's provider and model.
 *
 * @example
 * import { Schema } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * const Route = Policy.struct({ model: Schema.NonEmptyString })
 * const route = Schema.decodeUnknownSync(Route)({ tiers: [{ name: "primary", model: "large" }] })
 *
 * console.log(route.tiers[0].model) // => large
 *
 * @since 0.1.0
 * @category schemas
 */
export const struct = <Extra extends Schema.Struct.Fields>(
  extra: Extra
): Schema.Schema<
  Policy<TierPolicy & Schema.Struct.Type<Extra>>,
  PolicyFile<Schema.Struct.Encoded<Extra>>,
  Schema.Struct.Context<Extra>
> => file.struct(extra)

/**
 * The schema of a policy.
 *
 * **Details**
 * - Defaults: `deadline: 60s`, `maxTiers` all; of a tier `timeout: 30s`, `attemptTimeout` and `firstToken` as its
 *   timeout, `idle: 4m`, `maxStream: 15m`; `retry` and `breaker` as in {@link Backoff.exponential} and
 *   {@link CircuitBreaker.config}, with `maxRetryAfter: 5s` and `onTimeout: false`. Of an `alert`, which is off unless
 *   there is one, `successBelow: 0.95`, `over: 5m`, `atLeast: 20`.
 * - An unknown key is an error, whatever the options of the decoder say.
 * - It encodes to the file form with every default written out, except for the rarer fields of a breaker, which are
 *   written only if they differ from the default.
 *
 * @example
 * import { Schema } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * const policy = Schema.decodeUnknownSync(Policy.Policy)({ tiers: [{ name: "primary" }] })
 *
 * console.log(Schema.encodeSync(Policy.Policy)(policy).tiers[0].attemptTimeout) // => 30s
 *
 * @since 0.1.0
 * @category schemas
 */
export const Policy: Schema.Schema<Policy, PolicyFile> = /* @__PURE__ */ struct({})

/**
 * Decodes a policy from the file form, say from parsed JSON or YAML.
 *
 * @example
 * import { Either } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * console.log(Either.isLeft(Policy.decodeUnknown({ tiers: [{ name: "primary", timout: "5s" }] }))) // => true
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeUnknown = (input: unknown): Either.Either<Policy, ParseResult.ParseError> =>
  Schema.decodeUnknownEither(Policy)(input)

/**
 * Decodes a policy written in code.
 *
 * @example
 * import { Either } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * const policy = Policy.decode({ deadline: "10s", tiers: [{ name: "primary" }, { name: "standby" }] })
 *
 * console.log(Either.getOrThrow(policy).tiers.map((tier) => tier.name)) // => [ 'primary', 'standby' ]
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode: (policy: PolicyFile) => Either.Either<Policy, ParseResult.ParseError> = decodeUnknown

/**
 * The worst case of one run of a policy, in attempts and in time, per tier and in total.
 *
 * **Details**
 * - A tier takes its `timeout`, or the sum of its longest attempts and longest waits, whichever is less. The longest
 *   wait is that of its backoff or its `maxRetryAfter`, since a `retryAfter` up to that is waited out.
 * - The run takes the sum of its tiers, or its `deadline`, whichever is less; with `maxTiers`, the sum of the longest
 *   ones, since breakers decide which tiers are asked.
 * - An attempt takes at most its `attemptTimeout`. With `stream: true`, the result is for a streamed run up to its
 *   commit point, where an attempt takes at most its `firstToken`.
 * - A hedge shortens it, since the next tier does not wait for this one. A `budget` may refuse every hedge: if the
 *   policy is compiled with one, pass `budget: true`.
 * - If nothing bounds it, the duration is infinite.
 *
 * @example
 * import { Duration, Either } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * const retry = { times: 2, base: "1s", max: "4s", maxRetryAfter: "1s" }
 * const policy = Either.getOrThrow(
 *   Policy.decode({
 *     tiers: [{ name: "primary", timeout: "20s", attemptTimeout: "5s", retry }, { name: "standby", timeout: "10s" }]
 *   })
 * )
 * const { attempts, duration, tiers } = Policy.worstCase(policy)
 *
 * console.log(attempts, Duration.toSeconds(duration)) // => 6 28
 * console.log(tiers.map((tier) => Duration.toSeconds(tier.duration))) // => [ 18, 10 ]
 *
 * @since 0.1.0
 * @category checks
 */
export const worstCase: (policy: Policy, kind?: RunKind) => WorstCase = bounds.worstCase

/**
 * When a run can reach each of a policy's tiers, counted from its start.
 *
 * **Details**
 * - It reaches a tier at once if those above it fail without a retry, or their breakers are open; and no sooner than
 *   `retried` if each of them uses up all its attempts.
 * - It reaches the tier by `hanging` if all of those hang. That is `undefined` if the deadline is over by then, or
 *   `maxTiers` tiers have been asked: then this tier answers nobody while those above hang, until their breakers open.
 * - It reaches the tier by `latest` or not at all.
 * - As in {@link worstCase}, a streamed run is bounded up to its commit point, and a `budget` may refuse hedges.
 *
 * @example
 * import { Duration, Either } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * const policy = Either.getOrThrow(
 *   Policy.decode({
 *     deadline: "30s",
 *     tiers: [{ name: "primary", timeout: "20s", attemptTimeout: "8s" }, { name: "standby" }, { name: "baseline" }]
 *   })
 * )
 * const [, standby, baseline] = Policy.reach(policy)
 *
 * console.log(standby?.hanging && Duration.toSeconds(standby.hanging), baseline?.hanging) // => 8 undefined
 *
 * @since 0.1.0
 * @category checks
 */
export const reach: (policy: Policy, kind?: RunKind) => ReadonlyArray<TierReach> = reaches.reach

/**
 * Finds settings that cannot have their intended effect: bounds that never apply, tiers that are not reached when they
 * are needed, waits that cannot lead to an attempt. No findings do not mean that the policy is good.
 *
 * @example
 * import { Either } from "effect"
 * import { Policy } from "@understudy/core"
 *
 * const policy = Either.getOrThrow(
 *   Policy.decode({ deadline: "30s", tiers: [{ name: "primary", timeout: "30s" }, { name: "standby" }] })
 * )
 *
 * console.log(Policy.lint(policy).map(({ rule, tier }) => `${tier}: ${rule}`)) // => [ 'standby: unreachable-tier' ]
 *
 * @since 0.1.0
 * @category checks
 */
export const lint: (policy: Policy) => ReadonlyArray<Finding> = checks.lint

/**
 * Makes a policy's breakers, closed, each with the key `{name}/{tier}`.
 *
 * @example
 * import { Effect, Either } from "effect"
 * import { Fallback, Outcome, Policy } from "@understudy/core"
 *
 * const policy = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary" }, { name: "standby" }] }))
 * const ask = (tier: string, question: string) =>
 *   tier === "primary" ? Effect.fail("down") : Effect.succeed(`${question} Yes.`)
 *
 * const program = Effect.gen(function* () {
 *   const chat = yield* Policy.compile(policy, { name: "chat" })
 *   return yield* Fallback.fromPolicy(chat, (tier) => ask(tier.name, "Still there?"), {
 *     classify: () => Outcome.failure({ next: "nextTier" })
 *   })
 * })
 *
 * console.log(await Effect.runPromise(program)) // => Still there? Yes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const compile: <Tier extends TierPolicy>(
  policy: Policy<Tier>,
  options?: CompileOptions<Tier>
) => Effect.Effect<Compiled<Tier>> = compiled.compile
