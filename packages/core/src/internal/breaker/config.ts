import type * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import type { Span } from "./window.ts"

/**
 * What opens a closed breaker. Ignored outcomes do not count.
 *
 * @since 0.1.0
 * @category models
 */
export type Trip = Consecutive | Rate | Slow

/**
 * Consecutive failures, in the order in which the calls ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface Consecutive {
  readonly _tag: "Consecutive"
  readonly failures: number
}

/**
 * A share of failures among the last `size` calls, or among those of the last `window`.
 *
 * @since 0.1.0
 * @category models
 */
export type Rate = Span & {
  readonly _tag: "Rate"
  /** Opens at this share or above, from 0 to 1. */
  readonly threshold: number
  /** Opens only after this many calls have been recorded. */
  readonly minimumCalls: number
}

/**
 * A share of calls that took longer than `after`, whether they succeeded or failed.
 *
 * @since 0.1.0
 * @category models
 */
export type Slow = Span & {
  readonly _tag: "Slow"
  readonly after: Duration.Duration
  /** Opens at this share or above, from 0 to 1. */
  readonly threshold: number
  /** Opens only after this many calls have been recorded. */
  readonly minimumCalls: number
}

/**
 * The options of a rate. Default: over the last 100 calls.
 *
 * @since 0.1.0
 * @category models
 */
export interface Share {
  /** Default: 0.5. */
  readonly threshold?: number | undefined
  /** Default: `size`, or 10 with a `window`. */
  readonly minimumCalls?: number | undefined
  /** Considers the last this many calls. */
  readonly size?: number | undefined
  /** Considers the calls of this time instead. */
  readonly window?: Duration.DurationInput | undefined
  /** The number of steps in which the window slides. Default: 10. */
  readonly buckets?: number | undefined
}

/**
 * The settings of a breaker.
 *
 * @since 0.1.0
 * @category models
 */
export interface Config {
  /** The triggers; it opens as soon as any of them is met. */
  readonly trip: Arr.NonEmptyReadonlyArray<Trip>
  /** How long the breaker stays open the first time. */
  readonly openFor: Duration.Duration
  /** The growth of `openFor` with each consecutive opening. */
  readonly factor: number
  /** The upper bound of that growth, and of a requested wait. */
  readonly maxOpenFor: Duration.Duration
  /** The share of the open time that is added at random: `0.1` is up to 10 % more, never less. */
  readonly jitter: number
  /** Opening again within this time of closing continues the growth instead of starting over. */
  readonly resetAfter: Duration.Duration
  /** How many concurrent probes a half-open breaker admits. */
  readonly probes: number
  /** How many probes must succeed to close it. */
  readonly successesToClose: number
  /** How many probes must fail to open it again. */
  readonly failuresToOpen: number
  /** A probe that has not reported after this long counts as failed. Should exceed the longest call. */
  readonly lease: Duration.Duration
  /** Refuses nothing, and only reports what it would have refused. */
  readonly observeOnly: boolean
}

/**
 * A {@link Config} with all fields optional.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly trip?: Trip | Arr.NonEmptyReadonlyArray<Trip> | undefined
  readonly openFor?: Duration.DurationInput | undefined
  readonly factor?: number | undefined
  readonly maxOpenFor?: Duration.DurationInput | undefined
  readonly jitter?: number | undefined
  readonly resetAfter?: Duration.DurationInput | undefined
  readonly probes?: number | undefined
  readonly successesToClose?: number | undefined
  readonly failuresToOpen?: number | undefined
  readonly lease?: Duration.DurationInput | undefined
  readonly observeOnly?: boolean | undefined
}

export const consecutive = (failures: number): Consecutive => {
  require("CircuitBreaker.consecutive", "failures", failures, integerFrom(1))
  return { _tag: "Consecutive", failures }
}

export const rate = (options: Share): Rate => ({ _tag: "Rate", ...share("CircuitBreaker.rate", options) })

export const slow = ({ after, ...options }: Share & { readonly after: Duration.DurationInput }): Slow => ({
  _tag: "Slow",
  after: Duration.decode(after),
  ...share("CircuitBreaker.slow", options)
})

const share = (
  name: string,
  options: Share
): Span & { readonly threshold: number; readonly minimumCalls: number } => {
  const { buckets = 10, size = 100, threshold = 0.5, window } = options
  const minimumCalls = options.minimumCalls ?? (window === undefined ? size : 10)
  require(name, "threshold", threshold, between0And1)
  require(name, "size", size, integerFrom(1))
  require(name, "buckets", buckets, integerFrom(1))
  require(name, "minimumCalls", minimumCalls, integerFrom(1))
  const wrong = conflict(options)
  if (wrong !== undefined) throw new RangeError(`${name}: ${wrong.message}`)
  if (window === undefined) return { threshold, minimumCalls, size }
  const time = Duration.decode(window)
  require(name, "window", time, someTime)
  return { threshold, minimumCalls, window: time, buckets }
}

/** What is wrong with the combination of options that are valid separately. */
export const conflict = ({
  buckets,
  minimumCalls = 1,
  size,
  window
}: Share): { readonly option: keyof Share; readonly message: string } | undefined => {
  if (window !== undefined) {
    return size === undefined
      ? undefined
      : { option: "size", message: "give either size or window, not both" }
  }
  if (buckets !== undefined)
    return { option: "buckets", message: "buckets go with a window, not with a size" }
  const calls = size ?? 100
  return minimumCalls <= calls
    ? undefined
    : {
        option: "minimumCalls",
        message: `minimumCalls must not exceed size, got ${minimumCalls} of ${calls}`
      }
}

export const config = (options: Options = {}): Config => {
  const { trip = consecutive(5), factor = 1, jitter = 0.1, probes = 1 } = options
  const { successesToClose = 1, failuresToOpen = 1, observeOnly = false } = options
  const maxOpenFor = Duration.decode(options.maxOpenFor ?? "5 minutes")
  const lease = Duration.decode(options.lease ?? "5 minutes")
  const [first, ...rest] = "_tag" in trip ? [trip] : trip
  const name = "CircuitBreaker"
  if (first === undefined) throw new RangeError(`${name}: trip must name at least one trigger`)
  require(name, "factor", factor, finiteFrom1)
  require(name, "jitter", jitter, between0And1)
  require(name, "probes", probes, integerFrom(1))
  require(name, "successesToClose", successesToClose, integerFrom(1))
  require(name, "failuresToOpen", failuresToOpen, integerFrom(1))
  require(name, "maxOpenFor", maxOpenFor, anEnd)
  require(name, "lease", lease, [(value) => Duration.toMillis(value) > 0, "longer than nothing"])
  return {
    trip: [first, ...rest],
    openFor: Duration.decode(options.openFor ?? "20 seconds"),
    factor,
    maxOpenFor,
    jitter,
    resetAfter: Duration.decode(options.resetAfter ?? 0),
    probes,
    successesToClose,
    failuresToOpen,
    lease,
    observeOnly
  }
}

type Requirement<A> = readonly [accepts: (value: A) => boolean, description: string]

const integerFrom = (least: number): Requirement<number> => [
  (value) => Number.isInteger(value) && value >= least,
  `an integer of ${least} or more`
]

const finiteFrom1: Requirement<number> = [
  (value) => value >= 1 && Number.isFinite(value),
  "a finite number of 1 or more"
]

const between0And1: Requirement<number> = [(value) => value >= 0 && value <= 1, "between 0 and 1"]

const anEnd: Requirement<Duration.Duration> = [Duration.isFinite, "finite"]

const someTime: Requirement<Duration.Duration> = [
  (value) => Duration.isFinite(value) && Duration.toMillis(value) > 0,
  "finite and longer than nothing"
]

const require = <A>(name: string, option: string, value: A, [accepts, description]: Requirement<A>): void => {
  if (!accepts(value)) {
    const got = Duration.isDuration(value) ? Duration.format(value) : value
    throw new RangeError(`${name}: ${option} must be ${description}, got ${got}`)
  }
}
