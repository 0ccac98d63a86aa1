import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Schedule, Scope, Stream, TestClock } from "effect"
import { Backoff, CircuitBreaker, Deadline, FallbackStream, Policy } from "../src/index.ts"
import { breaking, broken, client, type Source, stage, told, transcript } from "./resuming.ts"
import { recorded } from "./scripted.ts"

describe("how a tier that goes on is asked", () => {
  it.effect("as its breaker admits it, which hears how that went", () =>
    Effect.gen(function* () {
      const make = (key: string) =>
        CircuitBreaker.make({ key, trip: CircuitBreaker.consecutive(1), openFor: "10 seconds", jitter: 0 })
      const [first, resting, third] = [yield* make("a"), yield* make("b"), yield* make("c")]
      yield* resting.trip()
      const { going, log, tier } = stage()
      const run = tier("a", breaking("Hel"), { breaker: first }).pipe(
        FallbackStream.orElse(going("b", () => Stream.make("wrong"), { breaker: resting })),
        FallbackStream.orElse(going("c", () => breaking("lo"), { breaker: third }))
      )
      const { exit, told } = yield* client(run)
      assert.deepStrictEqual(exit, Exit.fail(broken))
      assert.notInclude(log.join(), "open b")
      assert.deepStrictEqual(told, [
        "a Open",
        "a 1 broken nextTier",
        "b refused",
        "c Open",
        "c 1 broken",
        "run failure by c, a fallback: broken, 2"
      ])
    })
  )

  it.effect("again, as its backoff says, each time from what was given", () =>
    Effect.gen(function* () {
      const { going, log, tier } = stage()
      let calls = 0
      const run = tier("a", breaking("Hel")).pipe(
        FallbackStream.orElse(
          going("b", () => Stream.suspend(() => (++calls < 3 ? Stream.fail(broken) : Stream.make("lo"))), {
            backoff: Backoff.constant({ delay: "1 second", times: 2 })
          })
        )
      )
      const { elapsed, seen, told } = yield* client(run)
      assert.deepStrictEqual([seen, elapsed], [["Hel", "lo"], 2000])
      assert.deepStrictEqual(log.filter((entry) => entry === "open b after Hel").length, 3)
      assert.deepStrictEqual(told.slice(1, 4), ["b 1 broken retry", "b 2 broken retry", "b 3 success"])
    })
  )

  it.effect("within its own bounds; deadlines were for the way to the first content of all", () =>
    Effect.gen(function* () {
      const slowly = (millis: number, text: string): Source =>
        Stream.fromEffect(Effect.delay(Effect.succeed(text), Duration.millis(millis)))
      const { going, log, tier } = stage()
      const run = tier(
        "a",
        Stream.concat(slowly(900, "Hel"), Stream.concat(slowly(60_000, ""), breaking()))
      ).pipe(
        FallbackStream.orElse(
          going("b", () => slowly(5000, "wrong"), {
            timeout: "4 seconds",
            backoff: Backoff.constant({ delay: "1 second", times: 5 })
          })
        ),
        FallbackStream.orElse(going("c", () => slowly(5000, "wrong"), { firstToken: "3 seconds" })),
        FallbackStream.within("1 second"),
        FallbackStream.orElse(
          going("d", () => Stream.concat(slowly(9000, "lo"), Stream.never), { idle: "7 seconds" })
        ),
        FallbackStream.within("2 seconds")
      )
      // The run's own deadline, and one around it that would have ended it then.
      const around = (yield* Deadline.now) + 3_000
      const { elapsed, events, exit, seen, told } = yield* Effect.provideService(
        client(run),
        Deadline.Current,
        around
      )
      assert.deepStrictEqual(seen, ["Hel", "", "lo"])
      assert.strictEqual(elapsed, 900 + 60_000 + 4000 + 3000 + 9000 + 7000)
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(
        events.flatMap((event) => ("attempt" in event ? Duration.toMillis(event.attempt.duration) : [])),
        [60_900, 4000, 3000, 16_000]
      )
      assert.deepStrictEqual(told, [
        "a 1 broken nextTier",
        "b 1 timeout nextTier",
        "c 1 timeout nextTier",
        "d 1 timeout",
        "run failure by d, a fallback: timeout, 4"
      ])
      assert.deepStrictEqual(log.at(-1), "close d after Hel")
    })
  )

  it.effect("with what the run had around it, whoever reads the stream", () =>
    Effect.gen(function* () {
      class Word extends Context.Tag("Word")<Word, string>() {}
      const run = FallbackStream.tier({ name: "a", stream: breaking("Hel"), transcript }).pipe(
        FallbackStream.orElse(
          FallbackStream.tier({
            name: "b",
            stream: Stream.make("never asked from the beginning"),
            transcript,
            resume: () => Stream.fromEffect(Word)
          })
        )
      )
      const said = yield* Effect.scoped(
        Effect.gen(function* () {
          const { value } = yield* Effect.provideService(FallbackStream.served(run), Word, "lo")
          return yield* Effect.flatten(Effect.map(Effect.fork(Stream.mkString(value)), Fiber.join))
        })
      )
      assert.strictEqual(said, "Hello")
    })
  )

  it.effect("as a policy says it", () =>
    Effect.gen(function* () {
      const policy = yield* Policy.decode({ tiers: [{ name: "a" }, { name: "b" }, { name: "c" }] })
      const compiled = yield* Policy.compile(policy)
      const run = FallbackStream.fromPolicy(compiled, () => breaking("Hel"), {
        transcript,
        resume: ({ name }) => (name === "c" ? (sent) => Stream.make(`lo after ${sent}`) : undefined)
      })
      assert.deepStrictEqual((yield* client(run)).seen, ["Hel", "lo after Hel"])
    })
  )
})

describe("a caller that leaves a stream that was gone on with", () => {
  const slow: Source = Stream.schedule(Stream.make("lo", "!"), Schedule.spaced("10 seconds"))

  const times = {
    "while the next tier is on its way": {
      after: "5 seconds",
      seen: ["Hel"],
      end: ["b 1 interrupted abort", "run cancelled by a: interrupted, 2"]
    },
    "once that has begun": {
      after: "15 seconds",
      seen: ["Hel", "lo"],
      end: ["b 1 interrupted", "run cancelled by b, a fallback: interrupted, 2"]
    }
  } as const
  for (const [when, { after, end, seen }] of Object.entries(times)) {
    it.effect(`${when}: that one is closed, nothing else is asked, and no breaker moves`, () =>
      Effect.gen(function* () {
        const { going, log, tier } = stage()
        const breaker = yield* CircuitBreaker.make({ key: "b", trip: CircuitBreaker.consecutive(1) })
        const run = tier("a", breaking("Hel")).pipe(
          FallbackStream.orElse(going("b", () => slow, { breaker })),
          FallbackStream.orElse(going("c", () => Stream.make("wrong")))
        )
        const heard: Array<string> = []
        const { effect, events } = recorded(
          Stream.runForEach(run, (text) => Effect.sync(() => void heard.push(text)))
        )
        const fiber = yield* Effect.fork(effect)
        yield* TestClock.adjust(after)
        const exit = yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
        assert.deepStrictEqual([heard, log.slice(2)], [[...seen], ["open b after Hel", "close b after Hel"]])
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutive: 0 })
        assert.deepStrictEqual(told(events), ["a 1 broken nextTier", ...end])
      })
    )
  }

  it.effect("or has enough of it: the run is served by whom it goes on with", () =>
    Effect.gen(function* () {
      const { going, log, tier } = stage()
      const run = tier("a", breaking("Hel")).pipe(FallbackStream.orElse(going("b", () => slow)))
      const { exit, told } = yield* client(Stream.take(run, 2))
      assert.deepStrictEqual(exit, Exit.void)
      assert.deepStrictEqual(log.slice(2), ["open b after Hel", "close b after Hel"])
      assert.deepStrictEqual(told.at(-1), "run success by b, a fallback: whole, 2")
    })
  )

  it.effect("in the very moment in which the next tier begins closes that one too", () =>
    Effect.gen(function* () {
      const { going, log, tier } = stage()
      const breaker = yield* CircuitBreaker.make({ key: "b" })
      // The run cannot be interrupted while it tells the breaker.
      const telling = CircuitBreaker.tapReport(breaker, () => Effect.sleep("1 second"))
      const run = tier("a", breaking("Hel")).pipe(
        FallbackStream.orElse(
          going("b", () => Stream.concat(Stream.make("lo"), Stream.never), { breaker: telling })
        )
      )
      const fiber = yield* Effect.fork(Stream.runDrain(run))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interruptFork(fiber)
      yield* TestClock.adjust("500 millis")
      yield* Fiber.await(fiber)
      assert.deepStrictEqual(log.slice(2), ["open b after Hel", "close b after Hel"])
    })
  )

  for (const [when, readsFrom, expected] of [
    [
      "while another tier is asked to go on",
      "the beginning",
      ["a 1 broken nextTier", "b 1 interrupted abort"]
    ],
    ["before its end is read", "the end", ["a 1 success"]]
  ] as const) {
    it.effect(
      `with the scope, ${when}, leaves nothing open, and whoever reads on is told of the failure`,
      () =>
        Effect.gen(function* () {
          const { going, log, tier } = stage()
          const run = tier("a", breaking("Hel")).pipe(FallbackStream.orElse(going("b", () => slow)))
          const scope = yield* Scope.make()
          const { effect, events } = recorded(FallbackStream.served(run))
          const { value } = yield* Scope.extend(effect, scope)
          const reading = Effect.fork(Stream.runDrain(value))
          const early = readsFrom === "the beginning" ? yield* reading : undefined
          yield* TestClock.adjust("500 millis")
          yield* Scope.close(scope, Exit.void)
          const reader = early ?? (yield* reading)
          yield* TestClock.adjust("5 seconds")
          assert.deepStrictEqual(yield* Fiber.await(reader), Exit.fail(broken))
          assert.strictEqual(log.filter((line) => line.startsWith("close")).length, log.length / 2)
          assert.deepStrictEqual(told(events).slice(0, -1), [...expected])
          assert.strictEqual(events.at(-1)?._tag, "RunEnded")
        })
    )
  }
})
