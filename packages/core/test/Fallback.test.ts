import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, FiberRef, Schedule, TestClock } from "effect"
import { Attempt, Backoff, CircuitBreaker, Fallback, Outcome, Tier } from "../src/index.ts"
import {
  type Act,
  callersFault,
  endings,
  errorOf,
  nextTier,
  Refused,
  recorded,
  retryable,
  scripted,
  tier,
  timed
} from "./scripted.ts"

const retries = (times: number) => Backoff.constant({ delay: "1 second", times })

describe("Fallback", () => {
  it.effect("the first tier's answer is the run's, and no other tier is touched", () =>
    Effect.gen(function* () {
      const [a, b] = [scripted([{ ok: "a" }]), scripted([{ ok: "b" }])]
      assert.strictEqual(yield* tier("a", a).pipe(Fallback.orElse(tier("b", b))), "a")
      assert.deepStrictEqual([a.calls.length, b.calls.length], [1, 0])
    })
  )

  it.effect("retries wait, the next tier does not", () =>
    Effect.gen(function* () {
      const [a, b] = [scripted([retryable]), scripted([nextTier])]
      const c = scripted([{ ok: "c" }])
      const run = tier("a", a, { backoff: retries(2) }).pipe(
        Fallback.orElse(tier("b", b, { backoff: retries(5) })),
        Fallback.orElse(tier("c", c, { backoff: retries(5) }))
      )
      const { exit, elapsed } = yield* timed(run)
      assert.deepStrictEqual(exit, Exit.succeed("c"))
      assert.deepStrictEqual([a.calls, b.calls, c.calls], [[0, 1000, 2000], [2000], [2000]])
      assert.strictEqual(elapsed, 2000)
    })
  )

  it.effect("an outcome that aborts is the caller's to see, and asks nobody else", () =>
    Effect.gen(function* () {
      const [a, b] = [scripted([callersFault]), scripted([{ ok: "b" }])]
      const error = yield* Effect.flip(
        tier("a", a, { backoff: retries(3) }).pipe(Fallback.orElse(tier("b", b)))
      )
      assert.strictEqual(error._tag, "Refused")
      assert.deepStrictEqual([a.calls.length, b.calls.length], [1, 0])
    })
  )

  it.effect(
    "an ignored answer that is worth a retry waits as a failure does, and the breaker stays closed",
    () =>
      Effect.gen(function* () {
        const useless: Act = { fail: Outcome.ignored({ next: "retry", errorType: "invalid_output" }) }
        const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(1) })
        const [a, b] = [scripted([useless]), scripted([{ ok: "b" }])]
        const run = tier("a", a, { backoff: retries(2), breaker }).pipe(Fallback.orElse(tier("b", b)))
        const { exit } = yield* timed(run)
        assert.deepStrictEqual(exit, Exit.succeed("b"))
        assert.deepStrictEqual([a.calls, b.calls], [[0, 1000, 2000], [2000]])
        assert.strictEqual((yield* breaker.state)._tag, "Closed")
      })
  )

  it.effect("what attempts are mapped to is judged, retried and bounded as the attempt itself", () =>
    Effect.gen(function* () {
      const [a, b] = [scripted([{ ok: "a" }]), scripted([{ ok: "b" }])]
      const checked = tier("a", a, { backoff: retries(1), timeout: "11 seconds" }).pipe(
        Fallback.orElse(tier("b", b)),
        Fallback.mapAttempts(
          Effect.flatMap((answer) =>
            answer === "b"
              ? Effect.succeed(answer.length)
              : a.calls.length === 1
                ? Effect.fail(new Refused({ outcome: Outcome.failure() }))
                : Effect.never
          )
        )
      )
      const { exit } = yield* timed(checked)
      assert.deepStrictEqual(exit, Exit.succeed(1))
      assert.deepStrictEqual([a.calls, b.calls], [[0, 1000], [11_000]])
    })
  )

  it.effect("AllTiersFailed carries every attempt in order with its cause, and the soonest retry-after", () =>
    Effect.gen(function* () {
      const hint = (seconds: number): Act => ({
        fail: Outcome.failure({ next: "nextTier", retryAfter: Duration.seconds(seconds) })
      })
      const run = tier("a", scripted([retryable, hint(4)]), { backoff: retries(3) }).pipe(
        Fallback.orElse(tier("b", scripted([hint(3)])))
      )
      const { exit } = yield* timed(run)
      const error = errorOf(exit)
      assert(error._tag === "AllTiersFailed")
      assert.strictEqual(error.reason, "failed")
      assert.deepStrictEqual(
        error.attempts.map(({ tier, number, next }) => [tier, number, next]),
        [
          ["a", 1, "retry"],
          ["a", 2, "nextTier"],
          ["b", 1, "nextTier"]
        ]
      )
      assert.isTrue(error.attempts.every(({ cause }) => cause !== undefined && Cause.isFailType(cause)))
      assert.strictEqual(Duration.toSeconds(error.retryAfter ?? 0), 3)
    })
  )

  it.effect("a single tier without retries is the effect itself", () =>
    Effect.gen(function* () {
      class Greeting extends Context.Tag("Greeting")<Greeting, string>() {}
      const ref = FiberRef.unsafeMake(0)
      const alone = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        Effect.exit(Tier.make({ name: "only", effect }))
      assert.deepStrictEqual(yield* alone(Effect.fail("own")), Exit.fail("own"))
      assert.deepStrictEqual(yield* alone(Effect.die("bug")), Exit.die("bug"))
      assert.isTrue(Exit.isInterrupted(yield* alone(Effect.interrupt)))
      const exit = yield* Effect.provideService(alone(Greeting), Greeting, "hello")
      assert.deepStrictEqual(exit, Exit.succeed("hello"))
      yield* Tier.make({ name: "only", effect: FiberRef.set(ref, 7), attemptTimeout: "1 second" })
      assert.strictEqual(yield* FiberRef.get(ref), 7)
    })
  )

  it.effect("a defect aborts the run and counts against the breaker", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(1) })
      const b = scripted([{ ok: "b" }])
      const exit = yield* Effect.exit(
        tier("a", scripted([{ die: "bug" }]), { breaker, backoff: retries(2) }).pipe(
          Fallback.orElse(tier("b", b))
        )
      )
      assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      assert.strictEqual((yield* breaker.state)._tag, "Open")
      assert.strictEqual(b.calls.length, 0)
    })
  )

  it.effect(
    "so does what classify throws: the probe's place is given back, and the run is told to its end",
    () =>
      Effect.gen(function* () {
        const options = { trip: CircuitBreaker.consecutive(1), openFor: "1 second", jitter: 0 } as const
        const breaker = yield* CircuitBreaker.make({ key: "a", ...options })
        yield* breaker.trip()
        yield* TestClock.adjust("1 second")
        const bug = new Error("bug")
        const classify = () => {
          throw bug
        }
        const { effect, events } = recorded(tier("a", scripted([retryable]), { breaker, classify }))
        assert.deepStrictEqual(yield* Effect.exit(effect), Exit.die(bug))
        assert.deepStrictEqual(endings(events), [
          "BreakerChanged",
          "BreakerChanged",
          "failure",
          "TierEnded",
          "failure"
        ])
        const end = events.at(-1)
        assert.strictEqual(end?._tag === "RunEnded" && end.errorType, "defect")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* tier("a", scripted([{ ok: "a" }]), { breaker }), "a")
      })
  )

  it.effect("a schedule that dies ends a run that is told to its end, too", () =>
    Effect.gen(function* () {
      const schedule = Schedule.mapEffect(Schedule.forever, () => Effect.die("bug"))
      const a = tier("a", scripted([retryable]), { backoff: Backoff.fromSchedule(schedule) })
      const { effect, events } = recorded(a.pipe(Fallback.orElse(tier("b", scripted([{ ok: "b" }])))))
      assert.deepStrictEqual(yield* Effect.exit(effect), Exit.die("bug"))
      assert.deepStrictEqual(endings(events), ["failure", "TierEnded", "failure"])
    })
  )

  it.effect("a tier's error may have the name of what bounds it, and is told as its failure", () =>
    Effect.gen(function* () {
      for (const _tag of ["timeout", "deadline", "interrupted"]) {
        const fails = Tier.make({ name: "a", effect: Effect.fail({ _tag }) })
        const { effect, events } = recorded(fails.pipe(Fallback.orElse(tier("b", scripted([{ ok: "b" }])))))
        yield* effect
        assert.deepStrictEqual(endings(events), ["failure", "TierEnded", "success", "TierEnded", "success"])
        const end = events.at(-1)
        assert.strictEqual(end?._tag === "RunEnded" && end.fallbackReason, _tag)
      }
    })
  )

  it.effect("grouping changes neither attempts nor times", () =>
    Effect.gen(function* () {
      const make = () => [scripted([retryable]), scripted([nextTier]), scripted([{ ok: "c" }])] as const
      const [l, r] = [make(), make()]
      const rungs = (s: ReturnType<typeof make>) =>
        [tier("a", s[0], { backoff: retries(1) }), tier("b", s[1]), tier("c", s[2])] as const
      const [a1, b1, c1] = rungs(l)
      const [a2, b2, c2] = rungs(r)
      const left = yield* timed(Fallback.served(Fallback.orElse(Fallback.orElse(a1, b1), c1)))
      const right = yield* timed(Fallback.served(Fallback.orElse(a2, Fallback.orElse(b2, c2))))
      const shape = (exit: typeof left.exit) =>
        Exit.map(exit, ({ value, tier, attempts }) => [value, tier, attempts.map((x) => [x.tier, x.outcome])])
      assert.deepStrictEqual(shape(left.exit), shape(right.exit))
      assert.strictEqual(left.elapsed, right.elapsed)
    })
  )

  it.effect("a listener of its own hears the run in place of the one around it", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const around: Array<string> = []
      const down = tier("p", scripted([nextTier]))
      const heardBy = (listener?: (event: Attempt.Event) => void) =>
        Effect.exit(
          Effect.provideService(Fallback.served(down, { listener }), Attempt.Listener, ({ _tag }) =>
            around.push(_tag)
          )
        )
      yield* heardBy(({ _tag, run }) => heard.push(`${run} ${_tag}`))
      assert.deepStrictEqual([heard, around], [["p AttemptEnded", "p TierEnded", "p RunEnded"], []])
      yield* heardBy()
      assert.deepStrictEqual([heard.length, around], [3, ["AttemptEnded", "TierEnded", "RunEnded"]])
    })
  )
})

describe("breaker in a run", () => {
  it.effect("five failures open it; the tier is left alone until its time; one of 50 probes", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "a", openFor: "20 seconds", jitter: 0 })
      const a = scripted([nextTier, nextTier, nextTier, nextTier, nextTier, { ok: "a", after: "1 second" }])
      const b = scripted([{ ok: "b" }])
      const run = tier("a", a, { breaker }).pipe(Fallback.orElse(tier("b", b)))
      yield* Effect.replicateEffect(run, 7)
      assert.deepStrictEqual([a.calls.length, b.calls.length], [5, 7])
      yield* TestClock.adjust("19999 millis")
      yield* run
      assert.strictEqual(a.calls.length, 5)
      yield* TestClock.adjust("1 millis")
      const { exit } = yield* timed(
        Effect.all(Effect.replicate(run, 50), { concurrency: "unbounded" }),
        "2 seconds"
      )
      assert.strictEqual(a.calls.length, 6)
      assert.deepStrictEqual(
        Exit.map(exit, (answers) => answers.filter((x) => x === "a").length),
        Exit.succeed(1)
      )
      assert.strictEqual((yield* breaker.state)._tag, "Closed")
    })
  )

  it.effect("every tier open fails at once and says when to come back", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "k", trip: CircuitBreaker.consecutive(1), jitter: 0 })
      const run = tier("a", scripted([nextTier]), { breaker })
      yield* Effect.exit(run)
      const error = yield* Effect.flip(run)
      assert(error._tag === "AllTiersFailed")
      assert.deepStrictEqual([error.reason, error.attempts.length], ["open", 0])
      assert.strictEqual(Duration.toSeconds(error.retryAfter ?? 0), 20)
    })
  )

  it.effect("a breaker that opens stops the retries of runs already under way", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(2) })
      const a = scripted([retryable])
      const run = tier("a", a, { breaker, backoff: retries(5) }).pipe(
        Fallback.orElse(tier("b", scripted([{ ok: "b" }])))
      )
      const { exit, elapsed } = yield* timed(run)
      assert.deepStrictEqual([exit, elapsed, a.calls], [Exit.succeed("b"), 1000, [0, 1000]])
    })
  )
})

describe("a caller that leaves", () => {
  it.effect("stops the attempt, starts nothing and moves no breaker", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(1) })
      const [a, b] = [scripted(["hang"]), scripted([{ ok: "b" }])]
      const { effect, events } = recorded(
        tier("a", a, { breaker, attemptTimeout: "1 minute" }).pipe(Fallback.orElse(tier("b", b)))
      )
      const fiber = yield* Effect.fork(effect)
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual([a.calls, a.interrupted, b.calls], [[0], [1000], []])
      assert.deepInclude(yield* breaker.state, { _tag: "Closed", epoch: 0 })
      assert.deepStrictEqual(endings(events), ["interrupted", "TierEnded", "cancelled"])
    })
  )

  it.effect("while it waits, and while it probes: the probe's place is given back", () =>
    Effect.gen(function* () {
      const a = scripted([retryable])
      const waiting = yield* Effect.fork(
        tier("a", a, { backoff: Backoff.constant({ delay: "1 second", times: 3 }) })
      )
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(a.calls.length, 1)

      const breaker = yield* CircuitBreaker.make({
        key: "p",
        trip: CircuitBreaker.consecutive(1),
        openFor: "1 second",
        jitter: 0
      })
      const p = scripted([nextTier, "hang", { ok: "well" }])
      const run = tier("p", p, { breaker })
      yield* Effect.exit(run)
      yield* TestClock.adjust("1 second")
      const probing = yield* Effect.fork(run)
      yield* TestClock.adjust("1 second")
      const refused = yield* Effect.flip(run)
      assert.strictEqual(refused._tag === "AllTiersFailed" && refused.reason, "open")
      yield* Fiber.interrupt(probing)
      assert.strictEqual(yield* run, "well")
    })
  )
})
