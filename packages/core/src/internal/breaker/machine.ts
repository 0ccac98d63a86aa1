import * as Duration from "effect/Duration"
import type { Outcome } from "../../Outcome.ts"
import type { Config } from "./config.ts"
import {
  type Change,
  type Closed,
  type Common,
  type Decision,
  type Event,
  type HalfOpen,
  initial,
  type Open,
  type Permit,
  type Reason,
  type Reported,
  type State
} from "./state.ts"
import { push, turn, type Window } from "./window.ts"

const none: ReadonlyArray<never> = []
const noted: Decision = { permit: undefined, rejection: undefined, changes: none }

const forClosed = 0
const forObserved = -1

export const step = (config: Config, state: State, event: Event): readonly [Decision, State] => {
  switch (event._tag) {
    case "Admit":
      return admit(config, state, event.now)
    case "Report":
      return report(config, state, event)
    case "Retract":
      return retract(config, state, event)
    case "Trip":
      return trip(config, state, event)
    case "Isolate":
      return state._tag === "Isolated"
        ? [noted, { ...state, handles: state.handles + 1 }]
        : become(state, { _tag: "Isolated", ...next(state), handles: 1 }, "isolated", event.now)
    case "Release":
      if (state._tag !== "Isolated") return [noted, state]
      return state.handles > 1
        ? [noted, { ...state, handles: state.handles - 1 }]
        : become(state, close(state, event.now, 0), "released", event.now)
    case "Reset":
      return state._tag === "Isolated"
        ? [noted, state]
        : become(state, close(state, event.now, 0), "reset", event.now)
  }
}

export const notBefore = (state: State): number => {
  switch (state._tag) {
    case "Open":
      return state.until
    case "Isolated":
      return Number.POSITIVE_INFINITY
    default:
      return 0
  }
}

/** Makes sure that a permit reported by several parties counts once. */
export class Issued implements Permit {
  readonly epoch: number
  readonly id: number
  readonly at: number
  #reported = false

  constructor(epoch: number, id: number, at: number) {
    this.epoch = epoch
    this.id = id
    this.at = at
  }

  /** Whether this permit has not been reported before. A permit rebuilt from data is trusted. */
  static claim(permit: Permit): boolean {
    if (!(#reported in permit)) return true
    if (permit.#reported) return false
    permit.#reported = true
    return true
  }
}

/** Identifies a reported success, so that it can be taken back; `undefined` if the report had no effect. */
export const reported = (permit: Permit, change: Change | undefined): Reported | undefined => {
  if (permit.id === forObserved) return undefined
  return change === undefined ? permit : { epoch: change.epoch, id: permit.id }
}

const admit = (config: Config, state: State, now: number): readonly [Decision, State] => {
  if (state._tag === "Closed") {
    const permit = new Issued(state.epoch, forClosed, now)
    return [{ permit, rejection: undefined, changes: none }, state]
  }
  // Isolation is explicit, so `observeOnly` does not override it.
  if (state._tag === "Isolated") {
    const retryAfter = Math.min(Duration.toMillis(config.openFor), Duration.toMillis(config.maxOpenFor))
    return [{ permit: undefined, rejection: { state: "Isolated", retryAfter }, changes: none }, state]
  }
  const changes: Array<Change> = []
  let current = state._tag === "HalfOpen" ? settle(config, state, now, changes) : state
  if (current._tag === "Open" && hasCome(current.until, now)) {
    const { consecutiveOpenings, random } = current
    const tried = { probes: none, admitted: 0, successes: none, failures: 0, consecutiveOpenings, random }
    const halfOpen: HalfOpen = { _tag: "HalfOpen", ...next(current), ...tried }
    changes.push(change(current, halfOpen, "elapsed", now))
    current = halfOpen
  }
  if (current._tag === "HalfOpen" && hasRoom(config, current)) {
    const id = current.admitted + 1
    // Kept finite, since a store may keep it as JSON, which has no infinity.
    const probe = { id, until: Math.min(now + Duration.toMillis(config.lease), Number.MAX_VALUE) }
    return [
      { permit: new Issued(current.epoch, id, now), rejection: undefined, changes },
      { ...current, admitted: id, probes: [...current.probes, probe] }
    ]
  }
  const retryAfter = current._tag === "Open" ? current.until - now : 0
  const permit = config.observeOnly ? new Issued(current.epoch, forObserved, now) : undefined
  return [{ permit, rejection: { state: current._tag, retryAfter }, changes }, current]
}

/** An instant is a computed sum, which rounding may put slightly after the clock's value for it. */
const hasCome = (instant: number, now: number): boolean => now >= instant * (1 - 4 * Number.EPSILON)

/** With more probes than these, the result would be certain before the last one reported. */
const hasRoom = ({ failuresToOpen, probes, successesToClose }: Config, state: HalfOpen): boolean =>
  state.probes.length < probes &&
  state.successes.length + state.failures + state.probes.length < successesToClose + failuresToOpen - 1

/** Expired leases count as failed probes, at the instant of their expiry. */
const settle = (config: Config, state: HalfOpen, now: number, changes: Array<Change>): HalfOpen | Open => {
  let { failures } = state
  for (const probe of state.probes) {
    if (probe.until > now) continue
    failures++
    if (failures < config.failuresToOpen) continue
    const opened = open(config, state, probe.until, state.random)
    changes.push(change(state, opened, "lease", probe.until))
    return opened
  }
  return { ...state, failures, probes: state.probes.filter(({ until }) => until > now) }
}

const report = (
  config: Config,
  state: State,
  event: Event & { readonly _tag: "Report" }
): readonly [Decision, State] => {
  const { at, epoch, id } = event.permit
  const took = event.now - at
  if (id === forObserved) return [noted, state]
  // First of all: a report from an earlier state must not affect this one, free a slot in it or expire its leases.
  if (epoch !== state.epoch) return [noted, late(state)]
  if (state._tag === "Closed") return record(config, state, event, took)
  if (state._tag !== "HalfOpen") return [noted, late(state)]

  const changes: Array<Change> = []
  const settled = settle(config, state, event.now, changes)
  if (settled._tag === "Open" || settled.probes.every((probe) => probe.id !== id)) {
    return [{ ...noted, changes }, late(settled)]
  }
  const probes = settled.probes.filter((probe) => probe.id !== id)
  return verdict(config, { ...settled, probes }, event, id, took)
}

const late = (state: State): State => ({ ...state, late: state.late + 1 })

/** How a call ended: as reported, or as a success that is taken back. */
type Ended = Pick<Event & { readonly _tag: "Report" }, "now" | "outcome" | "random">

/**
 * As if the failure had been reported in the first place, except that the run of failures ended by its success cannot
 * be told from another's.
 */
const retract = (
  config: Config,
  state: State,
  event: Event & { readonly _tag: "Retract" }
): readonly [Decision, State] => {
  const { epoch, id, now } = event
  if (epoch === state.epoch && state._tag === "Closed") return record(config, state, event, 0, true)
  if (epoch !== state.epoch || state._tag !== "HalfOpen") return [noted, late(state)]
  const changes: Array<Change> = []
  const settled = settle(config, state, now, changes)
  if (settled._tag === "Open") return [{ ...noted, changes }, late(settled)]
  // One that was slow, or came after its lease, is counted as a failure already.
  if (!settled.successes.includes(id)) return [noted, settled]
  const successes = settled.successes.filter((each) => each !== id)
  return verdict(config, { ...settled, successes }, event, id, 0)
}

/** Records a call that a closed breaker admitted. */
const record = (
  config: Config,
  state: Closed,
  { now, outcome, random }: Ended,
  took: number,
  retracted = false
): readonly [Decision, State] => {
  if (outcome._tag === "Ignored") return [noted, state]
  const failed = outcome._tag === "Failure"
  const consecutive = failed ? state.consecutive + 1 + (retracted ? state.rowBefore : 0) : 0
  const rowBefore = retracted ? 0 : failed ? state.rowBefore : state.consecutive
  let reason: Reason | undefined = failed && outcome.trip ? "pushback" : undefined
  let windows: Array<Window> | undefined
  for (const trip of config.trip) {
    if (trip._tag === "Consecutive") {
      if (consecutive >= trip.failures) reason ??= "consecutive"
      continue
    }
    windows ??= []
    const hit = trip._tag === "Rate" ? failed : took > Duration.toMillis(trip.after)
    const window = (retracted ? turn : push)(trip, state.windows[windows.length], now, hit)
    windows.push(window)
    // Only a call that counts against the tier opens it, never a success that pushes others out of the window.
    if (hit && window.calls >= trip.minimumCalls && window.hits / window.calls >= trip.threshold) {
      reason ??= trip._tag === "Rate" ? "rate" : "slow"
    }
  }
  if (reason !== undefined) {
    return become(state, open(config, state, now, random, hintOf(outcome)), reason, now)
  }
  return windows === undefined && consecutive === state.consecutive && rowBefore === state.rowBefore
    ? [noted, state]
    : [noted, { ...state, consecutive, rowBefore, windows: windows ?? state.windows }]
}

/** The effect of a probe's result on a half-open breaker, after its slot has been freed. */
const verdict = (
  config: Config,
  state: HalfOpen,
  { now, outcome, random }: Ended,
  id: number,
  took: number
): readonly [Decision, State] => {
  if (outcome._tag === "Ignored") return [noted, state]
  const failed = outcome._tag === "Failure"
  if (failed || isSlow(config, took)) {
    const failures = state.failures + 1
    const pushback = failed && outcome.trip
    return pushback || failures >= config.failuresToOpen
      ? become(
          state,
          open(config, state, now, random, hintOf(outcome)),
          pushback ? "pushback" : failed ? "probe" : "slow",
          now
        )
      : [noted, { ...state, failures }]
  }
  const successes = [...state.successes, id]
  return successes.length >= config.successesToClose
    ? become(state, close(state, now, state.consecutiveOpenings), "recovered", now)
    : [noted, { ...state, successes }]
}

/** A failure observed elsewhere: like one of its own that opens it, except that an open breaker's time starts over. */
const trip = (
  config: Config,
  state: State,
  { now, random, retryAfter }: Event & { readonly _tag: "Trip" }
): readonly [Decision, State] => {
  if (state._tag === "Isolated") return [noted, state]
  const opened = open(config, state, now, random, retryAfter)
  if (state._tag !== "Open") return become(state, opened, "tripped", now)
  const { consecutiveOpenings, until } = opened
  return [noted, { ...state, until: Math.max(state.until, until), consecutiveOpenings, random }]
}

const isSlow = ({ trip }: Config, took: number): boolean =>
  trip.some((trigger) => trigger._tag === "Slow" && took > Duration.toMillis(trigger.after))

const hintOf = (outcome: Outcome): Duration.Duration | undefined =>
  outcome._tag === "Failure" ? outcome.retryAfter : undefined

const open = (
  config: Config,
  state: Closed | HalfOpen | Open,
  at: number,
  random: number,
  hint?: Duration.Duration
): Open => {
  const anew = state._tag === "Closed" && at - state.closedAt >= Duration.toMillis(config.resetAfter)
  const consecutiveOpenings = anew ? 1 : state.consecutiveOpenings + 1
  const max = Duration.toMillis(config.maxOpenFor)
  // Kept finite, to avoid `0 * Infinity`.
  const growth = Math.min(config.factor ** (consecutiveOpenings - 1), Number.MAX_VALUE)
  // The cap comes before the jitter, which only adds: so `retryAfter` is respected, and callers are still spread at the
  // cap.
  const planned = Math.min(max, Duration.toMillis(config.openFor) * growth) * (1 + config.jitter * random)
  const asked = hint === undefined ? 0 : Math.min(max, Duration.toMillis(hint))
  return {
    _tag: "Open",
    ...next(state),
    openedAt: at,
    until: at + Math.max(planned, asked),
    consecutiveOpenings,
    random
  }
}

const close = (state: State, at: number, consecutiveOpenings: number): Closed => ({
  ...initial,
  ...next(state),
  consecutiveOpenings,
  closedAt: at
})

const next = ({ epoch, late }: State): Common => ({ epoch: epoch + 1, late })

const become = (from: State, to: State, reason: Reason, at: number): readonly [Decision, State] => [
  { ...noted, changes: [change(from, to, reason, at)] },
  to
]

const change = (from: State, to: State, reason: Reason, at: number): Change => ({
  from: from._tag,
  to: to._tag,
  reason,
  epoch: to.epoch,
  at,
  retryAfter: to._tag === "Open" ? Duration.millis(to.until - to.openedAt) : undefined,
  consecutiveOpenings: to._tag === "Open" ? to.consecutiveOpenings : undefined
})
