import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Stream, TestClock } from "effect"
import { Attempt, Backoff, CircuitBreaker, Fallback, FallbackStream, Health, Tier } from "../src/index.ts"
import { underClock, window } from "./healthModel.ts"
import { callersFault, classify, nextTier, retryable, scripted, tier } from "./scripted.ts"

describe("Health", () => {
  const ask = (health: Health.Health, fallback: Fallback.Fallback<string, unknown, never>) =>
    Effect.exit(Effect.provideService(fallback, Attempt.Listener, health.listener))

  const ratesOf = (snapshot: Health.Snapshot) =>
    Object.fromEntries(snapshot.tiers.map(({ due, served, tier }) => [tier, `${served}/${due}`]))

  it.effect(
    "a retried attempt is no run of its own, and a refusal by an open breaker counts against the tier",
    () =>
      Effect.gen(function* () {
        const health = yield* Health.make()
        const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(3) })
        const a = scripted([retryable, { ok: "a" }, retryable])
        const run = Tier.make({
          name: "a",
          effect: a.effect,
          classify,
          breaker,
          backoff: Backoff.constant({ delay: 0, times: 1 })
        }).pipe(
          Fallback.orElse(Tier.make({ name: "b", effect: Effect.succeed("b"), labels: { model: "small" } })),
          Fallback.named("chat")
        )
        // Served at the second attempt; missed after two; missed after one, the breaker being open; refused.
        for (let call = 0; call < 4; call++) yield* ask(health, run)
        const snapshot = yield* health.snapshot
        assert.deepStrictEqual(ratesOf(snapshot), { a: "1/4", b: "3/3" })
        const [chat] = snapshot.runs
        assert.deepStrictEqual(
          [chat?.run, chat?.served, chat?.fallbacks, chat?.fallbackRate],
          ["chat", 4, 3, 0.75]
        )
        assert.deepStrictEqual(
          snapshot.models.map(({ fallbackRate, model }) => [model, fallbackRate]),
          [["small", 0.75]]
        )
      })
  )

  it.effect(
    "a caller's mistake or leaving counts for neither side, though a tier that gave up before has missed",
    () =>
      Effect.gen(function* () {
        const health = yield* Health.make()
        const below = (last: Effect.Effect<string, unknown>) =>
          tier("a", scripted([nextTier])).pipe(
            Fallback.orElse(Tier.make({ name: "b", effect: last, classify: classify as never }))
          )
        yield* ask(health, below(scripted([callersFault]).effect))
        const leaving = yield* Effect.fork(ask(health, below(Effect.never)))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(leaving)
        const snapshot = yield* health.snapshot
        assert.deepStrictEqual(ratesOf(snapshot), { a: "0/2" })
        assert.deepStrictEqual(
          snapshot.runs.map(({ due, successRate }) => [due, successRate]),
          [[0, undefined]]
        )
      })
  )

  it.effect("a tier that ran out of its time has missed, whichever bound it was", () =>
    Effect.gen(function* () {
      const health = yield* Health.make()
      const hung = { name: "a", effect: Effect.never }
      const runs = [
        Tier.make({ ...hung, attemptTimeout: "1 second" }),
        Tier.make({ ...hung, timeout: "1 second" }),
        Tier.make(hung).pipe(Fallback.within("1 second"))
      ]
      for (const run of runs) {
        yield* Effect.fork(ask(health, run))
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(ratesOf(yield* health.snapshot), { a: "0/3" })
    })
  )

  it.effect(
    "the latency of a stream is that of its first content, and one that breaks off was not served",
    () =>
      Effect.gen(function* () {
        const health = yield* Health.make()
        const stream = (end: Stream.Stream<string, string>) =>
          FallbackStream.tier({
            name: "a",
            stream: Stream.concat(Stream.fromEffect(Effect.delay(Effect.succeed("Hi"), "2 seconds")), end)
          }).pipe(Stream.runDrain, Effect.exit, Effect.provideService(Attempt.Listener, health.listener))
        for (const end of [
          Stream.fromEffect(Effect.delay(Effect.succeed("!"), "1 minute")),
          Stream.fail("reset")
        ]) {
          yield* Effect.fork(stream(end))
          yield* TestClock.adjust("62 seconds")
        }
        const [a] = (yield* health.snapshot).tiers
        assert.deepStrictEqual([a?.due, a?.served], [2, 1])
        assert.closeTo(Duration.toMillis(a?.latency?.p50 ?? 0), 2_000, 20)
      })
  )

  it.effect("the alert waits for its sample, and clears only when things are clearly better", () =>
    Effect.gen(function* () {
      const alert = Health.alert({ tier: "a", successBelow: 0.8, over: "1 minute", atLeast: 10 })
      const health = yield* Health.make({ alerts: [alert] })
      const served = Tier.make({ name: "a", effect: Effect.succeed("a") })
      const missed = Tier.make({ name: "a", effect: Effect.fail("down") })
      const after = (run: typeof served | typeof missed, times: number) =>
        Effect.gen(function* () {
          for (let call = 0; call < times; call++) yield* ask(health, run)
          return (yield* health.alerts)[0]
        })
      assert.isFalse((yield* after(missed, 9))?.firing)
      assert.isTrue((yield* after(missed, 1))?.firing)
      // 40 of 50 is not below, 80 of 90 not clearly above, 90 of 100 is.
      assert.isTrue((yield* after(served, 40))?.firing)
      assert.isTrue((yield* after(served, 49))?.firing)
      const cleared = yield* after(served, 1)
      assert.deepStrictEqual(cleared, { alert, firing: false, due: 100, served: 90, successRate: 0.9 })
      assert.isFalse((yield* after(missed, 10))?.firing)
      assert.isTrue((yield* after(missed, 5))?.firing)
      yield* TestClock.adjust("50 seconds")
      assert.isTrue((yield* health.alerts)[0]?.firing)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual((yield* health.alerts)[0], {
        alert,
        firing: false,
        due: 0,
        served: 0,
        successRate: undefined
      })
    })
  )

  it.effect("an alert forgets slice by slice", () =>
    Effect.gen(function* () {
      const alert = Health.alert({ tier: "a", over: "1 minute", atLeast: 1 })
      const health = yield* Health.make({ alerts: [alert] })
      const status = Effect.map(health.alerts, ([status]) => [status?.firing, status?.served, status?.due])
      yield* ask(health, Tier.make({ name: "a", effect: Effect.fail("down") }))
      yield* TestClock.adjust("30 seconds")
      yield* ask(health, Tier.make({ name: "a", effect: Effect.succeed("a") }))
      assert.deepStrictEqual(yield* status, [true, 1, 2])
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* status, [false, 1, 1])
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* status, [false, 0, 0])
    })
  )

  it.each([
    ["tiers", { _tag: "TierRefused", refusal: { tier: "a", labels: {}, retryAfter: Duration.zero } }],
    [
      "runs",
      {
        _tag: "RunEnded",
        outcome: "success",
        servedBy: "a",
        labels: {},
        fallback: false,
        fallbackReason: undefined,
        errorType: undefined,
        attempts: 1,
        duration: Duration.zero,
        span: undefined
      }
    ]
  ] as const)("what it keeps of %s is bounded, whatever it is told", (what, event) => {
    const health = underClock()
    const hear = (run: string) => health.hear({ after: 0, event: { ...event, run } })
    for (let run = 0; run < 1_500; run++) hear(`run ${run}`)
    assert.deepStrictEqual([health.snapshot()[what].length, health.snapshot().uncounted], [1_000, 500])
    hear("run 1")
    assert.strictEqual(health.snapshot().uncounted, 500)
    health.wait(window)
    assert.strictEqual(health.snapshot()[what].length, 0)
    hear("new")
    assert.deepStrictEqual(
      health.snapshot()[what].map(({ run }) => run),
      ["new"]
    )
  })

  it("options out of range are refused with their name", () => {
    assert.throws(
      () => Health.make({ over: 0 }),
      "Health: over must be finite and longer than nothing, got 0"
    )
    assert.throws(() => Health.make({ over: "Infinity" as never }), /./)
    assert.throws(
      () => Health.alert({ tier: "a", over: Duration.infinity }),
      /Health.alert: over must be finite/
    )
    assert.throws(
      () => Health.alert({ tier: "a", successBelow: 1.1 }),
      /successBelow must be between 0 and 1/
    )
    assert.throws(
      () => Health.alert({ tier: "a", atLeast: 0 }),
      /atLeast must be an integer of 1 or more, got 0/
    )
  })
})
