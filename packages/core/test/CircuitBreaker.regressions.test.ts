import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Exit, Fiber, Stream, TestClock } from "effect"
import { CircuitBreaker, Outcome } from "../src/index.ts"
import { begun, down, opened, options, tagOf } from "./breakers.ts"

const { execute } = CircuitBreaker

// Each bug of a peer as the test that it would have failed.
describe("what went wrong in others: breakers", () => {
  it.effect("Polly (main): a timeout around the breaker is recorded as a success", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ ...options, trip: CircuitBreaker.consecutive(2) })
      yield* Effect.ignore(execute(down, breaker))
      const outside = yield* Effect.fork(Effect.timeout(execute(Effect.never, breaker), "1 second"))
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(outside)
      assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutive: 1 })
      const inside = yield* Effect.fork(execute(Effect.timeout(Effect.never, "1 second"), breaker))
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(inside)
      assert.strictEqual(yield* tagOf(breaker), "Open")
    })
  )

  it.effect(
    "Polly#216, #218: calls that began before it opened extend the break, or end it, or break again",
    () =>
      Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make(options)
        const [first, failing, succeeding] = yield* Effect.all([
          begun(breaker),
          begun(breaker),
          begun(breaker)
        ])
        const transitions = [yield* breaker.report(first, Outcome.failure())]
        const until = CircuitBreaker.notBefore(yield* breaker.state)
        yield* TestClock.adjust("5 seconds")
        transitions.push(yield* breaker.report(failing, Outcome.failure()))
        assert.strictEqual(CircuitBreaker.notBefore(yield* breaker.state), until)
        yield* TestClock.adjust("5 seconds")
        const probe = yield* begun(breaker)
        transitions.push(yield* breaker.report(succeeding, Outcome.success))
        assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", late: 2, successes: [] })
        transitions.push(yield* breaker.report(probe, Outcome.success))
        assert.deepStrictEqual(
          transitions.map((transition) => transition?.to),
          ["Open", undefined, undefined, "Closed"]
        )
      })
  )

  it("Polly#1866: the longest open time is lost when the growth overflows", () => {
    for (const openFor of [0, 20_000]) {
      const config = CircuitBreaker.config({ ...options, openFor, factor: 10, maxOpenFor: "5 minutes" })
      let state: CircuitBreaker.State = CircuitBreaker.initial
      for (let opening = 1; opening <= 2_000; opening++) {
        const now = CircuitBreaker.notBefore(state)
        const [{ permit }, probing] = CircuitBreaker.step(config, state, { _tag: "Admit", now })
        const report = {
          _tag: "Report",
          now,
          permit: permit!,
          outcome: Outcome.failure(),
          random: 0
        } as const
        state = CircuitBreaker.step(config, probing, report)[1]
        assert.strictEqual(state._tag, "Open")
        const lasts = CircuitBreaker.notBefore(state) - now
        assert.strictEqual(lasts, openFor === 0 ? 0 : Math.min(300_000, 20_000 * 10 ** (opening - 1)))
      }
    }
  })

  it.effect(
    "resilience4j#2038, #2093: open for hours because its scheduler died, or a stack overflow instead",
    () =>
      Effect.gen(function* () {
        const breaker = yield* opened()
        // Nothing waits for the time to pass: whoever asks notices that it has.
        assert.strictEqual((yield* TestClock.sleeps()).length, 0)
        yield* TestClock.adjust("1000 days")
        const config = { ...breaker.config, openFor: Duration.zero, lease: Duration.millis(1) }
        let state = yield* breaker.state
        for (let now = CircuitBreaker.notBefore(state); now < 20_000; now++) {
          // Each finds a probe whose lease is over, opens, and is half-open again in one go.
          const [{ permit }, next] = CircuitBreaker.step(config, state, { _tag: "Admit", now })
          assert.isDefined(permit)
          state = next
        }
        yield* execute(Effect.void, breaker)
        assert.strictEqual(yield* tagOf(breaker), "Closed")
      })
  )

  it.effect("resilience4j#734, #2334: the injected clock is ignored, a window of one call crashes", () =>
    Effect.gen(function* () {
      const trip = [
        CircuitBreaker.rate({ size: 1, threshold: 1 }),
        CircuitBreaker.rate({ window: "1 second", buckets: 1, minimumCalls: 2, threshold: 1 })
      ] as const
      const one = yield* CircuitBreaker.make({ ...options, trip: [trip[0]] })
      yield* execute(Effect.void, one)
      yield* Effect.ignore(execute(down, one))
      assert.strictEqual(yield* tagOf(one), "Open")
      const two = yield* CircuitBreaker.make({ ...options, trip: [trip[1]] })
      yield* Effect.ignore(execute(down, two))
      yield* TestClock.adjust("1 second")
      yield* Effect.ignore(execute(down, two))
      assert.strictEqual(yield* tagOf(two), "Closed")
      yield* Effect.ignore(execute(down, two))
      assert.strictEqual(yield* tagOf(two), "Open")
    })
  )

  it.effect("opossum#381: a success that was still under way closes it before its time", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(options)
      const pending = yield* begun(breaker)
      yield* Effect.ignore(execute(down, breaker))
      yield* breaker.report(pending, Outcome.success)
      assert.deepInclude(yield* breaker.state, { _tag: "Open", until: 10_000 })
    })
  )

  it.effect("cockatiel#64: failures of before an idle hour still count", () =>
    Effect.gen(function* () {
      const trip = CircuitBreaker.rate({ window: "10 seconds", minimumCalls: 4 })
      const breaker = yield* CircuitBreaker.make({ ...options, trip })
      yield* Effect.repeatN(Effect.ignore(execute(down, breaker)), 2)
      yield* TestClock.adjust("1 hour")
      yield* Effect.ignore(execute(down, breaker))
      const state = yield* breaker.state
      assert(state._tag === "Closed")
      assert.deepInclude(state.windows[0], { calls: 1, hits: 1 })
    })
  )

  it.effect(
    "gobreaker#91: a burst already under way goes on when it opens; what it says then is only late",
    () =>
      Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make(options)
        const failing = execute(Effect.zipRight(Effect.sleep("1 second"), down), breaker)
        const burst = yield* Effect.fork(
          Effect.all(Effect.replicate(Effect.exit(failing), 20), { concurrency: "unbounded" })
        )
        yield* TestClock.adjust("1 second")
        const exits = yield* burst
        assert.isTrue(exits.every((exit) => Exit.isFailure(exit) && Cause.isFailure(exit.cause)))
        assert.deepInclude(yield* breaker.state, { _tag: "Open", epoch: 1, late: 19, consecutiveOpenings: 1 })
      })
  )

  it.effect("gobreaker#30, #49: nobody can tell why the call was refused", () =>
    Effect.gen(function* () {
      const breaker = yield* opened()
      const refused = Effect.flip(breaker.admit)
      const open = yield* refused
      yield* TestClock.adjust("10 seconds")
      yield* begun(breaker)
      const halfOpen = yield* refused
      const isolated = yield* Effect.scoped(Effect.zipRight(breaker.isolate, refused))
      assert.deepStrictEqual(
        [open, halfOpen, isolated].map((error) => [error.message, Duration.toMillis(error.retryAfter)]),
        [
          ["circuit k is open", 10_000],
          ["circuit k is half-open and waits for its probe", 0],
          ["circuit k is isolated", 10_000]
        ]
      )
    })
  )

  it.effect(
    "envoy#26758, #6016: the time out does not grow, or grows beyond its most; old counters trip it again",
    () =>
      Effect.gen(function* () {
        const trip = [
          CircuitBreaker.consecutive(2),
          CircuitBreaker.rate({ size: 4, minimumCalls: 2 })
        ] as const
        const breaker = yield* CircuitBreaker.make({ ...options, trip, factor: 3, maxOpenFor: "40 seconds" })
        const fail = Effect.ignore(execute(down, breaker))
        yield* Effect.zipRight(fail, fail)
        const times: Array<number> = []
        for (let opening = 0; opening < 4; opening++) {
          const wait = CircuitBreaker.notBefore(yield* breaker.state) - (yield* Clock.currentTimeMillis)
          times.push(wait)
          yield* TestClock.adjust(wait)
          if (opening < 3) yield* fail
        }
        assert.deepStrictEqual(times, [10_000, 30_000, 40_000, 40_000])
        yield* execute(Effect.void, breaker)
        yield* fail
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutive: 1 })
      })
  )

  it.effect("openai-agents-python#3266: a Retry-After of days is obeyed", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ ...options, maxOpenFor: "1 minute" })
      const classify = () => Outcome.failure({ trip: true, retryAfter: Duration.days(4) })
      yield* Effect.exit(execute(down, breaker, { classify }))
      assert.strictEqual(CircuitBreaker.notBefore(yield* breaker.state), 60_000)
    })
  )

  it.effect("OmniRoute#7907: clients that leave open it", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(options)
      const calls = yield* Effect.forkAll(Effect.replicate(execute(Effect.never, breaker), 10))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(calls)
      assert.deepStrictEqual(yield* breaker.state, CircuitBreaker.initial)
    })
  )

  it.effect("zio-openfeature#263: a step of the wall clock moves the end of the open time", () =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const stepped: Clock.Clock = Object.assign(Object.create(clock), {
        unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
        unsafeCurrentTimeMillis: () => 10 ** 12,
        currentTimeMillis: Effect.succeed(10 ** 12)
      })
      const breaker = yield* opened()
      yield* TestClock.adjust("9 seconds")
      const { retryAfter } = yield* Effect.withClock(Effect.flip(breaker.admit), stepped)
      assert.strictEqual(Duration.toMillis(retryAfter), 1_000)
    })
  )

  it.effect("voidllm#184: a rate limit of one key closes the provider to all", () =>
    Effect.gen(function* () {
      const breakerOf = yield* CircuitBreaker.keyed(options)
      yield* Effect.ignore(execute(down, breakerOf("provider/key 1")))
      assert.strictEqual(yield* execute(Effect.succeed("answer"), breakerOf("provider/key 2")), "answer")
      assert.strictEqual(yield* tagOf(breakerOf("provider/key 1")), "Open")
    })
  )

  it.effect("Polly#217: the same opening is told many times", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(options)
      const heard: Array<string> = []
      const listener = yield* Effect.fork(
        Stream.runForEach(breaker.transitions, ({ from, to }) =>
          Effect.sync(() => heard.push(`${from} ${to}`))
        )
      )
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      const permits = yield* Effect.all(Effect.replicate(begun(breaker), 5))
      for (const permit of permits) yield* breaker.report(permit, Outcome.failure())
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      yield* Fiber.interrupt(listener)
      assert.deepStrictEqual(heard, ["Closed Open"])
    })
  )
})
