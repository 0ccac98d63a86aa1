/**
 * What a policy would have done: the production engine, breakers and health in virtual time, under a load and among
 * upstreams that follow a script.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Labels } from "../Attempt.ts"
import * as Fallback from "../Fallback.ts"
import type { Alert } from "../Health.ts"
import { outcomeOf } from "../internal/testing/kinds.ts"
import type { Refused } from "../internal/testing/refused.ts"
import { Simulator } from "../internal/testing/simulator.ts"
import type { Outcome } from "../Outcome.ts"
import * as Policy from "../Policy.ts"
import type { Script } from "./Script.ts"

export { Refused } from "../internal/testing/refused.ts"

/**
 * Judges a scripted failure as the table of `Script.kinds` says. A kind that is not in there is worth a retry and
 * counts against the tier.
 *
 * @example
 * import { Simulation } from "@understudy/core/testing"
 *
 * const outcome = Simulation.classify(new Simulation.Refused({ kind: "auth", retryAfter: undefined }))
 *
 * console.log(outcome._tag === "Failure" && [outcome.next, outcome.trip]) // => [ 'nextTier', true ]
 *
 * @since 0.1.0
 * @category classification
 */
export const classify = ({ kind, retryAfter }: Refused): Outcome => outcomeOf(kind, retryAfter)

/**
 * What a subject is made of: the calls of its tiers, each an effect that answers with the tier's name, or fails, as
 * the script has it. `also` are other names that a script may call the tier by, such as its provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface World {
  readonly call: (tier: string, ...also: ReadonlyArray<string>) => Effect.Effect<string, Refused>
}

/**
 * What is simulated: it is made once, in virtual time, and the effect that it makes is run for every request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Subject {
  readonly make: (world: World) => Effect.Effect<Effect.Effect<unknown, unknown>>
  /** What to watch, as a gateway would. */
  readonly alert?: Alert | undefined
  /** What else a script may name without a mistake, though it is no concern of this subject. */
  readonly names?: ReadonlyArray<string> | undefined
}

/**
 * The subject that a policy is.
 *
 * @example
 * import { Either } from "effect"
 * import { Policy } from "@understudy/core"
 * import { Script, Simulation } from "@understudy/core/testing"
 *
 * const policy = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary" }, { name: "standby" }] }))
 * const script = Either.getOrThrow(Script.decode({ events: [{ at: "5m", of: "primary", failures: { connection: 1 } }] }))
 * const { availability, tiers } = Simulation.run(Simulation.policy(policy), { script })
 *
 * console.log(availability, tiers.map(({ served }) => served > 2000)) // => 1 [ true, true ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const policy = <Tier extends Policy.TierPolicy>(
  policy: Policy.Policy<Tier>,
  options?: {
    readonly name?: string | undefined
    /** What else a script may call a tier by. Default: nothing. */
    readonly also?: ((tier: Tier) => ReadonlyArray<string>) | undefined
    readonly labels?: ((tier: Tier) => Labels) | undefined
  }
): Subject => ({
  make: ({ call }) =>
    Effect.map(Policy.compile(policy, { name: options?.name, labels: options?.labels }), (compiled) => {
      const calls = new Map(
        policy.tiers.map((tier) => [tier.name, call(tier.name, ...(options?.also?.(tier) ?? []))])
      )
      return Fallback.fromPolicy(compiled, ({ name }) => calls.get(name)!, { classify })
    }),
  alert: policy.alert
})

/**
 * Under what, and who hears of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly script: Script
  /** The same seed gives the same report, to the last digit. Default: 1. */
  readonly seed?: number | undefined
  /** How long a slice of the report's timeline is. Default: what gives about a hundred of them. */
  readonly every?: Duration.DurationInput | undefined
  /** Hears how each request ended, when it did. */
  readonly onRequest?: ((request: Request) => void) | undefined
}

/**
 * How a request ended.
 *
 * `failed` got no answer, `left` did not wait for one, `rejected` was the caller's own mistake, and `unanswered` would
 * wait to this day.
 *
 * @since 0.1.0
 * @category models
 */
export type Ending = "served" | "failed" | "left" | "rejected" | "unanswered"

/**
 * One request of the load, with all that the caller's client did for it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  /** Milliseconds from the beginning. */
  readonly at: number
  readonly endedAt: number
  readonly ending: Ending
  readonly servedBy: string | undefined
  /** How often the client asked. */
  readonly runs: number
  /** How many upstream calls came of it. */
  readonly attempts: number
}

/**
 * What a simulation found. Times are milliseconds, and what happens to a request counts where it came.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report extends Tally {
  readonly seed: number
  /** How long requests came. */
  readonly for: number
  /** Of the requests that wanted an answer and waited for it, the share that was served. */
  readonly availability: number | undefined
  /** Runs of the subject: more than requests where clients try again. */
  readonly runs: number
  readonly attempts: { readonly all: number; readonly perRequest: number; readonly most: number }
  readonly cost: number
  readonly tiers: ReadonlyArray<TierReport>
  /** When breakers were not closed, and alerts fired. */
  readonly breakers: ReadonlyArray<BreakerSpan>
  readonly alerts: ReadonlyArray<Span>
  /** The length of a slice. */
  readonly every: number
  readonly timeline: ReadonlyArray<Slice>
}

/**
 * What became of some requests.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tally {
  readonly requests: number
  readonly endings: { readonly [_ in Ending]: number }
  /** From the request to its answer, of those that were served. */
  readonly latency: Quantiles | undefined
}

/**
 * Times to three digits; `max` exactly.
 *
 * @since 0.1.0
 * @category models
 */
export interface Quantiles {
  readonly mean: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/**
 * What a tier did.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierReport {
  readonly tier: string
  readonly served: number
  readonly attempts: number
  /** Those that counted against it, by error type; what was cut short is among them. */
  readonly errors: { readonly [type: string]: number }
  /** How often its breaker refused. */
  readonly refusals: number
  readonly cost: number
}

/**
 * A stretch of time, of a tier.
 *
 * @since 0.1.0
 * @category models
 */
export interface Span {
  readonly tier: string
  readonly from: number
  readonly until: number
}

/**
 * A stretch of time in which a breaker was not closed.
 *
 * @since 0.1.0
 * @category models
 */
export interface BreakerSpan extends Span {
  readonly state: "open" | "half-open" | "isolated"
}

/**
 * A slice of the time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Slice extends Tally {
  readonly at: number
  /** The requests that each tier served. */
  readonly servedBy: { readonly [tier: string]: number }
}

/**
 * Runs all of a script, at once. Throws a `RangeError` where the script names what is neither a tier nor another name
 * of one.
 *
 * @example
 * import { Effect, Either } from "effect"
 * import { Fallback, Tier } from "@understudy/core"
 * import { Script, Simulation } from "@understudy/core/testing"
 *
 * const script = Either.getOrThrow(Script.decode({ upstreams: { primary: { failures: { hang: 0.1 } } } }))
 * const report = Simulation.run(
 *   {
 *     make: ({ call }) =>
 *       Effect.succeed(
 *         Tier.make({ name: "primary", effect: call("primary"), attemptTimeout: "10 seconds" }).pipe(
 *           Fallback.orElse(Tier.make({ name: "standby", effect: call("standby") }))
 *         )
 *       )
 *   },
 *   { script }
 * )
 *
 * console.log(report.availability, report.latency?.max) // => 1 11000
 *
 * @since 0.1.0
 * @category execution
 */
export const run = (subject: Subject, options: Options): Report => {
  const simulator = new Simulator(subject, options)
  while (simulator.advance(1_000));
  return simulator.report()
}

/**
 * Runs all of a script, and lets others have their turn in between. `onProgress` hears from time to time which share
 * of the script's time is over.
 *
 * @example
 * import { Effect, Either } from "effect"
 * import { Policy } from "@understudy/core"
 * import { Script, Simulation } from "@understudy/core/testing"
 *
 * const policy = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary" }] }))
 * const script = Either.getOrThrow(Script.decode({ for: "1m", load: { rate: 5, arrivals: "even" } }))
 * const report = await Effect.runPromise(Simulation.runEffect(Simulation.policy(policy), { script }))
 *
 * console.log(report.requests) // => 300
 *
 * @since 0.1.0
 * @category execution
 */
export const runEffect = (
  subject: Subject,
  options: Options & { readonly onProgress?: ((share: number) => void) | undefined }
): Effect.Effect<Report> =>
  Effect.suspend(() => {
    const simulator = new Simulator(subject, options)
    const turn: Effect.Effect<Report> = Effect.suspend(() => {
      const more = simulator.advance(1_000)
      options.onProgress?.(simulator.progress)
      return more ? Effect.zipRight(Effect.sleep(0), turn) : Effect.sync(() => simulator.report())
    })
    return turn
  })
