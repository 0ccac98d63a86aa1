import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import { currentServices } from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import * as PubSub from "effect/PubSub"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Listener } from "../../Attempt.ts"
import type { Failure, Outcome } from "../../Outcome.ts"
import { flatMapNow } from "../fiber/now.ts"
import { timeOf as timeByClock } from "../fiber/timer.ts"
import type { Listening } from "../run/observer.ts"
import type { Config } from "./config.ts"
import { Issued, notBefore, step } from "./machine.ts"
import {
  type Change,
  type Decision,
  type Event,
  initial,
  type Permit,
  type Rejection,
  type Reported,
  type State
} from "./state.ts"

/**
 * The call was refused: the breaker is open, half-open with its probes in flight, or isolated.
 *
 * @example
 * import { Effect } from "effect"
 * import { CircuitBreaker } from "@understudy/core"
 *
 * const program = Effect.gen(function* () {
 *   const breaker = yield* CircuitBreaker.make({ key: "search", openFor: "10 seconds" })
 *   yield* breaker.trip()
 *   return yield* Effect.flip(CircuitBreaker.execute(Effect.succeed("found"), breaker))
 * })
 *
 * console.log(Effect.runSync(program)._tag) // => CircuitOpen
 *
 * @since 0.1.0
 * @category errors
 */
export class CircuitOpen extends Data.TaggedError("CircuitOpen")<{
  readonly key: string
  /** The state that refused. */
  readonly state: Rejection["state"]
  /**
   * Time until it is worth asking again; zero while a probe is in flight; while isolated, `openFor` or, if that is
   * shorter, `maxOpenFor`.
   */
  readonly retryAfter: Duration.Duration
}> {
  override get message(): string {
    switch (this.state) {
      case "Open":
        return `circuit ${this.key} is open`
      case "HalfOpen":
        return `circuit ${this.key} is half-open and waits for its probe`
      case "Isolated":
        return `circuit ${this.key} is isolated`
    }
  }
}

/**
 * Stores the states of breakers. Default: in memory, separately for each.
 *
 * **Gotchas**
 * - `modify` runs before and after every attempt, outside of its bounds: a slow store delays every run.
 * - It is not interruptible, where `Effect.timeout` waits for what it has cut short. A bound has to say
 *   `Effect.interruptible`, as in the example.
 * - It cannot fail. To go on without the store, as a closed breaker, return `f(CircuitBreaker.initial)[0]`. A defect
 *   ends the run.
 *
 * @example
 * import { Effect } from "effect"
 * import { CircuitBreaker } from "@understudy/core"
 *
 * interface Remote {
 *   readonly modify: <A>(
 *     key: string,
 *     f: (state: CircuitBreaker.State | undefined) => readonly [A, CircuitBreaker.State]
 *   ) => Effect.Effect<A, "conflict" | "unreachable">
 * }
 * const inRemote = (remote: Remote): CircuitBreaker.Store => ({
 *   modify: (key, f) =>
 *     remote.modify(key, (state = CircuitBreaker.initial) => f(state)).pipe(
 *       Effect.retry({ while: (error) => error === "conflict" }),
 *       Effect.interruptible,
 *       Effect.timeout("100 millis"),
 *       Effect.orElseSucceed(() => f(CircuitBreaker.initial)[0])
 *     )
 * })
 *
 * const hangs = inRemote({ modify: () => Effect.never })
 * const program = Effect.flatMap(CircuitBreaker.make({ key: "db", store: hangs }), (breaker) =>
 *   CircuitBreaker.execute(Effect.succeed("rows"), breaker)
 * )
 *
 * console.log(await Effect.runPromise(program)) // => rows
 *
 * @since 0.1.0
 * @category models
 */
export interface Store {
  /**
   * Applies a pure function to the state of a key, `initial` if there is none, atomically. The function may be called
   * again after a conflict.
   */
  readonly modify: <A>(key: string, f: (state: State) => readonly [A, State]) => Effect.Effect<A>
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
  /** As of the last event: an open breaker whose time is over stays open until the next call. */
  readonly state: Effect.Effect<State>
  /** `notBefore` of its state; 0 for an open breaker with `observeOnly`, which refuses nothing. */
  readonly notBefore: Effect.Effect<number>
  /** Admits one call or refuses it. Every permit must be reported, whatever the result of the call. */
  readonly admit: Effect.Effect<Admission, CircuitOpen>
  /** The same without an error, and with every change of state it caused. */
  readonly decide: Effect.Effect<Decision>
  /** Reports how a call ended. Only the first report of a permit counts. */
  readonly report: (permit: Permit, outcome: Outcome) => Effect.Effect<Transition | undefined>
  /** @hidden `decide` in a known fiber; an `Exit` if the store is synchronous. */
  readonly decideIn: (fiber: RuntimeFiber<unknown, unknown>) => Effect.Effect<Decision>
  /** @hidden `report` in a known fiber, likewise. */
  readonly reportIn: (
    fiber: RuntimeFiber<unknown, unknown>,
    permit: Permit,
    outcome: Outcome,
    listener: Listening
  ) => Effect.Effect<Transition | undefined>
  /** @hidden What was reported as a success has failed after all. */
  readonly retractIn: (
    fiber: RuntimeFiber<unknown, unknown>,
    success: Reported,
    outcome: Failure,
    listener: Listening
  ) => Effect.Effect<Transition | undefined>
  /**
   * Opens it because of a failure observed elsewhere, as a failure with `trip` would; if it is open, its time starts
   * over. `retryAfter` is the requested wait. Does nothing while it is isolated.
   */
  readonly trip: (retryAfter?: Duration.Duration) => Effect.Effect<Transition | undefined>
  /**
   * Refuses every call until the scope closes, regardless of reports, resets and elapsed time. The breaker closes when
   * the last isolation ends.
   */
  readonly isolate: Effect.Effect<void, never, Scope.Scope>
  /** Closes it and clears its counts, unless it is isolated. */
  readonly reset: Effect.Effect<void>
  /**
   * Every transition from now on, in order. A subscriber neither delays nor fails a call; one that falls more than 64
   * transitions behind misses the oldest.
   */
  readonly transitions: Stream.Stream<Transition>
}

/**
 * An admitted call.
 *
 * @since 0.1.0
 * @category models
 */
export interface Admission {
  readonly permit: Permit
  /** The last transition caused by this admission. */
  readonly transition: Transition | undefined
  /** With `observeOnly`: why the call would have been refused. */
  readonly wouldReject: Rejection | undefined
}

/**
 * A change of state, with the key of its breaker.
 *
 * @since 0.1.0
 * @category models
 */
export interface Transition extends Change {
  readonly key: string
}

type Hub = PubSub.PubSub<Transition>

export const hub: Effect.Effect<Hub> = PubSub.sliding(64)

/** One state in memory. */
export class Cell implements Store {
  private state: State = initial

  modify<A>(_: string, f: (state: State) => readonly [A, State]): Effect.Effect<A> {
    return Effect.sync(() => this.unsafeModify(f))
  }

  unsafeModify<A>(f: (state: State) => readonly [A, State]): A {
    const [a, next] = f(this.state)
    this.state = next
    return a
  }
}

type Fiber = RuntimeFiber<unknown, unknown>

const timeOf = (fiber: Fiber): number =>
  timeByClock(Context.get(fiber.getFiberRef(currentServices), Clock.Clock))

const chanceOf = (fiber: Fiber): Effect.Effect<number> =>
  Context.get(fiber.getFiberRef(currentServices), Random.Random).next

export const unsafeMake = (key: string, config: Config, store: Store, hub: Hub): CircuitBreaker => {
  const measures = config.trip.some((trip) => trip._tag === "Slow")
  const timed = measures || config.trip.some((trip) => "window" in trip)

  const tell = ({ changes }: Decision): Transition | undefined => {
    let transition: Transition | undefined
    for (const change of changes) {
      transition = { key, ...change }
      // Never waits, since a full hub drops its oldest element.
      Effect.runSync(PubSub.publish(hub, transition))
    }
    return transition
  }

  /** A synchronous store changes within this fiber's current step, which includes `then`, so that events stay in order. */
  const modify = <B, E>(
    f: (state: State) => readonly [Decision, State],
    then: (decision: Decision) => Effect.Effect<B, E>
  ): Effect.Effect<B, E> =>
    store instanceof Cell
      ? then(store.unsafeModify(f))
      : Effect.flatMap(
          Effect.suspend(() => store.modify(key, f)),
          then
        )

  // A breaker with only a `consecutive` trigger does not read the clock (an expensive `bigint`) for calls that succeed.
  const ask = (fiber: Fiber) => (state: State) =>
    step(config, state, state._tag === "Closed" && !timed ? anyTime : { _tag: "Admit", now: timeOf(fiber) })

  const decided = (decision: Decision): Effect.Effect<Decision> => {
    tell(decision)
    return Effect.succeed(decision)
  }

  const decideIn = (fiber: Fiber): Effect.Effect<Decision> => modify(ask(fiber), decided)

  const told = (decision: Decision): Effect.Effect<Transition | undefined> => {
    const transition = tell(decision)
    return transition === undefined ? nothing : Effect.succeed(transition)
  }

  const report = (fiber: Fiber, permit: Permit, outcome: Outcome, random: number) =>
    modify((state) => {
      const anyTime = state._tag === "Closed" && !timed && outcome._tag !== "Failure"
      const now = anyTime ? 0 : timeOf(fiber)
      return step(config, state, { _tag: "Report", now, permit, outcome, random })
    }, told)

  const reportIn = (
    fiber: Fiber,
    permit: Permit,
    outcome: Outcome
  ): Effect.Effect<Transition | undefined> => {
    if (!Issued.claim(permit)) return nothing
    // Only an outcome that may open the breaker needs a random number, and only one that counts against the tier can.
    return outcome._tag === "Failure" || (measures && outcome._tag === "Success")
      ? Effect.flatMap(chanceOf(fiber), (random) => report(fiber, permit, outcome, random))
      : report(fiber, permit, outcome, 0)
  }

  const retractIn: CircuitBreaker["retractIn"] = (fiber, { epoch, id }, outcome) =>
    Effect.flatMap(chanceOf(fiber), (random) =>
      modify(
        (state) => step(config, state, { _tag: "Retract", now: timeOf(fiber), epoch, id, outcome, random }),
        told
      )
    )

  const happens = (event: (now: number) => Event): Effect.Effect<Transition | undefined> =>
    Effect.withFiberRuntime((fiber) => modify((state) => step(config, state, event(timeOf(fiber))), told))

  const byHand = (_tag: "Isolate" | "Release" | "Reset"): Effect.Effect<void> =>
    Effect.asVoid(happens((now) => ({ _tag, now })))

  const state = Effect.suspend(() => store.modify(key, (state) => [state, state]))

  return {
    key,
    config,
    state,
    notBefore: Effect.map(state, (state) =>
      config.observeOnly && state._tag === "Open" ? 0 : notBefore(state)
    ),
    decide: Effect.withFiberRuntime((fiber) => decideIn(fiber)),
    decideIn,
    admit: Effect.withFiberRuntime((fiber) =>
      modify(ask(fiber), (decision): Effect.Effect<Admission, CircuitOpen> => {
        const transition = tell(decision)
        const { permit, rejection } = decision
        return permit === undefined
          ? Effect.fail(refusal(key, rejection!))
          : Effect.succeed({ permit, transition, wouldReject: rejection })
      })
    ),
    report: (permit, outcome) => Effect.withFiberRuntime((fiber) => reportIn(fiber, permit, outcome)),
    reportIn,
    retractIn,
    trip: (retryAfter) =>
      Effect.flatMap(Random.next, (random) => happens((now) => ({ _tag: "Trip", now, retryAfter, random }))),
    isolate: Effect.acquireRelease(byHand("Isolate"), () => byHand("Release")),
    reset: byHand("Reset"),
    transitions: Stream.fromPubSub(hub)
  }
}

export const tapReport = (
  self: CircuitBreaker,
  f: (transition: Transition | undefined, outcome: Outcome) => Effect.Effect<unknown>
): CircuitBreaker => {
  const hear: typeof f = (transition, outcome) => {
    try {
      return f(transition, outcome)
    } catch (defect) {
      return Effect.die(defect)
    }
  }
  const tap = (told: Effect.Effect<Transition | undefined>, outcome: Outcome, listener: Listening) =>
    flatMapNow(told, (transition) =>
      flatMapNow(heardBy(hear(transition, outcome), listener), () => Effect.succeed(transition))
    )
  const reportIn: CircuitBreaker["reportIn"] = (fiber, permit, outcome, listener) =>
    tap(self.reportIn(fiber, permit, outcome, listener), outcome, listener)
  return {
    ...self,
    report: (permit, outcome) =>
      Effect.withFiberRuntime((fiber) => reportIn(fiber, permit, outcome, undefined)),
    reportIn,
    retractIn: (fiber, success, outcome, listener) =>
      tap(self.retractIn(fiber, success, outcome, listener), outcome, listener)
  }
}

/**
 * Collects the transitions that `tapReport` causes on other breakers; skipped if there is no listener, since providing
 * a service costs time.
 */
const heardBy = (effect: Effect.Effect<unknown>, listener: Listening): Effect.Effect<unknown> =>
  listener === undefined || Exit.isExit(effect) ? effect : Effect.provideService(effect, Listener, listener)

const anyTime: Event = { _tag: "Admit", now: 0 }

const nothing: Effect.Effect<undefined> = Effect.succeed(undefined)

const refusal = (key: string, { retryAfter, state }: Rejection): CircuitOpen =>
  new CircuitOpen({ key, state, retryAfter: Duration.millis(retryAfter) })
