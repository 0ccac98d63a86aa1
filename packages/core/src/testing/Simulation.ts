/**
 * Simulates a policy: the production engine, breakers and health in virtual time, under load and against scripted
 * upstreams.
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
 * Classifies a scripted failure by the table of `Script.kinds`. An unknown kind is worth a retry and counts against the
 * tier.
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
 * The environment of a subject: the calls of its tiers, each an effect that answers with the tier's name or fails, by
 * script. `also` are other names of the tier in scripts, such as its provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface World {
  readonly call: (tier: string, ...also: ReadonlyArray<string>) => Effect.Effect<string, Refused>
}

/**
 * What is simulated: `make` runs once, in virtual time, and the resulting effect runs for every request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Subject {
  readonly make: (world: World) => Effect.Effect<Effect.Effect<unknown, unknown>>
  /** The alert to evaluate, as a gateway would. */
  readonly alert?: Alert | undefined
  /** Other names that a script may use, although they do not concern this subject. */
  readonly names?: ReadonlyArray<string> | undefined
}

/**
 * A policy as a subject.
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
    /** Other names of a tier in scripts. Default: none. */
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
 * The options of a simulation.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly script: Script
  /** The same seed gives the same report, to the last digit. Default: 1. */
  readonly seed?: number | undefined
  /** The length of a slice of the report's timeline. Default: one that gives about a hundred slices. */
  readonly every?: Duration.DurationInput | undefined
  /** Called with each request when it has ended. */
  readonly onRequest?: ((request: Request) => void) | undefined
}

/**
 * How a request ended.
 *
 * `failed` got no answer, `left` gave up waiting, `rejected` was the caller's own mistake, and `unanswered` would wait
 * forever.
 *
 * @since 0.1.0
 * @category models
 */
export type Ending = "served" | "failed" | "left" | "rejected" | "unanswered"

/**
 * One request of the load, including its client's retries.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  /** Milliseconds since the start. */
  readonly at: number
  readonly endedAt: number
  readonly ending: Ending
  readonly servedBy: string | undefined
  /** How often the client sent it. */
  readonly runs: number
  /** How many upstream calls it caused. */
  readonly attempts: number
}

/**
 * The result of a simulation. Times are milliseconds, and a request counts at the time of its arrival.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report extends Tally {
  readonly seed: number
  /** How long requests arrived. */
  readonly for: number
  /** The share of requests served, without those that were wrong or did not wait. */
  readonly availability: number | undefined
  /** Runs of the subject: more than requests if clients retry. */
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
 * The results of requests.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tally {
  readonly requests: number
  readonly endings: { readonly [_ in Ending]: number }
  /** From the request to its answer, for those that were served. */
  readonly latency: Quantiles | undefined
}

/**
 * Times with three significant digits; `max` is exact.
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
 * The figures of a tier.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierReport {
  readonly tier: string
  readonly served: number
  readonly attempts: number
  /** Failed attempts by error type, including those that were cut short. */
  readonly errors: { readonly [type: string]: number }
  /** How often its breaker refused. */
  readonly refusals: number
  readonly cost: number
}

/**
 * A period of a tier.
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
 * A period in which a breaker was not closed.
 *
 * @since 0.1.0
 * @category models
 */
export interface BreakerSpan extends Span {
  readonly state: "open" | "half-open" | "isolated"
}

/**
 * A slice of the timeline.
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
 * Runs a whole script synchronously. Throws a `RangeError` if the script contains a name that is neither a tier nor
 * another name of one.
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
 * Runs a whole script, yielding in between. `onProgress` is called from time to time with the elapsed share of the
 * script's time.
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
