import type * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Random from "effect/Random"
import type * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Outcome } from "../Outcome.ts"
import type { Config } from "./breakerConfig.ts"
import { Issued, step } from "./breakerMachine.ts"
import type { Change, Decision, Event, Permit, Rejection, State } from "./breakerState.ts"

/**
 * The call was not made: the breaker is open, or half-open with its probes under way, or isolated.
 *
 * @since 0.1.0
 * @category errors
 */
export class CircuitOpen extends Data.TaggedError("CircuitOpen")<{
  readonly key: string
  /** The state that refused. */
  readonly state: Rejection["state"]
  /** Time until it is worth asking again; zero while a probe is under way, `openFor` while isolated. */
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
 * Where the states of breakers are kept: by default in a `Ref` each.
 *
 * @since 0.1.0
 * @category models
 */
export interface Store {
  /**
   * Applies a pure function to the state of a key, `initial` where there is none, as one indivisible act. The
   * function may be called again where somebody else was faster.
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
  /** As it was left by the last event: an open breaker whose time is over is open until somebody asks. */
  readonly state: Effect.Effect<State>
  /** Admits one call or refuses it. Every permit must be reported, whatever became of the call. */
  readonly admit: Effect.Effect<Admission, CircuitOpen>
  /** The same without an error and with every change of state that came with it. */
  readonly decide: Effect.Effect<Decision>
  /** Says how a call ended. Of several reports of one permit the first counts. */
  readonly report: (permit: Permit, outcome: Outcome) => Effect.Effect<Transition | undefined>
  /**
   * Refuses every call until the scope closes, whatever is reported, reset or due in the meantime. Closes when the
   * last of those who isolate it has let go.
   */
  readonly isolate: Effect.Effect<void, never, Scope.Scope>
  /** Closes it and forgets all it has counted, unless it is isolated. */
  readonly reset: Effect.Effect<void>
  /**
   * Every transition from now on, in order. Whoever listens neither delays nor fails a call; whoever is more than
   * 64 transitions behind misses the oldest.
   */
  readonly transitions: Stream.Stream<Transition>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Admission {
  readonly permit: Permit
  /** The last transition that this admission made. */
  readonly transition: Transition | undefined
  /** With `observeOnly`: why the call would have been refused. */
  readonly wouldReject: Rejection | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Transition extends Change {
  readonly key: string
}

export type Hub = PubSub.PubSub<Transition>

export const hub: Effect.Effect<Hub> = PubSub.sliding(64)

export const refStore = (ref: Ref.Ref<State>): Store => ({ modify: (_, f) => ref.modify(f) })

export const unsafeMake = (key: string, config: Config, store: Store, hub: Hub): CircuitBreaker => {
  const measures = config.trip.some((trip) => trip._tag === "Slow")
  const timed = measures || config.trip.some((trip) => "window" in trip)

  /**
   * The time, where anything depends on it. A closed breaker that counts only a row of failures asks no clock,
   * whose nanoseconds are a `bigint`, on its way to and from a call that succeeds.
   */
  const timeOf = (state: State, clock: Clock.Clock, opens: boolean): number =>
    state._tag === "Closed" && !timed && !opens ? 0 : Number(clock.unsafeCurrentTimeNanos()) / 1e6

  /** Runs in the same turn of the fiber as the change itself, so that transitions are told in their order. */
  const tell = (decision: Decision): Decision => {
    for (const change of decision.changes) {
      const transition = { key, ...change }
      // To a full hub `unsafeOffer` says no; `publish` makes room, and never waits.
      if (!hub.unsafeOffer(transition)) Effect.runSync(PubSub.publish(hub, transition))
    }
    return decision
  }

  const apply = (clock: Clock.Clock, event: (state: State, clock: Clock.Clock) => Event) =>
    Effect.map(
      store.modify(key, (state) => step(config, state, event(state, clock))),
      tell
    )

  const decide = Effect.clockWith((clock) =>
    apply(clock, (state) => ({ _tag: "Admit", now: timeOf(state, clock, false) }))
  )

  const last = ({ changes }: Decision): Transition | undefined => {
    const change = changes.at(-1)
    return change && { key, ...change }
  }

  const report = (permit: Permit, outcome: Outcome, random: number) =>
    Effect.clockWith((clock) =>
      Effect.map(
        apply(clock, (state) => ({
          _tag: "Report",
          now: timeOf(state, clock, outcome._tag === "Failure"),
          permit,
          outcome,
          random
        })),
        last
      )
    )

  const byHand = (_tag: "Isolate" | "Release" | "Reset") =>
    Effect.asVoid(
      Effect.clockWith((clock) => apply(clock, (state) => ({ _tag, now: timeOf(state, clock, true) })))
    )

  return {
    key,
    config,
    state: store.modify(key, (state) => [state, state]),
    decide,
    admit: Effect.flatMap(decide, (decision) => {
      const { permit, rejection } = decision
      return permit === undefined
        ? Effect.fail(refusal(key, rejection!))
        : Effect.succeed({ permit, transition: last(decision), wouldReject: rejection })
    }),
    report: (permit, outcome) =>
      Effect.suspend(() => {
        if (!Issued.claim(permit)) return nothing
        // Only what may open the breaker needs chance, and only what counts against the tier opens it.
        return outcome._tag === "Failure" || (measures && outcome._tag === "Success")
          ? Effect.flatMap(Random.next, (random) => report(permit, outcome, random))
          : report(permit, outcome, 0)
      }),
    isolate: Effect.acquireRelease(byHand("Isolate"), () => byHand("Release")),
    reset: byHand("Reset"),
    transitions: Stream.fromPubSub(hub)
  }
}

const nothing = Effect.succeed(undefined)

export const refusal = (key: string, { retryAfter, state }: Rejection): CircuitOpen =>
  new CircuitOpen({ key, state, retryAfter: Duration.millis(retryAfter) })
