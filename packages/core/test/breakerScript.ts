import { assert } from "@effect/vitest"
import { Clock, Duration, Effect, FastCheck } from "effect"
import { CircuitBreaker, Outcome } from "../src/index.ts"
import { reported } from "../src/internal/breaker/machine.ts"
import type { Reported } from "../src/internal/breaker/state.ts"
import { BreakerModel } from "./breakerModel.ts"

const { array, boolean, constant, constantFrom, integer, nat, oneof, option, record } = FastCheck

const twentieths = nat(20).map((n) => n / 20)

const span = oneof(
  // More calls than fit into one cell of the window, too.
  record({ size: oneof(integer({ min: 1, max: 8 }), integer({ min: 28, max: 64 })) }),
  record({
    window: constantFrom(Duration.millis(1_200), Duration.seconds(6)),
    buckets: integer({ min: 1, max: 4 })
  })
)

const share = FastCheck.tuple(span, twentieths, integer({ min: 1, max: 6 })).map(
  ([span, threshold, calls]) => ({
    ...span,
    threshold,
    minimumCalls: "size" in span ? Math.min(calls, span.size) : calls
  })
)

export const triggers = {
  consecutive: integer({ min: 1, max: 4 }).map(CircuitBreaker.consecutive),
  rate: share.map(CircuitBreaker.rate),
  slow: FastCheck.tuple(share, constantFrom(0, 100, 1_000)).map(([share, after]) =>
    CircuitBreaker.slow({ after, ...share })
  )
}

const anyTrigger: FastCheck.Arbitrary<CircuitBreaker.Trip> = oneof(
  triggers.consecutive,
  triggers.rate,
  triggers.slow
)

/** Times are multiples of what floating point represents exactly, so that the model may calculate differently. */
export const configsOf = (
  trip: FastCheck.Arbitrary<CircuitBreaker.Trip>,
  most = 3
): FastCheck.Arbitrary<CircuitBreaker.Config> =>
  record({
    trip: array(trip, { minLength: 1, maxLength: most }).map(
      ([first, ...rest]) => [first!, ...rest] as const
    ),
    openFor: constantFrom(0, 1_000, 4_000, Duration.infinity),
    factor: constantFrom(1, 1.5, 2),
    maxOpenFor: constantFrom(500, 8_000, 60_000),
    jitter: constantFrom(0, 0.25, 1),
    resetAfter: constantFrom(0, 2_000, 100_000),
    probes: integer({ min: 1, max: 3 }),
    successesToClose: integer({ min: 1, max: 3 }),
    failuresToOpen: integer({ min: 1, max: 3 }),
    lease: constantFrom(300, 3_000, 1_000_000, Duration.infinity),
    observeOnly: FastCheck.nat(9).map((n) => n === 0)
  }).map(CircuitBreaker.config)

export const configs = configsOf(anyTrigger)

const hints = option(constantFrom(0, 1_500, 90_000).map(Duration.millis), { nil: undefined })

const failures = record({ trip: boolean(), retryAfter: hints }).map(Outcome.failure)

export const outcomes: FastCheck.Arbitrary<Outcome.Outcome> = oneof(
  { weight: 4, arbitrary: constant(Outcome.failure()) },
  { weight: 4, arbitrary: constant(Outcome.success) },
  { weight: 2, arbitrary: constant(Outcome.ignored()) },
  { weight: 1, arbitrary: failures }
)

export type Op =
  | {
      readonly _tag: "Retract"
      readonly wait: Wait
      /** Which of the successes that were reported, of any state. */
      readonly which: number
      readonly outcome: Outcome.Failure
      readonly random: number
    }
  | {
      readonly _tag: "Trip"
      readonly wait: Wait
      readonly retryAfter: Duration.Duration | undefined
      readonly random: number
    }
  | { readonly _tag: "Admit" | "Isolate" | "Release" | "Reset"; readonly wait: Wait }
  | {
      readonly _tag: "Report"
      readonly wait: Wait
      /** Which of the permits that are out, and whether it stays out: it is reported again then. */
      readonly which: number
      readonly again: boolean
      readonly outcome: Outcome.Outcome
      readonly random: number
    }

/** So many milliseconds, or so many from the next instant at which something is due. */
export type Wait = number | { readonly due: number }

const waits: FastCheck.Arbitrary<Wait> = oneof(
  { weight: 4, arbitrary: constant(0) },
  { weight: 3, arbitrary: nat(150) },
  { weight: 2, arbitrary: nat(3_000) },
  { weight: 2, arbitrary: record({ due: constantFrom(-1, 0, 1) }) },
  { weight: 1, arbitrary: constantFrom(6_000, 30_000, 10_000_000) }
)

const randoms = constantFrom(0, 0.25, 0.5, 0.75)

export const reports = record({
  _tag: constant("Report" as const),
  wait: waits,
  which: nat(30),
  again: nat(9).map((n) => n === 0),
  outcome: outcomes,
  random: randoms
})

const trips = record({ _tag: constant("Trip" as const), wait: waits, retryAfter: hints, random: randoms })

const retractions = record({
  _tag: constant("Retract" as const),
  wait: waits,
  which: nat(30),
  outcome: oneof({ weight: 4, arbitrary: constant(Outcome.failure()) }, { weight: 1, arbitrary: failures }),
  random: randoms
})

const byHand = record({
  _tag: constantFrom("Isolate" as const, "Release" as const, "Reset" as const),
  wait: waits
})

const admissions = record({ _tag: constant("Admit" as const), wait: waits })

export const calls: FastCheck.Arbitrary<ReadonlyArray<Op>> = array(oneof(admissions, reports), {
  maxLength: 80,
  size: "max"
})

export const ops: FastCheck.Arbitrary<ReadonlyArray<Op>> = array(
  oneof(
    { weight: 8, arbitrary: admissions },
    { weight: 10, arbitrary: reports },
    { weight: 2, arbitrary: retractions },
    { weight: 1, arbitrary: trips },
    { weight: 1, arbitrary: byHand }
  ),
  { maxLength: 80, size: "max" }
)

export interface Step {
  readonly event: CircuitBreaker.Event
  readonly before: CircuitBreaker.State
  readonly decision: CircuitBreaker.Decision
  readonly after: CircuitBreaker.State
}

/** When something will happen by itself: an open breaker's time is over, or a probe's lease. */
const dueAt = (state: CircuitBreaker.State, now: number): number => {
  switch (state._tag) {
    case "Open":
      return state.until
    case "HalfOpen":
      return Math.min(now + 10_000, ...state.probes.map(({ until }) => until))
    default:
      return now
  }
}

export const later = (now: number, wait: Wait, state: CircuitBreaker.State): number =>
  Math.max(now, typeof wait === "number" ? now + wait : Math.ceil(dueAt(state, now)) + wait.due)

/** Feeds the machine one operation after the other. */
export const play = (config: CircuitBreaker.Config, ops: ReadonlyArray<Op>): ReadonlyArray<Step> => {
  const steps: Array<Step> = []
  const permits: Array<CircuitBreaker.Permit> = []
  const successes: Array<Reported> = []
  let state: CircuitBreaker.State = CircuitBreaker.initial
  let now = 0
  for (const op of ops) {
    now = later(now, op.wait, state)
    const event = op._tag === "Retract" ? retraction(op, now, successes) : eventOf(op, now, permits)
    if (event === undefined) continue
    const [decision, after] = CircuitBreaker.step(config, state, event)
    if (decision.permit !== undefined) permits.push(decision.permit)
    const success = successOf(event, decision)
    if (success !== undefined) successes.push(success)
    steps.push({ event, before: state, decision, after })
    state = after
  }
  return steps
}

/** A success that whoever reported it may yet take back, heard in time or not. */
const successOf = (
  event: CircuitBreaker.Event,
  { changes }: CircuitBreaker.Decision
): Reported | undefined =>
  event._tag === "Report" && event.outcome._tag === "Success"
    ? reported(event.permit, changes.at(-1))
    : undefined

const retraction = (
  { outcome, random, which }: Op & { readonly _tag: "Retract" },
  now: number,
  successes: Array<Reported>
): CircuitBreaker.Event | undefined => {
  const [success] = successes.splice(which % Math.max(1, successes.length), 1)
  return success && { _tag: "Retract", now, epoch: success.epoch, id: success.id, outcome, random }
}

export const eventOf = (
  op: Exclude<Op, { readonly _tag: "Retract" }>,
  now: number,
  permits: Array<CircuitBreaker.Permit>
): CircuitBreaker.Event | undefined => {
  if (op._tag === "Trip") return { _tag: "Trip", now, retryAfter: op.retryAfter, random: op.random }
  if (op._tag !== "Report") return { _tag: op._tag, now }
  const index = op.which % Math.max(1, permits.length)
  const permit = op.again ? permits[index] : permits.splice(index, 1)[0]
  return permit && { _tag: "Report", now, permit, outcome: op.outcome, random: op.random }
}

/** Feeds the model what the machine was fed, and tells after every event what can be seen of both. */
export const compare = (config: CircuitBreaker.Config, steps: ReadonlyArray<Step>): void => {
  const model = new BreakerModel(config)
  const tickets = new Map<CircuitBreaker.Permit, Exclude<ReturnType<BreakerModel["admit"]>, undefined>>()
  const told: Array<string> = []
  for (const { after, decision, event } of steps) {
    switch (event._tag) {
      case "Admit": {
        const ticket = model.admit(event.now)
        assert.strictEqual(decision.permit === undefined, ticket === undefined, "admitted")
        if (decision.permit && ticket) tickets.set(decision.permit, ticket)
        break
      }
      case "Report":
        model.report(tickets.get(event.permit)!, event.outcome, event.now, event.random)
        break
      case "Retract":
        model.retract(event, event.outcome, event.now, event.random)
        break
      case "Trip":
        model.trip(event.retryAfter, event.now, event.random)
        break
      case "Isolate":
        model.isolate()
        break
      case "Release":
        model.release(event.now)
        break
      case "Reset":
        model.reset(event.now)
    }
    for (const { epoch, from, reason, to } of decision.changes) told.push(`${epoch} ${from}>${to} ${reason}`)
    assert.deepStrictEqual(viewOfState(config, after), viewOfModel(config, model))
    assert.deepStrictEqual(told, model.told)
  }
}

const viewOfState = (config: CircuitBreaker.Config, state: CircuitBreaker.State) => ({
  tag: state._tag,
  epoch: state.epoch,
  late: state.late,
  until: state._tag === "Open" ? state.until : undefined,
  openings: state._tag === "Open" ? state.consecutiveOpenings : undefined,
  handles: state._tag === "Isolated" ? state.handles : 0,
  consecutive: state._tag === "Closed" ? state.consecutive : undefined,
  windows:
    state._tag === "Closed" &&
    config.trip
      .filter(({ _tag }) => _tag !== "Consecutive")
      .map((_, index) => [state.windows[index]?.calls ?? 0, state.windows[index]?.hits ?? 0]),
  probes: state._tag === "HalfOpen" && [state.probes.length, state.successes.length, state.failures]
})

const viewOfModel = (config: CircuitBreaker.Config, model: BreakerModel) => {
  const { epoch, handles, late, openings, row, tag, until } = model
  return {
    tag,
    epoch,
    late,
    until: tag === "Open" ? until : undefined,
    openings: tag === "Open" ? openings : undefined,
    handles,
    consecutive: tag === "Closed" ? row : undefined,
    windows:
      tag === "Closed" &&
      config.trip.flatMap((trip, index) => {
        if (trip._tag === "Consecutive") return []
        const seen = model.seen(index)
        return [[seen.length, seen.filter((call) => model.isBad(call, trip)).length]]
      }),
    probes: tag === "HalfOpen" && [model.count("out"), model.count("good"), model.count("bad")]
  }
}

/** A clock that stands still until it is set. With `yields` whoever reads it gives way to other fibers first. */
export class SetClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  readonly currentTimeMillis: Effect.Effect<number>
  readonly currentTimeNanos: Effect.Effect<bigint>
  now = 0

  constructor(yields = false) {
    const first = yields ? Effect.yieldNow() : Effect.void
    this.currentTimeMillis = Effect.zipRight(
      first,
      Effect.sync(() => this.unsafeCurrentTimeMillis())
    )
    this.currentTimeNanos = Effect.zipRight(
      first,
      Effect.sync(() => this.unsafeCurrentTimeNanos())
    )
  }

  unsafeCurrentTimeMillis(): number {
    return this.now
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(Math.round(this.now * 1e6))
  }

  sleep(): Effect.Effect<void> {
    return Effect.never
  }
}
