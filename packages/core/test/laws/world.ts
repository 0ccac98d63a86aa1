import { assert } from "@effect/vitest"
import {
  Cause,
  type Clock,
  Data,
  Duration,
  Effect,
  Exit,
  Fiber,
  Option,
  type Scope,
  type Tracer
} from "effect"
import { Attempt, CircuitBreaker, Deadline, Fallback, type Outcome, Tier } from "../../src/index.ts"
import { strays } from "../leftovers.ts"
import type { Act, Plan, TierPlan, Tree } from "./plan.ts"
import { callName, type Ending, type Entry } from "./simulator.ts"
import { abandon, drain, run, SchedulingClock, VirtualClock } from "./virtual.ts"

/** Not an `Error`, whose stack would cost more than the attempt. */
export class Refused extends Data.TaggedClass("Refused")<{
  readonly call: string
  readonly outcome: Outcome.Outcome
}> {}

/** One call of a tier as the adversary behind it saw it. */
export interface Call {
  readonly tier: string
  readonly act: Act
  readonly begun: number
  /** Where its beginning and its last finalizer stand in the order of all such things. */
  readonly opening: number
  closing: number
  /** When it was told to stop. */
  stopped: number | undefined
  /** When its finalizer ended, each time it ran. */
  readonly closed: Array<number>
}

export type Run = Fallback.Fallback<string, Refused, never>

/** What a run did, seen from every side. */
export interface Observation {
  readonly exit: Exit.Exit<string, Refused | Fallback.AllTiersFailed<unknown>> | undefined
  readonly ending: Ending
  readonly startedAt: number
  readonly endedAt: number
  readonly log: ReadonlyArray<Entry>
  readonly calls: ReadonlyArray<Call>
  readonly events: ReadonlyArray<Attempt.Event>
}

/** Virtual time, and the adversaries of a plan, which remember what they were asked. */
export class World {
  readonly plan: Plan
  readonly clock: VirtualClock
  readonly calls: Array<Call> = []
  /** Those that some tier has. */
  readonly breakers: ReadonlyArray<CircuitBreaker.CircuitBreaker | undefined>
  private order = 0
  private readonly before = new Set<unknown>(Fiber.unsafeRoots())
  private readonly called = new Map<string, number>()

  private readonly time: Clock.Clock

  constructor(
    plan: Plan,
    options: {
      readonly breaker?: (breaker: CircuitBreaker.CircuitBreaker) => CircuitBreaker.CircuitBreaker
      readonly clock?: VirtualClock
      /** The time, where another clock than the world's own is used. */
      readonly time?: Clock.Clock
    } = {}
  ) {
    const { breaker: wrap = (breaker) => breaker } = options
    this.plan = plan
    this.clock = options.clock ?? (plan.fiberTimers ? new VirtualClock() : new SchedulingClock())
    this.time = options.time ?? this.clock
    this.breakers = plan.breakers.map(({ failures, openFor }, index) =>
      plan.tiers.every((tier) => tier.breaker !== index)
        ? undefined
        : wrap(
            Effect.runSync(
              CircuitBreaker.make({
                key: `b${index}`,
                trip: CircuitBreaker.consecutive(failures),
                openFor: Duration.millis(openFor),
                jitter: 0
              })
            )
          )
    )
  }

  get now(): number {
    return this.time.unsafeCurrentTimeMillis()
  }

  /** The effect behind a tier. */
  attempt({ name, script }: TierPlan): Effect.Effect<string, Refused, Scope.Scope> {
    return Effect.suspend(() => {
      const number = this.called.get(name) ?? 0
      this.called.set(name, number + 1)
      const act = script[number % script.length] as Act
      const opening = this.order++
      const call: Call = {
        tier: name,
        act,
        begun: this.now,
        opening,
        closing: Infinity,
        stopped: undefined,
        closed: []
      }
      this.calls.push(call)
      const close = Effect.sync(() => {
        call.closing = this.order++
        call.closed.push(this.now)
      })
      const { release } = act
      return Effect.zipRight(
        Effect.addFinalizer(() => (release === 0 ? close : Effect.zipRight(sleep(release), close))),
        Effect.onInterrupt(perform(act, callName(name, number)), () =>
          Effect.sync(() => {
            call.stopped = this.now
          })
        )
      )
    })
  }

  /** What a tier is told but for what it runs and the bound on an attempt. */
  told(tier: TierPlan): Tier.Options<Refused> {
    return {
      name: tier.name,
      classify: ({ outcome }) => outcome,
      backoff: tier.backoff,
      timeout: tier.timeout,
      maxRetryAfter: tier.maxRetryAfter,
      retryTimeouts: tier.retryTimeouts,
      breaker: tier.breaker === undefined ? undefined : this.breakers[tier.breaker]
    }
  }

  tier(tier: TierPlan, options?: Partial<Tier.Options<Refused>>): Run {
    const { attemptTimeout } = tier
    return Tier.make({ effect: this.attempt(tier), attemptTimeout, ...this.told(tier), ...options })
  }

  fallback(tree: Tree = this.plan.tree, tierOf = (tier: TierPlan): Run => this.tier(tier)): Run {
    switch (tree._tag) {
      case "Tier":
        return tierOf(tree.tier)
      case "OrElse":
        return Fallback.orElse(this.fallback(tree.left, tierOf), this.fallback(tree.right, tierOf))
      case "Within":
        return Fallback.within(this.fallback(tree.tree, tierOf), tree.millis)
      case "AtMost":
        return Fallback.atMost(this.fallback(tree.tree, tierOf), tree.tiers)
    }
  }

  /** The states of its breakers. */
  states(): ReadonlyArray<CircuitBreaker.State | undefined> {
    return this.breakers.map((breaker) => breaker && Effect.runSync(breaker.state))
  }

  /** Lets so much time pass. */
  async pass(millis: number): Promise<void> {
    await run(Effect.sleep(Duration.millis(millis)), this)
  }

  /** Runs the plan's fallback, or another effect of this world, and notes all there is to see. */
  async observe(
    effect: Effect.Effect<string, Refused | Fallback.AllTiersFailed<unknown>> = this.fallback(),
    options: {
      readonly interruptAt?: number
      readonly hear?: (event: Attempt.Event) => void
      readonly tracer?: Tracer.Tracer
    } = {}
  ): Promise<Observation> {
    const startedAt = this.now
    const before = this.calls.length
    const log: Array<Entry> = []
    const events: Array<Attempt.Event> = []
    const listened = Effect.provideService(effect, Attempt.Listener, (event) => {
      events.push(event)
      if (event._tag === "AttemptEnded") log.push(entry(event.attempt, this.now))
      options.hear?.(event)
    })
    const { elapsed, exit, fiber } = await run(listened, {
      clock: this.clock,
      seed: this.plan.seed,
      interruptAt: options.interruptAt,
      tracer: options.tracer
    })
    const endedAt = startedAt + elapsed
    const calls = this.calls.slice(before)
    const seen = {
      exit,
      ending: endingOf(exit),
      startedAt,
      endedAt,
      log: [...log],
      calls,
      events: [...events]
    }
    // What is left on the clock then was left behind.
    if (exit === undefined) await abandon(fiber)
    return seen
  }

  /** Lets all time pass. */
  async end(): Promise<void> {
    await drain(this.clock)
    this.clock.end()
    await drain(this.clock)
  }

  /**
   * To be called when every run has ended: nothing sleeps but calls that were given up and did not let go, and when
   * these have ended too every call was finalized once.
   */
  async leavesNothingBehind(): Promise<void> {
    const asleep = this.calls.filter(
      ({ act, closed }) => closed.length === 0 && !(act.stubborn && act.after === Number.POSITIVE_INFINITY)
    )
    assert.isTrue(
      asleep.every(({ act }) => act.stubborn || act.release > 0),
      "a call outlived its run"
    )
    assert.strictEqual(this.clock.pending, asleep.length, "sleeps that nobody waits for")
    await this.end()
    assert.isTrue(
      this.calls.every(({ closed }) => closed.length === 1),
      "a call was not finalized once"
    )
    assert.strictEqual(strays(this.before), 0, "a fiber outlived its run")
  }
}

const sleep = (millis: number): Effect.Effect<void> => Effect.sleep(Duration.millis(millis))

const perform = (act: Act, call: string): Effect.Effect<string, Refused> => {
  const { after, end, stubborn, turns } = act
  const last =
    end === "ok"
      ? Effect.succeed(call)
      : end === "die"
        ? Effect.die(call)
        : end === "interrupt"
          ? Effect.interrupt
          : Effect.fail(new Refused({ call, outcome: end }))
  const slept = after === 0 ? last : Effect.zipRight(sleep(after), last)
  const work = turns === 0 ? slept : Effect.zipRight(Effect.repeatN(Effect.yieldNow(), turns - 1), slept)
  return stubborn ? Effect.uninterruptible(work) : work
}

const boundOf = (cause: Cause.Cause<unknown> | undefined): string | undefined => {
  const error = cause && Option.getOrUndefined(Cause.failureOption(cause))
  return error instanceof Deadline.DeadlineExceeded ? error.bound : undefined
}

/** Subtracting left traces that no clock has. */
const nanos = (millis: number): number => Math.round(millis * 1e6) / 1e6

export const entry = (attempt: Attempt.Attempt<unknown>, end: number): Entry => ({
  tier: attempt.tier,
  number: attempt.number,
  start: nanos(end - Duration.toMillis(attempt.duration)),
  end,
  outcome: attempt.outcome,
  errorType: attempt.errorType,
  bound: boundOf(attempt.cause),
  next: attempt.next,
  waited: nanos(Duration.toMillis(attempt.waited))
})

const endingOf = (exit: Observation["exit"]): Ending => {
  if (exit === undefined) return "never"
  if (Exit.isSuccess(exit)) return { ok: exit.value }
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (error === undefined) return Cause.isInterruptedOnly(exit.cause) ? "interrupted" : "died"
  if (error._tag === "Refused") return { own: error.call }
  return {
    all: error.reason,
    attempts: error.attempts.length,
    refused: error.refusals.map(({ tier }) => tier),
    retryAfter: error.retryAfter && Duration.toMillis(error.retryAfter)
  }
}
