import { getEventListeners } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Random, TestClock } from "effect"
import { Backoff, CircuitBreaker, Fallback, Outcome, Tier } from "../src/index.ts"
import * as virtual from "./laws/virtual.ts"
import { type Act, recorded, retryable, scripted, tier, timed } from "./scripted.ts"

const second = (times: number) => Backoff.constant({ delay: "1 second", times })

const standby = () => tier("standby", scripted([{ ok: "standby" }]))

const asks = (wait: Duration.DurationInput): Act => ({
  fail: Outcome.failure({ errorType: "rate_limited", retryAfter: Duration.decode(wait) })
})

// Each bug of a peer as the test that it would have failed.
describe("what went wrong in others: retries", () => {
  it("Polly#2163, Polly.Contrib.WaitAndRetry#24: after so many retries the wait is negative", () => {
    for (const jitter of ["none", "full", "equal", "decorrelated"] as const) {
      const backoff = Backoff.exponential({ base: "2 seconds", max: "30 seconds", jitter })
      let previous = backoff.base
      for (const retry of [50, 1023, 1024, 1025, 1026, 1_000_000]) {
        const wait = Backoff.delay(backoff, retry, previous).pipe(Effect.withRandom(Random.make(retry)))
        previous = Effect.runSync(wait)
        assert.isAbove(Duration.toMillis(previous), 0)
        assert.isAtMost(Duration.toMillis(previous), 30_000)
      }
    }
  })

  it("Polly#1866, #2163: it waits for ever then, or no more at all", async () => {
    const a = scripted([retryable])
    const backoff = Backoff.exponential({ times: 1_100, base: "2 seconds", max: "5 minutes", jitter: "none" })
    const { exit } = await virtual.run(tier("a", a, { backoff }), { clock: new virtual.VirtualClock() })
    assert.isDefined(exit)
    assert.strictEqual((a.calls.at(-1) ?? 0) - (a.calls.at(-101) ?? 0), 100 * 300_000)
  })

  it.effect("cockatiel: without jitter the exponent is ignored", () =>
    Effect.gen(function* () {
      const a = scripted([retryable])
      const backoff = Backoff.exponential({
        times: 3,
        base: "1 second",
        factor: 3,
        max: "1 hour",
        jitter: "none"
      })
      yield* timed(tier("a", a, { backoff }))
      assert.deepStrictEqual(a.calls, [0, 1000, 4000, 13_000])
    })
  )

  it("cockatiel#81: every retry under a timeout leaves a listener on the caller's signal", async () => {
    const { signal } = new AbortController()
    const clock = new virtual.SchedulingClock()
    const left: Array<readonly [listeners: number, timers: number]> = []
    const effect = Effect.suspend(() => {
      left.push([getEventListeners(signal, "abort").length, clock.pending])
      return Effect.zipRight(Effect.yieldNow(), Effect.fail("down"))
    })
    const backoff = Backoff.constant({ delay: 0, times: 15 })
    const run = Tier.make({ name: "a", effect, backoff, attemptTimeout: "1 second" })
    await Effect.runPromiseExit(Effect.withClock(run, clock), { signal })
    assert.lengthOf(left, 16)
    assert.isTrue(left.every(([listeners, timers]) => listeners <= 1 && timers === 0))
    assert.deepStrictEqual([getEventListeners(signal, "abort").length, clock.pending], [0, 0])
  })

  it("cockatiel, vercel/ai#7656: a caller that leaves during a wait has to sit it out", async () => {
    const a = scripted([asks("3 seconds")])
    const clock = new virtual.VirtualClock()
    const run = tier("a", a, { backoff: second(5) })
    const { elapsed, exit } = await virtual.run(run, { clock, interruptAt: 1_000 })
    assert.isTrue(exit !== undefined && Exit.isInterrupted(exit))
    assert.deepStrictEqual([elapsed, clock.pending, a.calls], [1_000, 0, [0]])
  })

  it.effect("openai-agents-python#3266, azure-sdk-for-net#44222: a Retry-After of days is waited out", () =>
    Effect.gen(function* () {
      const run = tier("a", scripted([asks("114 hours")]), { backoff: second(2) })
      const { elapsed, exit } = yield* timed(run.pipe(Fallback.orElse(standby())), "1 day")
      assert.deepStrictEqual([exit, elapsed], [Exit.succeed("standby"), 0])
      const alone = yield* Effect.flip(run)
      assert(alone._tag === "AllTiersFailed")
      assert.deepStrictEqual(alone.retryAfter, Duration.hours(114))
    })
  )

  it.effect(
    "aisix#46: a rate limit ends the call where another provider could answer, and again and again",
    () =>
      Effect.gen(function* () {
        const a = scripted([asks("30 seconds")])
        const breaker = yield* CircuitBreaker.make({ key: "a", jitter: 0 })
        const run = tier("a", a, { breaker, backoff: second(2) }).pipe(Fallback.orElse(standby()))
        assert.deepStrictEqual(yield* Effect.replicateEffect(run, 3), ["standby", "standby", "standby"])
        yield* TestClock.adjust("30 seconds")
        yield* run
        assert.deepStrictEqual(a.calls, [0, 30_000])
      })
  )
})

describe("what went wrong in others: the order of things", () => {
  it.effect(
    "resilience4j#558, #593: the fallback answers for the first failure, and nothing is retried",
    () =>
      Effect.gen(function* () {
        const a = scripted([retryable])
        const breaker = yield* CircuitBreaker.make({ key: "a" })
        const { exit } = yield* timed(
          tier("a", a, { breaker, backoff: second(2) }).pipe(Fallback.orElse(standby()))
        )
        assert.deepStrictEqual([a.calls, exit], [[0, 1000, 2000], Exit.succeed("standby")])
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutive: 3 })
      })
  )

  it.effect("Failsafe#234: a timeout around retries is over, and the retries go on", () =>
    Effect.gen(function* () {
      const slow = () => scripted([{ fail: Outcome.failure(), after: "400 millis" }])
      const [byTier, byRun] = [slow(), slow()]
      const backoff = Backoff.constant({ delay: 0, times: 20 })
      yield* timed(
        Effect.all(
          [
            Effect.exit(tier("a", byTier, { backoff, timeout: "500 millis" })),
            Effect.exit(tier("a", byRun, { backoff }).pipe(Fallback.within("500 millis")))
          ],
          { concurrency: 2 }
        )
      )
      for (const { calls, interrupted } of [byTier, byRun]) {
        assert.deepStrictEqual([calls, interrupted], [[0, 400], [500]])
      }
    })
  )

  it.effect("zio-openfeature#263: a timeout leaves the call running", () =>
    Effect.gen(function* () {
      const a = scripted(["hang"])
      yield* timed(tier("a", a, { attemptTimeout: "1 second", backoff: second(1), retryTimeouts: true }))
      assert.deepStrictEqual(
        [a.calls, a.interrupted],
        [
          [0, 2000],
          [1000, 3000]
        ]
      )
    })
  )
})

describe("what went wrong in others: one call's end is another's", () => {
  it.effect("opossum#780: the timeout of one call aborts every call of its breaker", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "a" })
      const a = scripted(["hang", { ok: "a", after: "9 seconds" }])
      const run = tier("a", a, { breaker, attemptTimeout: "10 seconds" })
      const { exit } = yield* timed(
        Effect.all([Effect.exit(run), Effect.delay(run, "5 seconds")], { concurrency: 2 })
      )
      const [, second] = yield* exit
      assert.deepStrictEqual([second, a.interrupted], ["a", [10_000]])
    })
  )

  it.effect("opossum#861: after one timeout every later call is aborted before it begins", () =>
    Effect.gen(function* () {
      const aborted: Array<boolean> = []
      const effect = Effect.tryPromise({
        try: (signal) => {
          aborted.push(signal.aborted)
          return aborted.length === 1 ? new Promise<string>(() => {}) : Promise.resolve("a")
        },
        catch: () => "aborted"
      })
      const run = Tier.make({
        name: "a",
        effect,
        attemptTimeout: "1 second",
        backoff: second(1),
        retryTimeouts: true
      })
      assert.deepStrictEqual((yield* timed(run)).exit, Exit.succeed("a"))
      assert.strictEqual(yield* run, "a")
      assert.deepStrictEqual(aborted, [false, false, false])
    })
  )

  it.effect(
    "OmniRoute#7907: a client that leaves becomes an error of the provider, and others are asked",
    () =>
      Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(1) })
        const b = scripted([{ ok: "b" }])
        const { effect, events } = recorded(
          tier("a", scripted(["hang"]), { breaker, backoff: second(2) }).pipe(Fallback.orElse(tier("b", b)))
        )
        const clients = yield* Effect.forkAll(Effect.replicate(effect, 10))
        yield* TestClock.adjust("1 second")
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(clients)))
        assert.deepStrictEqual([yield* breaker.state, b.calls], [CircuitBreaker.initial, []])
        const ended = events.flatMap((event) => (event._tag === "RunEnded" ? event.outcome : []))
        assert.deepStrictEqual(ended, Array(10).fill("cancelled"))
      })
  )
})
