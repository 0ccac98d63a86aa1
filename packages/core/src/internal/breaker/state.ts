import type * as Duration from "effect/Duration"
import type { Failure, Outcome } from "../../Outcome.ts"
import type { Window } from "./window.ts"

/**
 * The state of a breaker: plain data, so that any store can keep it. Times are milliseconds of `Deadline.now`.
 *
 * @since 0.1.0
 * @category models
 */
export type State = Closed | Open | HalfOpen | Isolated

/**
 * The display names of the states, in logs, metrics, the status and charts.
 *
 * @example
 * import { CircuitBreaker } from "@understudy/core"
 *
 * console.log(CircuitBreaker.stateNames.HalfOpen) // => half-open
 *
 * @since 0.1.0
 * @category models
 */
export const stateNames = {
  Closed: "closed",
  Open: "open",
  HalfOpen: "half-open",
  Isolated: "isolated"
} as const

/**
 * What every state of a breaker has.
 *
 * @since 0.1.0
 * @category models
 */
export interface Common {
  /** Grows by one with every transition, to tell calls of an earlier state from those of this one. */
  readonly epoch: number
  /** Reports that arrived after their state had ended. */
  readonly late: number
}

/**
 * Lets every call through, and counts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Closed extends Common {
  readonly _tag: "Closed"
  /** The current number of consecutive failures. */
  readonly consecutive: number
  /** The consecutive failures before the last success, which count again if it is taken back. */
  readonly rowBefore: number
  /** One per `rate` or `slow` trigger, in their order. */
  readonly windows: ReadonlyArray<Window>
  /** The consecutive openings before `closedAt`, remembered for `resetAfter`. */
  readonly consecutiveOpenings: number
  readonly closedAt: number
}

/**
 * Refuses every call until `until`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Open extends Common {
  readonly _tag: "Open"
  readonly openedAt: number
  /** A call at this instant or later is admitted. */
  readonly until: number
  /** Includes this opening. */
  readonly consecutiveOpenings: number
  /** The random number drawn for this opening's jitter. */
  readonly random: number
}

/**
 * Admits a few calls, the probes, and waits for their results.
 *
 * @since 0.1.0
 * @category models
 */
export interface HalfOpen extends Common {
  readonly _tag: "HalfOpen"
  /** The probes in flight, each with the end of its lease. */
  readonly probes: ReadonlyArray<{ readonly id: number; readonly until: number }>
  /** How many there have been in total; also the id of the last one. */
  readonly admitted: number
  /** The ids of those that have succeeded: each may yet be taken back. */
  readonly successes: ReadonlyArray<number>
  readonly failures: number
  readonly consecutiveOpenings: number
  /** Reused if a lease expires, since there may be no caller to draw a new one. */
  readonly random: number
}

/**
 * Refuses every call, on request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Isolated extends Common {
  readonly _tag: "Isolated"
  /** The number of active isolations; it closes when the last one ends. */
  readonly handles: number
}

/**
 * The right to make one call, to be reported once.
 *
 * @since 0.1.0
 * @category models
 */
export interface Permit {
  readonly epoch: number
  /** Identifies a half-open breaker's probe; 0 if closed, -1 if admitted only by `observeOnly`. */
  readonly id: number
  /** When it was issued; 0 if nothing depends on it. */
  readonly at: number
}

/** A success that was reported, in the state which came of that. */
export type Reported = Pick<Permit, "epoch" | "id">

/**
 * The events of a breaker.
 *
 * @since 0.1.0
 * @category models
 */
export type Event =
  | { readonly _tag: "Admit"; readonly now: number }
  | {
      readonly _tag: "Report"
      readonly now: number
      readonly permit: Permit
      readonly outcome: Outcome
      /** Uniform in `[0, 1)`: drawn outside, so that `step` stays pure. */
      readonly random: number
    }
  | {
      /** A reported success has failed after all: a stream broke off after its commit point. */
      readonly _tag: "Retract"
      readonly now: number
      /** The epoch of the state after the success was reported. */
      readonly epoch: number
      /** The id of the permit it was reported with. */
      readonly id: number
      readonly outcome: Failure
      /** As in a `Report`. */
      readonly random: number
    }
  | {
      readonly _tag: "Trip"
      readonly now: number
      /** The requested wait. */
      readonly retryAfter: Duration.Duration | undefined
      /** As in a `Report`. */
      readonly random: number
    }
  | { readonly _tag: "Isolate"; readonly now: number }
  | { readonly _tag: "Release"; readonly now: number }
  | { readonly _tag: "Reset"; readonly now: number }

/**
 * Why a breaker changed.
 *
 * - It opened: `consecutive`, `rate` and `slow` name the trigger; `pushback`: an outcome asked for it; `probe`: a probe
 *   failed; `lease`: a probe never reported; `tripped`: another breaker's failure also concerns it.
 * - It became half-open: `elapsed`. It closed: `recovered`.
 * - By hand: `isolated`, `released`, `reset`. It was not closed when its tier got another breaker, or none: `retired`.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason =
  | "consecutive"
  | "rate"
  | "slow"
  | "pushback"
  | "probe"
  | "lease"
  | "tripped"
  | "elapsed"
  | "recovered"
  | "isolated"
  | "released"
  | "reset"
  | "retired"

/**
 * A transition from one state to another.
 *
 * @since 0.1.0
 * @category models
 */
export interface Change {
  readonly from: State["_tag"]
  readonly to: State["_tag"]
  readonly reason: Reason
  /** The epoch it began. */
  readonly epoch: number
  /** When it happened; an expired lease may be noticed later. */
  readonly at: number
  /** For an opening, how long it lasts. */
  readonly retryAfter: Duration.Duration | undefined
  /** For an opening, how many there have been in a row. */
  readonly consecutiveOpenings: number | undefined
}

/**
 * Why a call is refused.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rejection {
  /** The state that refuses; half-open refuses while its probes are in flight. */
  readonly state: "Open" | "HalfOpen" | "Isolated"
  /**
   * Milliseconds until it is worth asking again; 0 while a probe is in flight; while isolated, `openFor` or, if that is
   * shorter, `maxOpenFor`.
   */
  readonly retryAfter: number
}

/**
 * The machine's answer to an event.
 *
 * @since 0.1.0
 * @category models
 */
export interface Decision {
  /** The right to make the call; `undefined` if it must not be made. */
  readonly permit: Permit | undefined
  /** Why it was refused. With `observeOnly` there is a permit anyway. */
  readonly rejection: Rejection | undefined
  /** How the state changed, in order. */
  readonly changes: ReadonlyArray<Change>
}

export const initial: Closed = {
  _tag: "Closed",
  epoch: 0,
  late: 0,
  consecutive: 0,
  rowBefore: 0,
  windows: [],
  consecutiveOpenings: 0,
  closedAt: 0
}
