import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Option } from "effect"
import { Backoff, CircuitBreaker, Deadline, Fallback, Outcome, RetryBudget, Tier } from "../src/index.ts"
import * as virtual from "./laws/virtual.ts"
import {
  callersFault,
  errorOf,
  nextTier,
  type Refused,
  recorded,
  retryable,
  scripted,
  tier,
  timed
} from "./scripted.ts"

const retries = (times: number) => Backoff.constant({ delay: "1 second", times })

/** Its timers come early, as Node's do, and take a millisecond at least. */
const early = <C extends virtual.VirtualClock>(clock: C): C => {
  const set = clock.unsafeSchedule.bind(clock)
  clock.unsafeSchedule = (task, duration) =>
    set(task, Duration.millis(Math.max(1, Duration.toMillis(duration) - 0.4)))
  return clock
}

describe("what bounds a fallback", () => {
  it.effect("each bound is named by the error it makes", () =>
    Effect.gen(function* () {
      const boundOf = (run: Fallback.Fallback<string, Refused, never>) =>
        Effect.map(timed(run), ({ exit, elapsed }) => {
          const error = errorOf(exit)
          assert(error._tag === "AllTiersFailed")
          const cause = error.attempts.at(-1)?.cause
          const bound = cause && Option.getOrNull(Cause.failureOption(cause))
          return [bound instanceof Deadline.DeadlineExceeded && bound.bound, error.reason, elapsed]
        })
      const hang = () => scripted(["hang"])
      const attempt = Tier.make({
        name: "a",
        effect: hang().effect,
        attemptTimeout: "2 seconds",
        timeout: "5 seconds"
      })
      assert.deepStrictEqual(yield* boundOf(attempt), ["attemptTimeout", "failed", 2000])
      assert.deepStrictEqual(yield* boundOf(tier("a", hang(), { timeout: "3 seconds" })), [
        "timeout",
        "failed",
        3000
      ])
      const within = tier("a", hang()).pipe(Fallback.within("4 seconds"))
      assert.deepStrictEqual(yield* boundOf(within), ["deadline", "deadline", 4000])
    })
  )

  it.effect(
    "an attempt that any of them ends is a timeout; ignored is only what its classifier ignores",
    () =>
      Effect.gen(function* () {
        const { effect } = scripted(["hang"])
        const endOf = (run: Fallback.Fallback<string, Refused, never>) =>
          Effect.gen(function* () {
            const { effect, events } = recorded(run)
            yield* timed(effect)
            return events.flatMap((event) =>
              event._tag === "AttemptEnded" ? [[event.attempt.outcome, event.attempt.errorType]] : []
            )
          })
        const own = Tier.make({ name: "a", effect, attemptTimeout: "1 second" })
        const tiers = Tier.make({ name: "a", effect, attemptTimeout: "2 seconds", timeout: "1 second" })
        const runs = Tier.make({ name: "a", effect, attemptTimeout: "2 seconds" }).pipe(
          Fallback.within("1 second")
        )
        assert.deepStrictEqual(yield* endOf(own), [["timeout", "timeout"]])
        assert.deepStrictEqual(yield* endOf(tiers), [["timeout", "timeout"]])
        assert.deepStrictEqual(yield* endOf(runs), [["timeout", "deadline"]])
        assert.deepStrictEqual(yield* endOf(tier("a", scripted([callersFault]))), [
          ["ignored", "invalid_request"]
        ])
      })
  )

  it.effect("a bound holds against an attempt that cannot be interrupted", () =>
    Effect.gen(function* () {
      const { effect, letGo } = scripted(["hangUninterruptibly"])
      const run = Tier.make({ name: "a", effect, attemptTimeout: "1 second" }).pipe(
        Fallback.orElse(tier("b", scripted([{ ok: "b" }])))
      )
      const { exit, elapsed } = yield* timed(run, "1 hour", "something")
      assert.deepStrictEqual([exit, elapsed], [Exit.succeed("b"), 1000])
      yield* letGo
    })
  )

  it.effect("an inner deadline shortens the outer one, never lengthens it", () =>
    Effect.gen(function* () {
      const inner = tier("inner", scripted(["hang"])).pipe(Fallback.within("1 hour"))
      const outer = Tier.make({ name: "outer", effect: inner }).pipe(Fallback.within("2 seconds"))
      const { elapsed } = yield* timed(outer)
      assert.strictEqual(elapsed, 2000)
    })
  )

  it.effect("a group keeps its own bounds inside a larger fallback", () =>
    Effect.gen(function* () {
      const [a, b, c] = [scripted(["hang"]), scripted(["hang"]), scripted([{ ok: "c" }])]
      const group = tier("a", a, { timeout: "2 seconds" }).pipe(
        Fallback.orElse(tier("b", b)),
        Fallback.within("3 seconds")
      )
      const { exit, elapsed } = yield* timed(group.pipe(Fallback.orElse(tier("c", c))))
      assert.deepStrictEqual([exit, elapsed], [Exit.succeed("c"), 3000])
      assert.deepStrictEqual([a.calls, b.calls, c.calls], [[0], [2000], [3000]])
    })
  )

  it.effect("and each time it is part of one: what the first time took does not count the second time", () =>
    Effect.gen(function* () {
      const [a, b] = [scripted([nextTier]), scripted([nextTier])]
      const one = tier("a1", a).pipe(Fallback.orElse(tier("a2", a)), Fallback.atMost(1))
      const group = Fallback.orElse(one, tier("b", b))
      yield* timed(Effect.exit(Fallback.orElse(group, group)))
      assert.deepStrictEqual(
        [a.calls, b.calls],
        [
          [0, 0],
          [0, 0]
        ]
      )
      const slow = scripted([{ fail: Outcome.failure({ next: "nextTier" }), after: "600 millis" }])
      const bounded = tier("slow", slow).pipe(Fallback.within("1 second"), Fallback.orElse(tier("b", b)))
      const { elapsed } = yield* timed(
        Effect.exit(bounded.pipe(Fallback.hedge(bounded, { after: "1 minute" })))
      )
      assert.strictEqual(elapsed, 1200)
    })
  )

  it.effect("a run that had no time to ask anybody says so, and nothing of breakers", () =>
    Effect.gen(function* () {
      const never = () => tier("a", scripted([{ die: "asked" }]))
      const none = Fallback.within(Fallback.orElse(never(), never()), 0)
      const breaker = yield* CircuitBreaker.make({ key: "b" })
      yield* breaker.trip()
      const refused = tier("b", scripted([{ die: "asked" }]), { breaker })
      for (const [run, reason, errorType] of [
        [none, "deadline", "deadline"],
        [Fallback.orElse(none, none), "deadline", "deadline"],
        [Fallback.orElse(none, refused), "open", "circuit_open"]
      ] as const) {
        const { effect, events } = recorded(run)
        const error = yield* Effect.flip(effect)
        assert.deepInclude(error, { _tag: "AllTiersFailed", reason })
        assert.deepInclude(events.at(-1), { _tag: "RunEnded", outcome: "failure", errorType, attempts: 0 })
      }
      const { effect, events } = recorded(Fallback.orElse(none, tier("b", scripted([{ ok: "b" }]))))
      assert.strictEqual(yield* effect, "b")
      assert.deepInclude(events.at(-1), { fallback: true, fallbackReason: "deadline" })
    })
  )

  it.effect("a wait that cannot lead to an attempt is not begun", () =>
    Effect.gen(function* () {
      const [a, b] = [scripted([retryable]), scripted([{ ok: "b" }])]
      const run = tier("a", a, { backoff: retries(3), timeout: "1500 millis" }).pipe(
        Fallback.orElse(tier("b", b))
      )
      const { elapsed } = yield* timed(run)
      assert.deepStrictEqual([a.calls, b.calls, elapsed], [[0, 1000], [1000], 1000])
    })
  )

  it.effect("a hint within the tier's patience is waited out, a longer one sends the run on", () =>
    Effect.gen(function* () {
      const asks = (seconds: number) =>
        scripted([{ fail: Outcome.failure({ retryAfter: Duration.seconds(seconds) }) }, { ok: "again" }])
      const standby = () => tier("b", scripted([{ ok: "b" }]))
      const breaker = yield* CircuitBreaker.make({ key: "a", openFor: "1 second", jitter: 0 })
      const short = yield* timed(tier("a", asks(5), { backoff: retries(1) }).pipe(Fallback.orElse(standby())))
      assert.deepStrictEqual([short.exit, short.elapsed], [Exit.succeed("again"), 5000])
      const start = yield* Deadline.now
      const long = yield* timed(
        tier("a", asks(60), { backoff: retries(1), breaker }).pipe(Fallback.orElse(standby())),
        "1 second"
      )
      assert.deepStrictEqual([long.exit, long.elapsed], [Exit.succeed("b"), 0])
      const state = yield* breaker.state
      assert(state._tag === "Open")
      assert.strictEqual(state.until - start, 60_000)
    })
  )

  it.each([
    ["sleeps", () => new virtual.VirtualClock()],
    ["sets timers", () => new virtual.SchedulingClock()]
  ])("a tier is not asked for what a timer that came early has left, by a clock that %s", async (_, make) => {
    const [a, b, c] = [scripted(["hang"]), scripted(["hang"]), scripted([{ ok: "c" }])]
    const group = tier("a", a).pipe(Fallback.orElse(tier("b", b)), Fallback.within("10 millis"))
    const whole = group.pipe(Fallback.orElse(tier("c", c)))
    const { elapsed, exit } = await virtual.run(whole, { clock: early(make()) })
    assert.deepStrictEqual([exit, b.calls], [Exit.succeed("c"), []])
    assert.isAtLeast(elapsed, 10)
    assert.isBelow(elapsed, 11)
  })

  it("a retry that waits until the breaker lets it through is let through", async () => {
    const trip = CircuitBreaker.consecutive(1)
    const breaker = await Effect.runPromise(
      CircuitBreaker.make({ key: "a", trip, openFor: "10 millis", jitter: 0 })
    )
    const backoff = Backoff.constant({ delay: "10 millis", times: 1 })
    const a = tier("a", scripted([retryable, { ok: "a" }]), { breaker, backoff })
    const whole = a.pipe(Fallback.orElse(tier("b", scripted([{ ok: "b" }]))))
    const { exit } = await virtual.run(whole, { clock: early(new virtual.VirtualClock()) })
    assert.deepStrictEqual(exit, Exit.succeed("a"))
  })

  /** Whoever sleeps by it sleeps 50 ms longer. */
  const late = () => {
    const clock = new virtual.VirtualClock()
    const set = clock.unsafeSchedule.bind(clock)
    clock.unsafeSchedule = (task, duration) => set(task, Duration.sum(duration, "50 millis"))
    return clock
  }

  it("no attempt is made where a wait has taken all the time there was", async () => {
    const backoff = Backoff.constant({ delay: "980 millis", times: 3 })
    const ended = async (bound: "timeout" | "deadline") => {
      const budget = await Effect.runPromise(RetryBudget.make({ max: 5, minPerSecond: 0 }))
      // Its probe is the retry.
      const trip = CircuitBreaker.consecutive(1)
      const breaker = await Effect.runPromise(
        CircuitBreaker.make({ key: "a", trip, openFor: "980 millis", jitter: 0 })
      )
      const [a, b] = [scripted([retryable]), scripted([{ ok: "b" }])]
      const first = tier("a", a, { backoff, budget, breaker, ...(bound === "timeout" && { timeout: 1000 }) })
      const whole = first.pipe(
        Fallback.orElse(tier("b", b)),
        Fallback.within(bound === "deadline" ? 1000 : 9000)
      )
      const { elapsed, exit } = await virtual.run(whole, { clock: late() })
      assert(exit !== undefined)
      const error = Exit.isFailure(exit) ? errorOf(exit) : undefined
      return {
        answer: Exit.getOrElse(exit, () => error?._tag === "AllTiersFailed" && error.reason),
        calls: [a.calls, b.calls],
        elapsed,
        left: await Effect.runPromise(budget.balance),
        state: await Effect.runPromise(breaker.state)
      }
    }
    assert.deepNestedInclude(await ended("timeout"), {
      answer: "b",
      calls: [[0], [1030]],
      elapsed: 1030,
      left: 5,
      "state._tag": "HalfOpen",
      "state.probes": []
    })
    assert.deepNestedInclude(await ended("deadline"), {
      answer: "deadline",
      calls: [[0], []],
      elapsed: 1030,
      left: 5,
      "state._tag": "HalfOpen",
      "state.probes": []
    })
  })

  it.effect(
    "bounds hold from when a tier is asked for, however long its breaker takes to let it through",
    () =>
      Effect.gen(function* () {
        const asked = (seconds: number, options: { readonly timeout?: Duration.DurationInput }) =>
          Effect.gen(function* () {
            let state: CircuitBreaker.State = CircuitBreaker.initial
            let wait = Duration.seconds(seconds)
            const modify: CircuitBreaker.Store["modify"] = (_, f) =>
              Effect.suspend(() => {
                const [value, next] = f(state)
                state = next
                const told = Effect.delay(Effect.succeed(value), wait)
                wait = Duration.zero
                return told
              })
            const breaker = yield* CircuitBreaker.make({ key: "a", store: { modify } })
            const a = scripted(["hang"])
            const whole = tier("a", a, { breaker, ...options }).pipe(
              Fallback.orElse(tier("b", scripted([{ ok: "b" }]))),
              Fallback.within("5 seconds")
            )
            const { effect, events } = recorded(whole)
            const start = yield* Deadline.now
            const { elapsed, exit } = yield* timed(effect)
            const attempts = events.flatMap((event) =>
              event._tag === "AttemptEnded" ? Duration.toMillis(event.attempt.duration) : []
            )
            return [Exit.isSuccess(exit), elapsed, a.calls.map((at) => at - start), attempts]
          })
        assert.deepStrictEqual(yield* asked(2, {}), [false, 5000, [2000], [3000]])
        assert.deepStrictEqual(yield* asked(2, { timeout: "3 seconds" }), [true, 3000, [2000], [1000, 0]])
        assert.deepStrictEqual(yield* asked(2, { timeout: "1 seconds" }), [true, 2000, [], [0]])
        assert.deepStrictEqual(yield* asked(6, {}), [false, 6000, [], []])
      })
  )
})
