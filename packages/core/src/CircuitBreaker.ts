/**
 * Stops asking a tier that keeps failing, and finds out with a single probe when it is well again.
 *
 * The machine is a pure function, {@link step}; a breaker is that function behind one `Ref.modify`. Nothing runs
 * in the background: an open breaker becomes half-open when the first call after its time asks for admission.
 *
 * The names are those of Effect v4's `CircuitBreaker`, so that moving on later renames little.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import * as Deadline from "./Deadline.ts"
import * as Outcome from "./Outcome.ts"

/**
 * When a closed breaker opens: after this many failures in a row. Ignored outcomes neither add to the row nor
 * break it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Trip {
  readonly _tag: "Consecutive"
  readonly failures: number
}

/**
 * Opens after `failures` failures in a row.
 *
 * @example
 * import { CircuitBreaker } from "@understudy/core"
 *
 * console.log(CircuitBreaker.consecutive(5)) // => { _tag: 'Consecutive', failures: 5 }
 *
 * @since 0.1.0
 * @category constructors
 */
export const consecutive = (failures: number): Trip => {
  if (!(Number.isInteger(failures) && failures >= 1)) {
    throw new RangeError(
      `CircuitBreaker.consecutive: failures must be an integer of 1 or more, got ${failures}`
    )
  }
  return { _tag: "Consecutive", failures }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Config {
  readonly trip: Trip
  /** How long the breaker stays open the first time. */
  readonly openFor: Duration.Duration
  /** Growth of the open time with each opening since the breaker was last closed. */
  readonly factor: number
  readonly maxOpenFor: Duration.Duration
  /** Share of the open time added at random: `0.1` is up to 10 % more, never less. */
  readonly jitter: number
  /** How many calls may try a half-open breaker at once. */
  readonly probes: number
}

/**
 * The state of a breaker. Times are milliseconds of `Deadline.now`. The epoch grows with every transition, so
 * that the result of a call admitted earlier cannot decide what happens now.
 *
 * @since 0.1.0
 * @category models
 */
export type State =
  | { readonly _tag: "Closed"; readonly epoch: number; readonly failures: number }
  | { readonly _tag: "Open"; readonly epoch: number; readonly until: number; readonly openings: number }
  | { readonly _tag: "HalfOpen"; readonly epoch: number; readonly probing: number; readonly openings: number }

/**
 * The right to make one call, to be reported once.
 *
 * @since 0.1.0
 * @category models
 */
export interface Permit {
  readonly epoch: number
  readonly probe: boolean
}

/**
 * @since 0.1.0
 * @category models
 */
export type Event =
  | { readonly _tag: "Admit"; readonly now: number }
  | {
      readonly _tag: "Report"
      readonly now: number
      readonly permit: Permit
      readonly outcome: Outcome.Outcome
      /** Uniform in `[0, 1)`: drawn outside, so that `step` stays pure. */
      readonly random: number
    }

/**
 * @since 0.1.0
 * @category models
 */
export interface Transition {
  readonly key: string
  readonly from: State["_tag"]
  readonly to: State["_tag"]
}

/**
 * What the machine answers to an event: a permit or a refusal to `Admit`, neither to `Report`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Decision {
  readonly permit: Permit | undefined
  /** Milliseconds until it is worth asking again; 0 while a probe is under way. */
  readonly retryAfter: number
}

/**
 * @since 0.1.0
 * @category models
 */
export const initial: State = { _tag: "Closed", epoch: 0, failures: 0 }

/**
 * The breaker's whole behaviour: a total function of its state and one event.
 *
 * **Details**
 * - Open refuses while `now < until`; the call at `until` or later makes it half-open and is the first probe.
 * - Half-open admits `probes` calls at once. The first success closes it, the first failure opens it again, an
 *   ignored outcome gives its place back.
 * - A report whose permit is of an older epoch changes nothing.
 *
 * @example
 * import { CircuitBreaker, Outcome } from "@understudy/core"
 *
 * const config = CircuitBreaker.config({ trip: CircuitBreaker.consecutive(1), openFor: "1 second", jitter: 0 })
 * const permit = { epoch: 0, probe: false }
 * const [, state] = CircuitBreaker.step(config, CircuitBreaker.initial, {
 *   _tag: "Report", now: 500, permit, outcome: Outcome.failure(), random: 0
 * })
 *
 * console.log(state) // => { _tag: 'Open', epoch: 1, until: 1500, openings: 1 }
 *
 * @since 0.1.0
 * @category decisions
 */
export const step = (config: Config, state: State, event: Event): readonly [Decision, State] =>
  event._tag === "Admit" ? admitStep(config, state, event.now) : [noted, reportStep(config, state, event)]

const admitStep = (config: Config, state: State, now: number): readonly [Decision, State] => {
  switch (state._tag) {
    case "Closed":
      return [{ permit: { epoch: state.epoch, probe: false }, retryAfter: 0 }, state]
    case "Open": {
      if (now < state.until) return [{ permit: undefined, retryAfter: state.until - now }, state]
      const halfOpen: State = {
        _tag: "HalfOpen",
        epoch: state.epoch + 1,
        probing: 0,
        openings: state.openings
      }
      return admitStep(config, halfOpen, now)
    }
    case "HalfOpen":
      return state.probing < config.probes
        ? [
            { permit: { epoch: state.epoch, probe: true }, retryAfter: 0 },
            { ...state, probing: state.probing + 1 }
          ]
        : [{ permit: undefined, retryAfter: 0 }, state]
  }
}

const reportStep = (config: Config, state: State, event: Event & { readonly _tag: "Report" }): State => {
  if (event.permit.epoch !== state.epoch || state._tag === "Open") return state
  switch (event.outcome._tag) {
    case "Ignored":
      return state._tag === "HalfOpen" ? { ...state, probing: state.probing - 1 } : state
    case "Success":
      if (state._tag === "HalfOpen") return { _tag: "Closed", epoch: state.epoch + 1, failures: 0 }
      return state.failures === 0 ? state : { ...state, failures: 0 }
    case "Failure": {
      const failures = state._tag === "Closed" ? state.failures + 1 : config.trip.failures
      return event.outcome.trip || failures >= config.trip.failures
        ? open(config, state, event.outcome, event.now, event.random)
        : { _tag: "Closed", epoch: state.epoch, failures }
    }
  }
}

const open = (
  config: Config,
  state: Exclude<State, { _tag: "Open" }>,
  outcome: Outcome.Failure,
  now: number,
  random: number
): State => {
  const openings = state._tag === "Closed" ? 1 : state.openings + 1
  const max = Duration.toMillis(config.maxOpenFor)
  // Cap first, jitter after and only upwards: "not before" holds, and callers still spread at the cap.
  const planned =
    Math.min(max, Duration.toMillis(config.openFor) * config.factor ** (openings - 1)) *
    (1 + config.jitter * random)
  const asked = outcome.retryAfter === undefined ? 0 : Math.min(max, Duration.toMillis(outcome.retryAfter))
  return { _tag: "Open", epoch: state.epoch + 1, until: now + Math.max(planned, asked), openings }
}

const noted: Decision = { permit: undefined, retryAfter: 0 }

/**
 * The call was not made: the breaker is open, or half-open with all its probes under way.
 *
 * @since 0.1.0
 * @category errors
 */
export class CircuitOpen extends Data.TaggedError("CircuitOpen")<{
  readonly key: string
  /** Time until the breaker lets a probe through; zero while one is under way. */
  readonly retryAfter: Duration.Duration
}> {
  override get message(): string {
    return `circuit ${this.key} is open`
  }
}

/**
 * A breaker that can be shared by any number of tiers and runs.
 *
 * @since 0.1.0
 * @category models
 */
export interface CircuitBreaker {
  readonly key: string
  readonly config: Config
  readonly state: Effect.Effect<State>
  /** Admits one call or refuses it. Every permit must be reported, whatever became of the call. */
  readonly admit: Effect.Effect<Admission, CircuitOpen>
  readonly report: (permit: Permit, outcome: Outcome.Outcome) => Effect.Effect<Transition | undefined>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Admission {
  readonly permit: Permit
  /** The transition that this admission made: open to half-open. */
  readonly transition: Transition | undefined
}

/**
 * Fills in the defaults: `trip: consecutive(5)`, `openFor: 20 seconds`, `factor: 1`, `maxOpenFor: 5 minutes`,
 * `jitter: 0.1`, `probes: 1`. Throws a `RangeError` that names the option when one is out of range.
 *
 * @example
 * import { CircuitBreaker } from "@understudy/core"
 *
 * console.log(CircuitBreaker.config().trip) // => { _tag: 'Consecutive', failures: 5 }
 *
 * @since 0.1.0
 * @category constructors
 */
export const config = (options?: Options): Config => {
  const {
    trip = consecutive(5),
    openFor = "20 seconds",
    factor = 1,
    maxOpenFor = "5 minutes"
  } = options ?? {}
  const { jitter = 0.1, probes = 1 } = options ?? {}
  if (!(factor >= 1 && Number.isFinite(factor))) {
    throw new RangeError(`CircuitBreaker: factor must be a finite number of 1 or more, got ${factor}`)
  }
  if (!(jitter >= 0 && jitter <= 1)) {
    throw new RangeError(`CircuitBreaker: jitter must be between 0 and 1, got ${jitter}`)
  }
  if (!(Number.isInteger(probes) && probes >= 1)) {
    throw new RangeError(`CircuitBreaker: probes must be an integer of 1 or more, got ${probes}`)
  }
  return {
    trip,
    openFor: Duration.decode(openFor),
    factor,
    maxOpenFor: Duration.decode(maxOpenFor),
    jitter,
    probes
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly trip?: Trip | undefined
  readonly openFor?: Duration.DurationInput | undefined
  readonly factor?: number | undefined
  readonly maxOpenFor?: Duration.DurationInput | undefined
  readonly jitter?: number | undefined
  readonly probes?: number | undefined
}

/**
 * Makes a closed breaker. The options are those of {@link config}; `key` names it in errors and events.
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
export const make = (options: Options & { readonly key: string }): Effect.Effect<CircuitBreaker> => {
  const { key } = options
  const settings = config(options)
  return Effect.map(Ref.make<State>(initial), (ref): CircuitBreaker => {
    const apply = (event: Event): Effect.Effect<readonly [Decision, Transition | undefined]> =>
      Ref.modify(ref, (state) => {
        const [decision, next] = step(settings, state, event)
        const transition = next._tag === state._tag ? undefined : { key, from: state._tag, to: next._tag }
        return [[decision, transition] as const, next]
      })
    return {
      key,
      config: settings,
      state: Ref.get(ref),
      admit: Effect.flatMap(Deadline.now, (now) =>
        Effect.flatMap(apply({ _tag: "Admit", now }), ([{ permit, retryAfter }, transition]) =>
          permit === undefined
            ? Effect.fail(new CircuitOpen({ key, retryAfter: Duration.millis(retryAfter) }))
            : Effect.succeed({ permit, transition })
        )
      ),
      report: (permit, outcome) =>
        Effect.flatMap(Effect.zip(Deadline.now, Random.next), ([now, random]) =>
          Effect.map(apply({ _tag: "Report", now, permit, outcome, random }), ([, transition]) => transition)
        )
    }
  })
}

/**
 * Runs an effect behind a breaker, without a tier around it: refused with `CircuitOpen`, or run and its exit
 * reported as `classify` judges it (by default any typed failure or defect counts, interruption does not).
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
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(breaker.admit, ({ permit }) =>
        Effect.onExit(restore(self), (exit) => breaker.report(permit, classify(exit)))
      )
    )
  }
)
