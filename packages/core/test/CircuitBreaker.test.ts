import { assert, describe, it } from "@effect/vitest"
import { Chunk, Clock, Duration, Effect, Exit, Fiber, Random, Scope, Stream, TestClock } from "effect"
import { CircuitBreaker, Outcome } from "../src/index.ts"
import { begun, down, due, options, tagOf } from "./breakers.ts"

const { consecutive, execute, rate, slow } = CircuitBreaker

describe("CircuitBreaker", () => {
  it.effect("a transition says what happened, why, when and for how long", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(options)
      const listening = yield* Effect.fork(Stream.runCollect(Stream.take(breaker.transitions, 3)))
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      yield* Effect.ignore(execute(down, breaker))
      yield* TestClock.adjust("10 seconds")
      yield* execute(Effect.void, breaker)
      const opening = { retryAfter: undefined, consecutiveOpenings: undefined }
      assert.deepStrictEqual(Chunk.toReadonlyArray(yield* listening), [
        {
          key: "k",
          from: "Closed",
          to: "Open",
          reason: "consecutive",
          epoch: 1,
          at: 0,
          retryAfter: Duration.seconds(10),
          consecutiveOpenings: 1
        },
        { key: "k", from: "Open", to: "HalfOpen", reason: "elapsed", epoch: 2, at: 10_000, ...opening },
        { key: "k", from: "HalfOpen", to: "Closed", reason: "recovered", epoch: 3, at: 10_000, ...opening }
      ])
    })
  )

  it.effect("a listener that sleeps delays nobody and misses the oldest", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(options)
      const heard: Array<number> = []
      const listener = yield* breaker.transitions.pipe(
        Stream.rechunk(1),
        Stream.runForEach(({ epoch }) =>
          Effect.zipRight(
            Effect.sync(() => heard.push(epoch)),
            heard.length === 1 ? Effect.sleep("1 hour") : Effect.void
          )
        ),
        Effect.fork
      )
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      yield* breaker.reset
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      yield* Effect.repeatN(breaker.reset, 999)
      yield* TestClock.adjust("1 hour")
      yield* Fiber.interrupt(listener)
      assert.strictEqual(heard[0], 1)
      assert.strictEqual(heard.at(-1), 1_001)
      assert.deepStrictEqual(
        heard.slice(-64),
        Array.from({ length: 64 }, (_, index) => 938 + index)
      )
      assert.isBelow(heard.length, 80)
    })
  )

  it.effect("a listener that dies takes nobody with it", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(options)
      const listener = yield* Effect.fork(Stream.runForEach(breaker.transitions, () => Effect.die("bug")))
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      assert.deepStrictEqual(yield* Effect.exit(execute(down, breaker)), Exit.fail("down"))
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(listener)))
      assert.strictEqual((yield* breaker.state)._tag, "Open")
    })
  )

  it.effect(
    "a permit that was rebuilt from data is taken at its word, one that was given is heard once",
    () =>
      Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make({ ...options, trip: consecutive(4) })
        const { permit } = yield* breaker.admit
        const rebuilt = { epoch: permit.epoch, id: permit.id, at: permit.at }
        for (const one of [permit, permit, rebuilt, rebuilt]) yield* breaker.report(one, Outcome.failure())
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutive: 3 })
      })
  )

  it.effect("trip opens it, says so once, and lasts as long as was asked", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(options)
      const transition = yield* breaker.trip(Duration.seconds(30))
      assert.deepInclude(transition, { key: "k", from: "Closed", to: "Open", reason: "tripped" })
      assert.deepStrictEqual(transition?.retryAfter, Duration.seconds(30))
      assert.isUndefined(yield* breaker.trip())
      assert.strictEqual(yield* breaker.notBefore, 30_000)
      assert.isUndefined(yield* Effect.scoped(Effect.zipRight(breaker.isolate, breaker.trip())))
    })
  )

  it.effect("tripped, it is open from that instant on, for a time that the Random service has a say in", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ ...options, jitter: 1 })
      yield* TestClock.adjust("5 seconds")
      yield* Effect.withRandom(breaker.trip(), Random.fixed([0.5]))
      assert.deepInclude(yield* breaker.state, { _tag: "Open", openedAt: 5_000, until: 20_000 })
    })
  )

  for (const how of ["admit", "decide"] as const) {
    it.effect(`${how}, after a probe that was lost: tells both changes, and answers with the last`, () =>
      Effect.gen(function* () {
        const breaker = yield* due({ lease: "1 second" })
        yield* begun(breaker)
        yield* TestClock.adjust("1 minute")
        const heard: Array<string> = []
        const listener = yield* breaker.transitions.pipe(
          Stream.runForEach(({ reason }) => Effect.sync(() => heard.push(reason))),
          Effect.fork
        )
        yield* Effect.repeatN(Effect.yieldNow(), 10)
        const last =
          how === "admit" ? (yield* breaker.admit).transition : (yield* breaker.decide).changes.at(-1)
        assert.strictEqual(last?.reason, "elapsed")
        yield* Effect.repeatN(Effect.yieldNow(), 10)
        yield* Fiber.interrupt(listener)
        assert.deepStrictEqual(heard, ["lease", "elapsed"])
      })
    )
  }

  it.effect("isolate lasts as long as its scope, whatever is due in the meantime", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(options)
      const scope = yield* Scope.make()
      yield* Scope.extend(breaker.isolate, scope)
      const inner = Effect.zipRight(
        breaker.isolate,
        Effect.zipRight(breaker.reset, TestClock.adjust("1 day"))
      )
      yield* Effect.scoped(inner)
      assert.deepInclude(yield* breaker.state, { _tag: "Isolated", handles: 1 })
      assert.strictEqual((yield* Effect.flip(execute(Effect.void, breaker))).state, "Isolated")
      assert.strictEqual(CircuitBreaker.notBefore(yield* breaker.state), Number.POSITIVE_INFINITY)
      yield* Scope.close(scope, Exit.void)
      yield* execute(Effect.void, breaker)
    })
  )

  it.effect("observing only, it opens, says whom it would refuse and refuses nobody but when isolated", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ ...options, observeOnly: true })
      yield* Effect.ignore(execute(down, breaker))
      const { permit, wouldReject } = yield* breaker.admit
      assert.deepStrictEqual(wouldReject, { state: "Open", retryAfter: 10_000 })
      assert.isUndefined(yield* breaker.report(permit, Outcome.failure({ trip: true })))
      assert.deepInclude(yield* breaker.state, { _tag: "Open", late: 0, until: 10_000 })
      assert.strictEqual(yield* breaker.notBefore, 0)
      const isolated = Effect.scoped(Effect.zipRight(breaker.isolate, Effect.flip(breaker.admit)))
      assert.strictEqual((yield* isolated).state, "Isolated")
      assert.strictEqual(yield* breaker.notBefore, 0)
      const whileIsolated = Effect.scoped(Effect.zipRight(breaker.isolate, breaker.notBefore))
      assert.strictEqual(yield* whileIsolated, Number.POSITIVE_INFINITY)
    })
  )

  it("one key is one breaker, another key another", () => {
    const breakerOf = Effect.runSync(CircuitBreaker.keyed())
    Effect.runSync(breakerOf("a").trip())
    const tags = ["a", "b"].map((key) => Effect.runSync(breakerOf(key).state)._tag)
    assert.deepStrictEqual(tags, ["Open", "Closed"])
  })

  it.effect("two breakers of one store and key are one", () =>
    Effect.gen(function* () {
      const states = new Map<string, CircuitBreaker.State>()
      const store: CircuitBreaker.Store = {
        modify: (key, f) =>
          Effect.sync(() => {
            const [a, state] = f(states.get(key) ?? CircuitBreaker.initial)
            states.set(key, state)
            return a
          })
      }
      const here = yield* CircuitBreaker.make({ ...options, store })
      const there = yield* CircuitBreaker.make({ ...options, store })
      const other = (yield* CircuitBreaker.keyed({ ...options, store }))("other")
      yield* Effect.ignore(execute(down, here))
      assert.strictEqual((yield* Effect.flip(there.admit))._tag, "CircuitOpen")
      yield* execute(Effect.void, other)
      assert.deepStrictEqual([...states.keys()], ["k", "other"])
    })
  )

  it.effect(
    "who is interrupted while a store has isolated it and has not answered yet leaves nothing isolated",
    () =>
      Effect.gen(function* () {
        let kept: CircuitBreaker.State = CircuitBreaker.initial
        const store: CircuitBreaker.Store = {
          modify: (_, f) =>
            Effect.suspend(() => {
              const [a, state] = f(kept)
              kept = state
              return Effect.delay(Effect.succeed(a), "1 second")
            })
        }
        const breaker = yield* CircuitBreaker.make({ ...options, store })
        const isolating = yield* Effect.fork(Effect.scoped(breaker.isolate))
        yield* TestClock.adjust("500 millis")
        assert.strictEqual(kept._tag, "Isolated")
        isolating.unsafeInterruptAsFork(isolating.id())
        yield* TestClock.adjust("2 seconds")
        assert.isTrue(Exit.isInterrupted(yield* Fiber.await(isolating)))
        assert.strictEqual(kept._tag, "Closed")
      })
  )

  it.effect("a store that answers as soon as it is called is asked each time for the state", () =>
    Effect.gen(function* () {
      let kept: CircuitBreaker.State = CircuitBreaker.initial
      const store: CircuitBreaker.Store = {
        modify: (_, f) => {
          const [a, state] = f(kept)
          kept = state
          return Effect.succeed(a)
        }
      }
      const breaker = yield* CircuitBreaker.make({ ...options, store })
      yield* Effect.ignore(execute(down, breaker))
      assert.strictEqual(yield* tagOf(breaker), "Open")
      assert.strictEqual(yield* breaker.notBefore, 10_000)
    })
  )

  it.effect("the jitter is the Random service's: one seed, one trace", () =>
    Effect.gen(function* () {
      const opening = Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make({ ...options, jitter: 1 })
        yield* Effect.ignore(execute(down, breaker))
        return CircuitBreaker.notBefore(yield* breaker.state)
      })
      const times = yield* Effect.forEach(["a", "a", "b"], (seed) =>
        Effect.withRandom(opening, Random.make(seed))
      )
      assert.strictEqual(times[0], times[1])
      assert.notStrictEqual(times[0], times[2])
      assert.isTrue(times.every((time) => time >= 10_000 && time < 20_000))
    })
  )

  it.effect("asks the time and chance only where what it counts depends on them", () =>
    Effect.gen(function* () {
      const asked = (trip: CircuitBreaker.Trip, outcome: Outcome.Outcome) =>
        Effect.gen(function* () {
          const found = { time: 0, chance: 0 }
          const breaker = yield* CircuitBreaker.make({ key: "k", trip })
          yield* Effect.flatMap(breaker.admit, ({ permit }) => breaker.report(permit, outcome)).pipe(
            Effect.withClock({
              ...Clock.make(),
              unsafeCurrentTimeNanos: () => {
                found.time++
                return 0n
              }
            }),
            Effect.withRandom({
              ...Random.make(0),
              next: Effect.sync(() => {
                found.chance++
                return 0
              })
            })
          )
          return [found.time, found.chance]
        })
      const [success, failure, ignored] = [Outcome.success, Outcome.failure(), Outcome.ignored()]
      const row = consecutive(9)
      assert.deepStrictEqual(yield* asked(row, success), [0, 0])
      assert.deepStrictEqual(yield* asked(row, ignored), [0, 0])
      assert.deepStrictEqual(yield* asked(row, failure), [1, 1])
      assert.deepStrictEqual(yield* asked(rate({}), success), [0, 0])
      assert.deepStrictEqual(yield* asked(rate({ window: "1 minute" }), success), [2, 0])
      assert.deepStrictEqual(yield* asked(slow({ after: "1 second" }), success), [2, 1])
      assert.deepStrictEqual(yield* asked(slow({ after: "1 second" }), ignored), [2, 0])
    })
  )

  it.effect(
    "execute: interruption is ignored whatever classify says; one that throws kills the call alone",
    () =>
      Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make(options)
        yield* Effect.exit(execute(Effect.interrupt, breaker, { classify: () => failedOutcome }))
        assert.deepStrictEqual(yield* breaker.state, CircuitBreaker.initial)
        const throws = {
          classify: () => {
            throw new Error("bug")
          }
        }
        const exit = yield* Effect.exit(execute(down, breaker, throws))
        assert.isTrue(Exit.isFailure(exit))
        assert.deepStrictEqual(yield* breaker.state, CircuitBreaker.initial)
      })
  )

  const failedOutcome = Outcome.failure()

  it("options out of range are refused with their name", () => {
    const refused: ReadonlyArray<readonly [() => unknown, RegExp]> = [
      [() => consecutive(0), /^CircuitBreaker.consecutive: failures must be an integer of 1 or more, got 0/],
      [() => rate({ threshold: 1.1 }), /CircuitBreaker.rate: threshold must be between 0 and 1, got 1.1/],
      [() => rate({ size: 0 }), /size must be an integer of 1 or more/],
      [() => rate({ minimumCalls: 0 }), /minimumCalls must be an integer of 1 or more/],
      [() => rate({ minimumCalls: 0, window: 1 }), /minimumCalls must be an integer of 1 or more/],
      [() => rate({ size: 10, minimumCalls: 11 }), /minimumCalls must not exceed size, got 11 of 10/],
      [() => rate({ minimumCalls: 101 }), /minimumCalls must not exceed size, got 101 of 100/],
      [() => rate({ size: 10, window: "1 minute" }), /give either size or window, not both/],
      [() => rate({ size: 10, buckets: 2 }), /buckets go with a window, not with a size/],
      [() => rate({ window: 0 }), /window must be finite and longer than nothing, got 0/],
      [() => rate({ window: Duration.infinity }), /window must be finite/],
      [() => rate({ window: "1 minute", buckets: 0.5 }), /buckets must be an integer/],
      [
        () => slow({ after: 1, threshold: -1 }),
        /CircuitBreaker.slow: threshold must be between 0 and 1, got -1/
      ],
      [() => CircuitBreaker.config({ trip: [] as never }), /trip must name at least one trigger/],
      [() => CircuitBreaker.config({ jitter: 2 }), /CircuitBreaker: jitter must be between 0 and 1, got 2/],
      [() => CircuitBreaker.config({ probes: 0.5 }), /probes must be an integer/],
      [() => CircuitBreaker.config({ successesToClose: 0 }), /successesToClose must be an integer/],
      [() => CircuitBreaker.config({ failuresToOpen: 0 }), /failuresToOpen must be an integer/],
      [() => CircuitBreaker.config({ factor: Number.NaN }), /factor must be a finite number of 1 or more/],
      [() => CircuitBreaker.config({ factor: 0.5 }), /factor must be a finite number of 1 or more/],
      [() => CircuitBreaker.config({ lease: 0 }), /lease must be longer than nothing, got 0/],
      [
        () => CircuitBreaker.config({ maxOpenFor: Duration.infinity }),
        /maxOpenFor must be finite, got Infinity/
      ]
    ]
    for (const [make, message] of refused) assert.throws(make, RangeError, message)
  })

  it("a lease and an open time may be without end, a share of all or nothing", () => {
    const unbounded = CircuitBreaker.config({ lease: Duration.infinity, openFor: Duration.infinity })
    assert.strictEqual(Duration.toMillis(unbounded.lease), Number.POSITIVE_INFINITY)
    assert.deepInclude(rate({ threshold: 0, size: 1, minimumCalls: 1 }), { threshold: 0 })
    assert.deepInclude(slow({ after: 0, threshold: 1 }), { threshold: 1, size: 100, minimumCalls: 100 })
  })
})
