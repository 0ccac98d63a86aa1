import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit } from "effect"
import { Attempt, Backoff, CircuitBreaker, Deadline, Fallback, Tier } from "../src/index.ts"
import { drain, run, SchedulingClock, VirtualClock } from "./laws/virtual.ts"

/** Of timers that are due together the last one set comes first. */
class LastFirst extends SchedulingClock {
  private readonly due = new Map<number, Array<() => void>>()

  override unsafeSchedule(task: () => void, duration: Duration.Duration): () => boolean {
    const at = this.unsafeCurrentTimeMillis() + Duration.toMillis(duration)
    const together = this.due.get(at) ?? []
    this.due.set(at, together)
    together.push(task)
    super.unsafeSchedule(() => together.pop()?.(), duration)
    return () => {
      const index = together.indexOf(task)
      return index >= 0 && together.splice(index, 1).length > 0
    }
  }
}

const bounds = { attemptTimeout: "attemptTimeout", timeout: "timeout", deadline: "deadline" } as const

describe.each([
  ["the one set first comes first", () => new SchedulingClock()],
  ["the one set last comes first", () => new LastFirst()],
  ["each is a sleep", () => new VirtualClock()]
])("a run inside an attempt, where of timers that are due together %s", (_, make) => {
  /** How an attempt ends in which there is a run, under a bound of 5 s and with a retry left, and what its breaker makes of it. */
  const outer = async (bound: keyof typeof bounds, inner: Effect.Effect<unknown, unknown>) => {
    const ended: Array<string> = []
    const breaker = await Effect.runPromise(
      CircuitBreaker.make({ key: "outer", trip: CircuitBreaker.consecutive(1) })
    )
    const tier = Tier.make({
      name: "outer",
      effect: inner,
      breaker,
      backoff: Backoff.constant({ delay: "1 second", times: 2 }),
      ...(bound !== "deadline" && { [bound]: "5 seconds" })
    }).pipe(Fallback.within(bound === "deadline" ? "5 seconds" : "1 hour"), Fallback.named("outer"))
    const listener = (event: Attempt.Event) => {
      if (event._tag === "AttemptEnded" && event.run === "outer") ended.push(event.attempt.outcome)
    }
    const clock = make()
    const { elapsed, exit } = await run(Effect.provideService(tier, Attempt.Listener, listener), { clock })
    // What is left behind is out of time too.
    await drain(clock)
    assert(exit !== undefined && Exit.isFailure(exit) && exit.cause._tag === "Fail")
    const error = exit.cause.error
    assert(error instanceof Fallback.AllTiersFailed)
    const state = await Effect.runPromise(breaker.state)
    return { ended, elapsed, reason: error.reason, breaker: state._tag }
  }

  const hanging = Tier.make({ name: "inner", effect: Effect.never })
  const nested = Tier.make({ name: "middle", effect: hanging })

  describe.each([
    ["one run", hanging],
    ["a run in a run", nested],
    ["a run that does not let itself be interrupted", Effect.uninterruptible(hanging)],
    ["a run whose own bound is due then too", hanging.pipe(Fallback.within("5 seconds"))],
    ["a hedge", hanging.pipe(Fallback.hedge(nested, { after: "1 second" }))]
  ])("%s", (_, inner) => {
    it("is ended by the attempt, whose bound it is", async () => {
      const cut = { ended: ["timeout"], elapsed: 5_000 }
      assert.deepStrictEqual(await outer("attemptTimeout", inner), {
        ...cut,
        reason: "failed",
        breaker: "Open"
      })
      assert.deepStrictEqual(await outer("timeout", inner), { ...cut, reason: "failed", breaker: "Closed" })
      assert.deepStrictEqual(await outer("deadline", inner), {
        ...cut,
        reason: "deadline",
        breaker: "Closed"
      })
    })
  })

  it("keeps to a deadline that is nearer than the attempt's", async () => {
    const inner = Effect.provideServiceEffect(hanging, Deadline.Current, Deadline.within("2 seconds"))
    assert.deepStrictEqual(await outer("timeout", inner), {
      ended: ["failure"],
      elapsed: 2_000,
      reason: "failed",
      breaker: "Open"
    })
  })

  it("has no time where the attempt has none", async () => {
    for (const none of [hanging, nested]) {
      const tier = Tier.make({ name: "outer", effect: none, attemptTimeout: 0 })
      const { elapsed, exit } = await run(Effect.flip(tier), { clock: make() })
      assert(exit !== undefined && Exit.isSuccess(exit) && exit.value instanceof Fallback.AllTiersFailed)
      assert.deepStrictEqual([elapsed, exit.value.attempts.map(({ outcome }) => outcome)], [0, ["timeout"]])
    }
  })
})
