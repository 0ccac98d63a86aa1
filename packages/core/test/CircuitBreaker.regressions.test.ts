import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Exit, Fiber, Stream, TestClock } from "effect"
import { CircuitBreaker, Outcome } from "../src/index.ts"

const { execute } = CircuitBreaker

const down = Effect.fail("down")

const options = { key: "k", trip: CircuitBreaker.consecutive(1), openFor: "10 seconds", jitter: 0 } as const

/** A breaker that has just opened for ten seconds. */
const opened = (more: CircuitBreaker.Options = {}) =>
  Effect.tap(CircuitBreaker.make({ ...options, ...more }), (breaker) => Effect.ignore(execute(down, breaker)))

/** A breaker whose time is over: the next call is its probe. */
const due = (more: CircuitBreaker.Options = {}) =>
  Effect.tap(opened(more), () => TestClock.adjust("10 seconds"))

const tagOf = (breaker: CircuitBreaker.CircuitBreaker) => Effect.map(breaker.state, ({ _tag }) => _tag)

/** A call under way. */
const begun = (breaker: CircuitBreaker.CircuitBreaker) => Effect.map(breaker.admit, ({ permit }) => permit)

// Rows of resilience.md 5, each bug of a peer as the test that it would have failed.
describe("what went wrong in others", () => {
  it.effect(
    "Polly#1979: a probe that ends in what nobody counts leaves it half-open for ever, or closes it",
    () =>
      Effect.gen(function* () {
        const breaker = yield* due()
        const classify = () => Outcome.ignored()
        yield* Effect.exit(execute(down, breaker, { classify }))
        assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", probes: [], successes: 0, failures: 0 })
        yield* execute(Effect.void, breaker)
        assert.strictEqual(yield* tagOf(breaker), "Closed")
      })
  )

  it.effect("Polly (main): a cancelled probe closes the circuit", () =>
    Effect.gen(function* () {
      const breaker = yield* due()
      const probe = yield* Effect.fork(execute(Effect.never, breaker))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(probe)
      assert.strictEqual(yield* tagOf(breaker), "HalfOpen")
    })
  )

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
        assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", late: 2, successes: 0 })
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

  it.effect("resilience4j#544, #935: probes that never report keep it half-open for ever", () =>
    Effect.gen(function* () {
      const breaker = yield* due({ probes: 2, failuresToOpen: 2, lease: "30 seconds" })
      yield* begun(breaker)
      yield* TestClock.adjust("10 seconds")
      yield* begun(breaker)
      yield* TestClock.adjust("29 seconds")
      // The first lease is over: its place is free, and one more may fail.
      assert.strictEqual((yield* Effect.flip(breaker.admit)).state, "HalfOpen")
      yield* TestClock.adjust("1 second")
      const { rejection, changes } = yield* breaker.decide
      // Open since the second lease ran out, this instant.
      assert.deepStrictEqual(rejection, { state: "Open", retryAfter: 10_000 })
      assert.deepInclude(changes[0], { from: "HalfOpen", to: "Open", reason: "lease", at: 50_000 })
      yield* TestClock.adjust("10 seconds")
      yield* execute(Effect.void, breaker)
      assert.strictEqual(yield* tagOf(breaker), "Closed")
    })
  )

  it.effect("resilience4j#1432: more calls than permitted slip through as it becomes half-open", () =>
    Effect.gen(function* () {
      const breaker = yield* due({ probes: 3, successesToClose: 3 })
      const slow = execute(Effect.sleep("1 second"), breaker)
      const all = Effect.all(Effect.replicate(Effect.either(slow), 100), { concurrency: "unbounded" })
      const fiber = yield* Effect.fork(all)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* fiber).filter(({ _tag }) => _tag === "Right").length, 3)
    })
  )

  it.effect(
    "failsafe#391: calls that began while it was closed make room for more probes when they end",
    () =>
      Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make({ ...options, trip: CircuitBreaker.consecutive(1) })
        const early = yield* Effect.all([begun(breaker), begun(breaker), begun(breaker)])
        yield* Effect.ignore(execute(down, breaker))
        yield* TestClock.adjust("10 seconds")
        yield* begun(breaker)
        for (const permit of early) yield* breaker.report(permit, Outcome.ignored())
        assert.deepInclude(yield* Effect.flip(breaker.admit), { _tag: "CircuitOpen", state: "HalfOpen" })
      })
  )

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

  it.effect("opossum#385: two failures at once, and it never becomes half-open", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(options)
      const failing = execute(Effect.zipRight(Effect.sleep("1 second"), down), breaker)
      const both = yield* Effect.fork(
        Effect.all([Effect.exit(failing), Effect.exit(failing)], { concurrency: 2 })
      )
      yield* TestClock.adjust("1 second")
      yield* both
      yield* TestClock.adjust("10 seconds")
      yield* execute(Effect.void, breaker)
      assert.strictEqual(yield* tagOf(breaker), "Closed")
    })
  )

  it.effect("opossum#276, #484: too few calls for a rate leave it half-open for ever", () =>
    Effect.gen(function* () {
      const trip = CircuitBreaker.rate({ size: 100, minimumCalls: 10 })
      const breaker = yield* CircuitBreaker.make({ ...options, trip })
      yield* Effect.repeatN(Effect.ignore(execute(down, breaker)), 9)
      yield* TestClock.adjust("10 seconds")
      yield* Effect.ignore(execute(down, breaker))
      assert.strictEqual(yield* tagOf(breaker), "Open")
      yield* TestClock.adjust("10 seconds")
      yield* execute(Effect.void, breaker)
      assert.strictEqual(yield* tagOf(breaker), "Closed")
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

  it.effect("rezilience#521, #482: an interrupted or dying probe pins it half-open", () =>
    Effect.gen(function* () {
      const interrupted = yield* due()
      yield* Effect.exit(execute(Effect.interrupt, interrupted))
      assert.deepInclude(yield* interrupted.state, { _tag: "HalfOpen", probes: [] })
      const dying = yield* due()
      yield* Effect.exit(execute(Effect.die("bug"), dying))
      assert.deepInclude(yield* dying.state, { _tag: "Open", consecutiveOpenings: 2 })
    })
  )

  it.effect(
    "monix#1080: a caller that leaves while its probe is being admitted leaves it half-open for ever",
    () =>
      Effect.gen(function* () {
        let state: CircuitBreaker.State = CircuitBreaker.initial
        const store: CircuitBreaker.Store = {
          modify: (_, f) =>
            Effect.map(Effect.repeatN(Effect.yieldNow(), 5), () => {
              const [a, next] = f(state)
              state = next
              return a
            })
        }
        const breaker = yield* CircuitBreaker.make({ ...options, store })
        yield* Effect.ignore(execute(down, breaker))
        yield* TestClock.adjust("10 seconds")
        let probed = false
        const probe = Effect.sync(() => {
          probed = true
        })
        const fiber = yield* Effect.fork(execute(probe, breaker))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
        assert.isFalse(probed)
        assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", admitted: 1, probes: [] })
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

  it.effect("OmniRoute#13836: one probe that never ends, 49 607 refusals in six days", () =>
    Effect.gen(function* () {
      const breaker = yield* due()
      yield* Effect.fork(execute(Effect.never, breaker))
      yield* Effect.yieldNow()
      // Five minutes for the lost probe, ten seconds more for its failure.
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* Effect.flip(breaker.admit)).state, "Open")
      yield* TestClock.adjust("10 seconds")
      yield* execute(Effect.void, breaker)
      assert.strictEqual(yield* tagOf(breaker), "Closed")
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

  it.effect("smallrye#319, OpenLiberty#7080: half-open lets everybody in, and judges by other rules", () =>
    Effect.gen(function* () {
      const breaker = yield* due()
      const classify = (exit: Exit.Exit<void, string>) =>
        Outcome.fromExit(exit, (error) => (error === "mine" ? Outcome.ignored() : Outcome.failure()))
      yield* Effect.exit(execute(Effect.fail("mine"), breaker, { classify }))
      assert.strictEqual(yield* tagOf(breaker), "HalfOpen")
      const probe = yield* Effect.fork(execute(Effect.sleep("1 second"), breaker, { classify }))
      yield* Effect.yieldNow()
      for (let caller = 0; caller < 10; caller++) {
        assert.strictEqual((yield* Effect.flip(breaker.admit)).state, "HalfOpen")
      }
      yield* TestClock.adjust("1 second")
      yield* probe
      assert.strictEqual(yield* tagOf(breaker), "Closed")
    })
  )

  it.effect("termite#27: everybody who waited for the end of the open time probes", () =>
    Effect.gen(function* () {
      const breaker = yield* opened()
      let probes = 0
      const probe = Effect.zipRight(
        Effect.sync(() => {
          probes++
        }),
        Effect.sleep("1 second")
      )
      const waiting = Effect.delay(Effect.exit(execute(probe, breaker)), "10 seconds")
      const all = yield* Effect.fork(Effect.all(Effect.replicate(waiting, 50), { concurrency: "unbounded" }))
      yield* TestClock.adjust("11 seconds")
      yield* all
      assert.strictEqual(probes, 1)
    })
  )

  it.effect("nv-redfish#211: an ignored result of an old probe frees the place of a new one", () =>
    Effect.gen(function* () {
      const breaker = yield* due({ lease: "1 second" })
      const old = yield* begun(breaker)
      yield* TestClock.adjust("11 seconds")
      yield* begun(breaker)
      yield* breaker.report(old, Outcome.ignored())
      assert.strictEqual((yield* Effect.flip(breaker.admit)).state, "HalfOpen")
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
