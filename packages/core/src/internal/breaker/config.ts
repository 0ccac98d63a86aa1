import type * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import type { Span } from "./window.ts"

/**
 * What makes a closed breaker open. Ignored outcomes count for none of them.
 *
 * @since 0.1.0
 * @category models
 */
export type Trip = Consecutive | Rate | Slow

/**
 * So many failures in a row, in the order in which the calls ended.
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
  /** Opens only where so many calls have been recorded. */
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
  /** Opens only where so many calls have been recorded. */
  readonly minimumCalls: number
}

/**
 * What a rate looks back on. Without any of them: the last 100 calls.
 *
 * @since 0.1.0
 * @category models
 */
export interface Share {
  /** Default: 0.5. */
  readonly threshold?: number | undefined
  /** Default: as many calls as it looks back on, or 10 over a time. */
  readonly minimumCalls?: number | undefined
  /** Looks back on so many calls. */
  readonly size?: number | undefined
  /** Looks back on so long a time instead. */
  readonly window?: Duration.DurationInput | undefined
  /** How finely that time passes: calls leave the window a bucket at a time. Default: 10. */
  readonly buckets?: number | undefined
}

/**
 * What a breaker goes by.
 *
 * @since 0.1.0
 * @category models
 */
export interface Config {
  /** When it opens: at any one of these. */
  readonly trip: Arr.NonEmptyReadonlyArray<Trip>
  /** How long the breaker stays open the first time. */
  readonly openFor: Duration.Duration
  /** Growth of the open time with each opening since the breaker was last closed. */
  readonly factor: number
  /** Bounds the growth, and the wait the other side may ask for. */
  readonly maxOpenFor: Duration.Duration
  /** Share of the open time added at random: `0.1` is up to 10 % more, never less. */
  readonly jitter: number
  /** Opening again so soon after a close goes on with the growth instead of beginning anew. */
  readonly resetAfter: Duration.Duration
  /** How many calls may try a half-open breaker at once. */
  readonly probes: number
  /** How many probes must succeed to close it. */
  readonly successesToClose: number
  /** How many probes must fail to open it again. */
  readonly failuresToOpen: number
  /** A probe that has not been reported after so long counts as failed. Longer than any call takes. */
  readonly lease: Duration.Duration
  /** Refuses nothing, and only says what it would have refused. */
  readonly observeOnly: boolean
}

/**
 * A {@link Config} of which anything may be left to its default.
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

/** What is wrong with the options of a share that are right one by one. */
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
