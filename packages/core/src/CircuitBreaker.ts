/**
 * Stops asking a tier that keeps failing, and detects with few probes when it has recovered.
 *
 * The state machine is a pure function, {@link step}; a breaker is that function behind one `modify` of a
 * {@link Store}. Nothing runs in the background: an open breaker becomes half-open when the first call after `openFor`
 * asks for admission, and a probe that never reported is noticed by the next call.
 *
 * The names follow Effect v4's `CircuitBreaker`, to keep a later migration small.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import {
  Cell,
  type CircuitBreaker,
  type CircuitOpen,
  hub,
  tapReport as reportTapped,
  type Store,
  type Transition,
  unsafeMake
} from "./internal/breaker/breaker.ts"
import type { Config, Consecutive, Options, Rate, Share, Slow } from "./internal/breaker/config.ts"
import * as configs from "./internal/breaker/config.ts"
import * as machine from "./internal/breaker/machine.ts"
import type { Decision, Event, State } from "./internal/breaker/state.ts"
import * as states from "./internal/breaker/state.ts"
import * as Outcome from "./Outcome.ts"

export {
  type Admission,
  type CircuitBreaker,
  /**
   * @since 0.1.0
   * @category errors
   */
  CircuitOpen,
  type Store,
  type Transition
} from "./internal/breaker/breaker.ts"
export type { Config, Consecutive, Options, Rate, Share, Slow, Trip } from "./internal/breaker/config.ts"
export type {
  Change,
  Closed,
  Common,
  Decision,
  Event,
  HalfOpen,
  Isolated,
  Open,
  Permit,
  Reason,
  Rejection,
  State
} from "./internal/breaker/state.ts"
export { stateNames } from "./internal/breaker/state.ts"
export type { Window } from "./internal/breaker/window.ts"

/**
 * Opens after `failures` consecutive failures. Ignored outcomes neither count nor reset the count.
 *
 * @example
 * import { CircuitBreaker } from "@understudy/core"
 *
 * console.log(CircuitBreaker.consecutive(5)) // => { _tag: 'Consecutive', failures: 5 }
 *
 * @since 0.1.0
 * @category triggers
 */
export const consecutive: (failures: number) => Consecutive = configs.consecutive

/**
 * Opens on a failure that brings the failure rate to `threshold` or above, over the last `size` calls or those of the
 * last `window`, once there have been `minimumCalls`.
 *
 * **Details**
 * - Defaults: `threshold: 0.5`, `size: 100`, `minimumCalls` as `size`, or 10 over a `window`, `buckets: 10`.
 * - A window slides one bucket at a time, by the clock: a call leaves it after `window` at the latest, and at most one
 *   bucket earlier, regardless of traffic.
 *
 * @example
 * import { CircuitBreaker } from "@understudy/core"
 *
 * console.log(CircuitBreaker.rate({ size: 20 }).minimumCalls) // => 20
 * console.log(CircuitBreaker.rate({ window: "1 minute", minimumCalls: 5 }).minimumCalls) // => 5
 *
 * @since 0.1.0
 * @category triggers
 */
export const rate: (options: Share) => Rate = configs.rate

/**
 * Opens on a call longer than `after` that brings the share of such calls to `threshold` or above. Failures that took
 * longer count as slow too. The other options are those of {@link rate}.
 *
 * @example
 * import { CircuitBreaker } from "@understudy/core"
 *
 * const trip = [
 *   CircuitBreaker.consecutive(5),
 *   CircuitBreaker.slow({ after: "10 seconds", threshold: 0.8, window: "1 minute" })
 * ] as const
 *
 * console.log(CircuitBreaker.config({ trip }).trip.map(({ _tag }) => _tag)) // => [ 'Consecutive', 'Slow' ]
 *
 * @since 0.1.0
 * @category triggers
 */
export const slow: (options: Share & { readonly after: Duration.DurationInput }) => Slow = configs.slow

/**
 * Fills in the defaults: `trip: consecutive(5)`, `openFor: 20 seconds`, `factor: 1`, `maxOpenFor: 5 minutes`,
 * `jitter: 0.1`, `resetAfter: 0`, `probes`, `successesToClose` and `failuresToOpen: 1`, `lease: 5 minutes`,
 * `observeOnly: false`. Throws a `RangeError` that names the option when one is out of range.
 *
 * @example
 * import { CircuitBreaker } from "@understudy/core"
 *
 * console.log(CircuitBreaker.config().trip) // => [ { _tag: 'Consecutive', failures: 5 } ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const config: (options?: Options) => Config = configs.config

/**
 * Closed, with nothing counted.
 *
 * @example
 * import { CircuitBreaker } from "@understudy/core"
 *
 * console.log(CircuitBreaker.initial._tag, CircuitBreaker.initial.epoch) // => Closed 0
 *
 * @since 0.1.0
 * @category decisions
 */
export const initial: State = states.initial

/**
 * The breaker's whole behaviour: a total function of its state and one event.
 *
 * **Details**
 * - Closed admits everything. A failure opens it when any trigger of `trip` says so, or at once when its outcome has
 *   `trip: true`; a call slower than a `slow` trigger's `after` may too. Nothing else does.
 * - The n-th consecutive opening lasts `openFor · factor^(n-1)`, at most `maxOpenFor`, plus up to `jitter` of that; and
 *   at least the failure's `retryAfter`, capped at `maxOpenFor`.
 * - Open refuses while `now < until`; the first call at `until` or later makes it half-open and is the first probe.
 * - Half-open admits `probes` concurrent calls, and never more than can affect the result. `successesToClose` of them
 *   close it, `failuresToOpen` open it again, a `trip` does at once. An ignored outcome frees its slot, and a slow
 *   success counts as a failure if there is a `slow` trigger. A probe that is not reported within its `lease` fails at
 *   that instant.
 * - A `Retract` turns a success that was reported before into a failure. A half-open breaker drops that probe's
 *   success, if it counted one. A closed one cannot tell successes apart and takes the last: its triggers then see that
 *   call as failed.
 * - A report whose permit belongs to an older epoch, or was already reported, only increments `late`; so does such a
 *   `Retract`.
 * - A `Trip` opens it from any state but isolated; if it is open already, its time starts over as the next consecutive
 *   opening.
 * - Isolated refuses everything until there have been as many releases as isolations; a reset does not end it.
 * - With `observeOnly`, a call that would be refused is admitted anyway, and its report changes nothing.
 *
 * @example
 * import { CircuitBreaker, Outcome } from "@understudy/core"
 *
 * const config = CircuitBreaker.config({ trip: CircuitBreaker.consecutive(1), openFor: "1 second", jitter: 0 })
 * const permit = { epoch: 0, id: 0, at: 0 }
 * const [decision, state] = CircuitBreaker.step(config, CircuitBreaker.initial, {
 *   _tag: "Report", now: 500, permit, outcome: Outcome.failure(), random: 0
 * })
 *
 * console.log(state._tag, state.epoch, CircuitBreaker.notBefore(state)) // => Open 1 1500
 * console.log(decision.changes[0]?.reason) // => consecutive
 *
 * @since 0.1.0
 * @category decisions
 */
export const step: (config: Config, state: State, event: Event) => readonly [Decision, State] = machine.step

/**
 * The earliest instant at which a call can be admitted in this state: `until` if open, `Infinity` if isolated,
 * otherwise 0. In milliseconds of `Deadline.now`.
 *
 * @example
 * import { CircuitBreaker } from "@understudy/core"
 *
 * console.log(CircuitBreaker.notBefore(CircuitBreaker.initial)) // => 0
 *
 * @since 0.1.0
 * @category decisions
 */
export const notBefore: (state: State) => number = machine.notBefore

/**
 * Makes a closed breaker. The options are those of {@link config}; `key` identifies it in errors, in events, and in the
 * `store` (default: in memory).
 *
 * @example
 * import { Effect } from "effect"
 * import { CircuitBreaker } from "@understudy/core"
 *
 * const program = Effect.gen(function* () {
 *   const breaker = yield* CircuitBreaker.make({ key: "primary", trip: CircuitBreaker.consecutive(1) })
 *   yield* Effect.ignore(CircuitBreaker.execute(Effect.fail("down"), breaker))
 *   return yield* Effect.flip(CircuitBreaker.execute(Effect.succeed("up"), breaker))
 * })
 *
 * console.log(Effect.runSync(program).message) // => circuit primary is open
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options & { readonly key: string; readonly store?: Store | undefined }
): Effect.Effect<CircuitBreaker> => {
  const { key, store } = options
  const settings = config(options)
  return Effect.map(hub, (hub) => unsafeMake(key, settings, store ?? new Cell(), hub))
}

/**
 * Makes one breaker per key, all with the same options, so that tiers with the same credential can share one. Keys are
 * never evicted.
 *
 * @example
 * import { Effect } from "effect"
 * import { CircuitBreaker } from "@understudy/core"
 *
 * const breakerOf = Effect.runSync(CircuitBreaker.keyed({ openFor: "5 seconds" }))
 *
 * console.log(breakerOf("openai") === breakerOf("openai"), breakerOf("openai") === breakerOf("azure")) // => true false
 *
 * @since 0.1.0
 * @category constructors
 */
export const keyed = (
  options?: Options & { readonly store?: Store | undefined }
): Effect.Effect<(key: string) => CircuitBreaker> => {
  const settings = config(options)
  return Effect.sync(() => {
    const breakers = new Map<string, CircuitBreaker>()
    return (key) => {
      const known = breakers.get(key)
      if (known !== undefined) return known
      const store = options?.store ?? new Cell()
      const breaker = unsafeMake(key, settings, store, Effect.runSync(hub))
      breakers.set(key, breaker)
      return breaker
    }
  })
}

/**
 * Runs an effect behind a breaker, without a tier: it is either refused with `CircuitOpen`, or run and its exit
 * reported as `classify` decides (by default any typed failure or defect counts). Interruption alone is always ignored.
 * A `classify` that throws leaves the breaker unchanged and is a defect of the call.
 *
 * @example
 * import { Effect } from "effect"
 * import { CircuitBreaker } from "@understudy/core"
 *
 * const program = Effect.flatMap(CircuitBreaker.make({ key: "db" }), (breaker) =>
 *   Effect.succeed("rows").pipe(CircuitBreaker.execute(breaker))
 * )
 *
 * console.log(Effect.runSync(program)) // => rows
 *
 * @since 0.1.0
 * @category combinators
 */
export const execute: {
  /**
   * Runs an effect behind a breaker, without a tier: it is either refused with `CircuitOpen`, or run and its exit
   * reported as `classify` decides (by default any typed failure or defect counts).
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E>(
    breaker: CircuitBreaker,
    options?: { readonly classify?: ((exit: Exit.Exit<A, E>) => Outcome.Outcome) | undefined }
  ): <R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | CircuitOpen, R>
  /**
   * Runs an effect behind a breaker, without a tier: it is either refused with `CircuitOpen`, or run and its exit
   * reported as `classify` decides (by default any typed failure or defect counts).
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    breaker: CircuitBreaker,
    options?: { readonly classify?: ((exit: Exit.Exit<A, E>) => Outcome.Outcome) | undefined }
  ): Effect.Effect<A, E | CircuitOpen, R>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    breaker: CircuitBreaker,
    options?: { readonly classify?: ((exit: Exit.Exit<A, E>) => Outcome.Outcome) | undefined }
  ): Effect.Effect<A, E | CircuitOpen, R> => {
    const classify = options?.classify ?? ((exit) => Outcome.fromExit(exit, Outcome.classifyError))
    const judge = (exit: Exit.Exit<A, E>) =>
      Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause) ? Outcome.ignored() : classify(exit)
    // One mask around all three, so that every admitted call is reported, even if it is interrupted.
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(breaker.admit, ({ permit }) =>
        Effect.onExit(restore(self), (exit) =>
          Effect.matchCauseEffect(
            Effect.sync(() => judge(exit)),
            {
              onFailure: (cause) =>
                Effect.zipRight(breaker.report(permit, Outcome.ignored()), Effect.failCause(cause)),
              onSuccess: (outcome) => breaker.report(permit, outcome)
            }
          )
        )
      )
    )
  }
)

/**
 * Calls `f` with every report and the transition it caused, before the reporter continues, so that one breaker can
 * affect others. Shares the state of `self`.
 *
 * @example
 * import { Effect } from "effect"
 * import { CircuitBreaker } from "@understudy/core"
 *
 * const program = Effect.gen(function* () {
 *   const [primary, replica] = yield* Effect.all([
 *     CircuitBreaker.make({ key: "primary", trip: CircuitBreaker.consecutive(1) }),
 *     CircuitBreaker.make({ key: "replica" })
 *   ])
 *   const both = CircuitBreaker.tapReport(primary, (transition) =>
 *     transition?.to === "Open" ? replica.trip() : Effect.void
 *   )
 *   yield* Effect.exit(CircuitBreaker.execute(Effect.fail("wrong key"), both))
 *   return (yield* replica.state)._tag
 * })
 *
 * console.log(Effect.runSync(program)) // => Open
 *
 * @since 0.1.0
 * @category combinators
 */
export const tapReport: {
  /**
   * Calls `f` with every report and the transition it caused, before the reporter continues, so that one breaker can
   * affect others.
   *
   * @since 0.1.0
   * @category combinators
   */
  (
    f: (transition: Transition | undefined, outcome: Outcome.Outcome) => Effect.Effect<unknown>
  ): (self: CircuitBreaker) => CircuitBreaker
  /**
   * Calls `f` with every report and the transition it caused, before the reporter continues, so that one breaker can
   * affect others.
   *
   * @since 0.1.0
   * @category combinators
   */
  (
    self: CircuitBreaker,
    f: (transition: Transition | undefined, outcome: Outcome.Outcome) => Effect.Effect<unknown>
  ): CircuitBreaker
} = dual(2, reportTapped)
