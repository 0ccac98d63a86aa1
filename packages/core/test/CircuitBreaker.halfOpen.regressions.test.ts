import { assert, describe, it } from "@effect/vitest"
import { Effect, type Exit, Fiber, TestClock } from "effect"
import { CircuitBreaker, Outcome } from "../src/index.ts"
import { begun, down, due, opened, options, tagOf } from "./breakers.ts"

const { execute } = CircuitBreaker

// Each bug of a peer as the test that it would have failed.
describe("what went wrong in others: half-open breakers", () => {
  it.effect(
    "Polly#1979: a probe that ends in what nobody counts leaves it half-open for ever, or closes it",
    () =>
      Effect.gen(function* () {
        const breaker = yield* due()
        const classify = () => Outcome.ignored()
        yield* Effect.exit(execute(down, breaker, { classify }))
        assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", probes: [], successes: [], failures: 0 })
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

  it.effect("OmniRoute#13836: one probe that never ends, 49 607 refusals in six days", () =>
    Effect.gen(function* () {
      const breaker = yield* due()
      const lost = yield* Effect.fork(execute(Effect.never, breaker))
      yield* Effect.yieldNow()
      // Five minutes for the lost probe, ten seconds more for its failure.
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* Effect.flip(breaker.admit)).state, "Open")
      yield* TestClock.adjust("10 seconds")
      yield* execute(Effect.void, breaker)
      assert.strictEqual(yield* tagOf(breaker), "Closed")
      yield* Fiber.interrupt(lost)
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
})
