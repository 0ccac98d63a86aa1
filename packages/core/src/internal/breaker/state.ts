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
 * What a state is called wherever people read it: in logs, metrics, the status and what is drawn.
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
  /** Grows by one with every transition, and so tells calls of an earlier state from those of this one. */
  readonly epoch: number
  /** Reports that came after the state they were about had ended. */
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
  /** The failures in a row up to now. */
  readonly consecutive: number
  /** Those that the last success ended: the row goes on with them if it is taken back. */
  readonly rowBefore: number
  /** One for each trigger that looks back on more than the row, in their order. */
  readonly windows: ReadonlyArray<Window>
  /** Of the time before `closedAt`; goes on counting for `resetAfter`. */
  readonly consecutiveOpenings: number
  readonly closedAt: number
}

/**
 * Refuses every call, until its time has come.
 *
 * @since 0.1.0
 * @category models
 */
export interface Open extends Common {
  readonly _tag: "Open"
  readonly openedAt: number
  /** The call at this instant or later is let through. */
  readonly until: number
  /** Counts this opening too. */
  readonly consecutiveOpenings: number
  /** What was drawn for this opening's jitter. */
  readonly random: number
}

/**
 * Lets a few calls through, the probes, and waits for what they find.
 *
 * @since 0.1.0
 * @category models
 */
export interface HalfOpen extends Common {
  readonly _tag: "HalfOpen"
  /** Those under way, each with the end of its lease. */
  readonly probes: ReadonlyArray<{ readonly id: number; readonly until: number }>
  /** How many there have been in all; the last one's id. */
  readonly admitted: number
  /** The ids of those that have succeeded: each may yet be taken back. */
  readonly successes: ReadonlyArray<number>
  readonly failures: number
  readonly consecutiveOpenings: number
  /** Serves again where a lease runs out: nobody may be there to draw. */
  readonly random: number
}

/**
 * Refuses every call, for somebody wants it to.
 *
 * @since 0.1.0
 * @category models
 */
export interface Isolated extends Common {
  readonly _tag: "Isolated"
  /** Those who isolate it; it closes when the last one lets go. */
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
  /** Tells the probes of a half-open breaker apart; 0 through a closed one, -1 where only `observeOnly` let it. */
  readonly id: number
  /** When it was given; 0 where nothing depends on it. */
  readonly at: number
}

/** A success that was reported, in the state which came of that. */
export type Reported = Pick<Permit, "epoch" | "id">

/**
 * What a breaker can hear of.
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
      /** What was reported as a success has failed after all: a stream that had begun. */
      readonly _tag: "Retract"
      readonly now: number
      /** Of the state that came of the success. */
      readonly epoch: number
      /** Of the permit that it was reported with. */
      readonly id: number
      readonly outcome: Failure
      /** As of a `Report`. */
      readonly random: number
    }
  | {
      readonly _tag: "Trip"
      readonly now: number
      /** The wait that was asked for. */
      readonly retryAfter: Duration.Duration | undefined
      /** As of a `Report`. */
      readonly random: number
    }
  | { readonly _tag: "Isolate"; readonly now: number }
  | { readonly _tag: "Release"; readonly now: number }
  | { readonly _tag: "Reset"; readonly now: number }

/**
 * Why a breaker changed.
 *
 * - It opened: `consecutive`, `rate` and `slow` name the trigger; `pushback`, an outcome asked for it; `probe`, a
 *   probe failed; `lease`, a probe was never heard of again; `tripped`, what somebody else met with concerns it too.
 * - It became half-open: `elapsed`. It closed: `recovered`.
 * - By hand: `isolated`, `released`, `reset`. It was not closed when its tier got another one, or none: `retired`.
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
 * A breaker that goes from one state to another.
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
  /** When; a lease that ran out is noticed later than it did. */
  readonly at: number
  /** Of an opening: how long it lasts. */
  readonly retryAfter: Duration.Duration | undefined
  /** Of an opening: which in a row it is. */
  readonly consecutiveOpenings: number | undefined
}

/**
 * Why a call is refused.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rejection {
  /** The state that refuses; a half-open breaker does while its probes are under way. */
  readonly state: "Open" | "HalfOpen" | "Isolated"
  /** Milliseconds until it is worth asking again; 0 while a probe is under way, `openFor` while isolated. */
  readonly retryAfter: number
}

/**
 * What the machine answers to an event.
 *
 * @since 0.1.0
 * @category models
 */
export interface Decision {
  /** The right to make the call; `undefined` where it must not be made. */
  readonly permit: Permit | undefined
  /** Why not. With `observeOnly` there is a permit all the same. */
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
