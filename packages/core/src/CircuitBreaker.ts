/**
 * Stops asking a tier that keeps failing, and finds out with few probes when it is well again.
 *
 * The machine is a pure function, {@link step}; a breaker is that function behind one `modify` of a {@link Store}.
 * Nothing runs in the background: an open breaker becomes half-open when the first call after its time asks for
 * admission, and a probe that was never heard of again is noticed by whoever comes next.
 *
 * The names are those of Effect v4's `CircuitBreaker`, so that moving on later renames little.
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
 * Opens after `failures` failures in a row. Ignored outcomes neither add to the row nor break it.
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
 * Opens at a failure that brings the share of failures to `threshold` or above: of the last `size` calls, or of
 * those of the last `window`, once there have been `minimumCalls`.
 *
 * **Details**
 * - Defaults: `threshold: 0.5`, `size: 100`, `minimumCalls` as `size`, or 10 over a `window`, `buckets: 10`.
 * - A window passes a bucket at a time, by the clock: a call leaves it after its length at the latest and a bucket
 *   less at the earliest, however long nobody called.
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
 * Opens at a call longer than `after` that brings the share of such calls to `threshold` or above. Failures count
 * as slow too when they took longer. The options are otherwise those of {@link rate}.
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
 * - Closed admits everything. A failure opens it when any trigger of `trip` says so, or at once when its outcome
 *   has `trip: true`; a call slower than a `slow` trigger's `after` may too. Nothing else ever does.
 * - The n-th opening in a row lasts `openFor · factor^(n-1)`, at most `maxOpenFor`, then up to `jitter` longer; and
 *   at least until the failure's `retryAfter`, at most `maxOpenFor`.
 * - Open refuses while `now < until`; the call at `until` or later makes it half-open and is the first probe.
 * - Half-open admits `probes` calls at once, and never more than can matter. `successesToClose` of them close it,
 *   `failuresToOpen` open it again, a `trip` does at once. An ignored outcome gives its place back, and a slow
 *   success counts as a failure where there is a `slow` trigger. A probe that is not reported within its `lease`
 *   has failed at that instant.
 * - A `Retract` makes a failure of a success that was reported before. A half-open breaker loses that probe's, if it
 *   counted as one. A closed one does not know them apart, and takes the last: what triggers look back on is as if it
 *   had failed then.
 * - A report whose permit is of an older epoch, or was reported before, changes nothing but the count `late`;
 *   so does a `Retract`.
 * - A `Trip` opens it from any state but isolated; of an open one it begins the time anew, as the next opening in a row.
 * - Isolated refuses everything until as many releases as isolations have come; a reset does not end it.
 * - With `observeOnly` a call that would be refused is admitted all the same, and its report changes nothing.
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
 * The instant before which no call can be admitted as things stand: of an open breaker the end of its time, of an
 * isolated one never, otherwise any. Milliseconds of `Deadline.now`.
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
 * Makes a closed breaker. The options are those of {@link config}; `key` names it in errors and events, and its
 * state in the `store`, by default in memory.
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
 * Makes one breaker for each key, all of the same options: what gives tiers that share a credential the same
 * breaker. It keeps every key it was ever asked for.
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
 * Runs an effect behind a breaker, without a tier around it: refused with `CircuitOpen`, or run and its exit
 * reported as `classify` judges it (by default any typed failure or defect counts). Interruption alone is ignored,
 * whatever `classify` says. A `classify` that throws leaves the breaker as it was and kills the call.
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
   * @since 0.1.0
   * @category combinators
   */
  <A, E>(
    breaker: CircuitBreaker,
    options?: { readonly classify?: ((exit: Exit.Exit<A, E>) => Outcome.Outcome) | undefined }
  ): <R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | CircuitOpen, R>
  /**
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
    // One mask around all three: a call that was admitted is reported, whatever becomes of it.
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
 * Hears every report before whoever made it goes on, with the transition that came of it: for what the news of one
 * breaker means to others. Shares the state of `self`.
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
   * @since 0.1.0
   * @category combinators
   */
  (
    f: (transition: Transition | undefined, outcome: Outcome.Outcome) => Effect.Effect<unknown>
  ): (self: CircuitBreaker) => CircuitBreaker
  /**
   * @since 0.1.0
   * @category combinators
   */
  (
    self: CircuitBreaker,
    f: (transition: Transition | undefined, outcome: Outcome.Outcome) => Effect.Effect<unknown>
  ): CircuitBreaker
} = dual(2, reportTapped)
