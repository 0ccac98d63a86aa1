import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Option, Random, Schedule, Stream, TestClock } from "effect"
import { CircuitBreaker, Deadline, Fallback, FallbackStream, Outcome, Tier } from "../src/index.ts"
import { classify, endings, Refused, recorded, timed } from "./scripted.ts"

const broken = new Refused({ outcome: Outcome.failure({ errorType: "broken" }) })

const breaking = Stream.concat(Stream.make("Hel", "lo"), Stream.fail(broken))
const whole = Stream.make("Hel", "lo")

const tier = (breaker: CircuitBreaker.CircuitBreaker, stream: Stream.Stream<string, Refused>) =>
  FallbackStream.tier({
    name: "p",
    stream,
    breaker,
    classify: (error) => (error._tag === "Refused" ? classify(error) : Outcome.failure())
  })

const run = (breaker: CircuitBreaker.CircuitBreaker, stream: Stream.Stream<string, Refused>) =>
  Effect.exit(Stream.runDrain(tier(breaker, stream)))

const rowOf = (breaker: CircuitBreaker.CircuitBreaker) =>
  Effect.map(breaker.state, (state) => (state._tag === "Closed" ? state.consecutive : state._tag))

describe("a stream that breaks off after its first content, and its breaker", () => {
  it.effect("is the failure of a tier; so many in a row open it, and one that is whole ends the row", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "p", trip: CircuitBreaker.consecutive(3) })
      const rows: Array<unknown> = []
      for (const stream of [breaking, breaking, whole, breaking, breaking, breaking]) {
        yield* run(breaker, stream)
        rows.push(yield* rowOf(breaker))
      }
      assert.deepStrictEqual(rows, [1, 2, 0, 1, 2, "Open"])
      const asked = yield* Effect.flip(Stream.runDrain(tier(breaker, whole)))
      assert.deepInclude(asked, { _tag: "AllTiersFailed", reason: "open" })
    })
  )

  it.effect("and so is one that falls silent; what it then says of its breaker comes before its end", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "p", trip: CircuitBreaker.consecutive(1) })
      const silent = FallbackStream.tier({
        name: "p",
        stream: Stream.concat(whole, Stream.never),
        breaker,
        idle: "5 seconds"
      })
      const { effect, events } = recorded(Stream.runDrain(silent))
      yield* timed(effect, "1 minute")
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["BreakerChanged", "AttemptEnded", "TierEnded", "RunEnded"]
      )
    })
  )

  it.effect("with a wait longer than is waited for, it opens until then", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "p", jitter: 0 })
      const outcome = Outcome.failure({ retryAfter: Duration.minutes(2) })
      yield* run(breaker, Stream.concat(whole, Stream.fail(new Refused({ outcome }))))
      assert.strictEqual(yield* breaker.notBefore, 120_000)
    })
  )

  it.effect(
    "opens it from the instant at which it breaks off, for a time that the Random service has a say in",
    () =>
      Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make({
          key: "p",
          trip: CircuitBreaker.consecutive(1),
          openFor: "10 seconds",
          jitter: 1
        })
        yield* TestClock.adjust("5 seconds")
        yield* Effect.withRandom(run(breaker, breaking), Random.fixed([0.5]))
        assert.deepInclude(yield* breaker.state, { _tag: "Open", openedAt: 5_000, until: 20_000 })
      })
  )

  it.effect("a probe closes it with its first content; that it breaks off counts from then on", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "p", trip: CircuitBreaker.consecutive(2), jitter: 0 })
      yield* run(breaker, breaking)
      yield* run(breaker, breaking)
      yield* TestClock.adjust("20 seconds")
      const slowly = yield* Effect.fork(run(breaker, Stream.schedule(breaking, Schedule.spaced("1 second"))))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* rowOf(breaker), 0)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(slowly)
      assert.strictEqual(yield* rowOf(breaker), 1)
    })
  )

  it.effect("one that began before the breaker's last change says nothing any more", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "p", trip: CircuitBreaker.consecutive(1), jitter: 0 })
      const slowly = yield* Effect.fork(run(breaker, Stream.schedule(breaking, Schedule.spaced("1 minute"))))
      yield* TestClock.adjust("1 minute")
      yield* run(breaker, breaking)
      yield* TestClock.adjust("20 seconds")
      yield* run(breaker, whole)
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* Fiber.join(slowly), Exit.fail(broken))
      assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutive: 0, late: 1 })
    })
  )

  it.effect("what says nothing about the tier is not counted, nor what was only watched", () =>
    Effect.gen(function* () {
      const ignored = Stream.fail(new Refused({ outcome: Outcome.ignored() }))
      const breaker = yield* CircuitBreaker.make({ key: "p", trip: CircuitBreaker.consecutive(1), jitter: 0 })
      yield* run(breaker, Stream.concat(whole, ignored))
      assert.strictEqual(yield* rowOf(breaker), 0)
      const watched = yield* CircuitBreaker.make({
        key: "w",
        trip: CircuitBreaker.consecutive(1),
        observeOnly: true
      })
      yield* run(watched, breaking)
      const before = yield* watched.state
      yield* run(watched, breaking)
      assert.deepStrictEqual(yield* watched.state, before)
    })
  )

  it.effect("whoever listens to its reports hears of it", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "p" })
      const heard: Array<string> = []
      const tapped = CircuitBreaker.tapReport(breaker, (_, outcome) =>
        Effect.sync(() => heard.push(outcome._tag))
      )
      yield* run(tapped, breaking)
      assert.deepStrictEqual(heard, ["Success", "Failure"])
    })
  )
})

describe("a caller that fails itself while it takes the stream", () => {
  const failing = (stream: FallbackStream.FallbackStream<string, Refused, never>) => ({
    "in what it does with an element": Stream.runForEach(stream, () => Effect.fail("mine")),
    "in what it makes of an element": Stream.runDrain(Stream.mapEffect(stream, () => Effect.fail("mine"))),
    "before it takes any": Effect.scoped(Effect.zipRight(FallbackStream.served(stream), Effect.fail("mine"))),
    "by a defect": Stream.runForEach(stream, () => Effect.die("mine"))
  })

  for (const name of Object.keys(failing(FallbackStream.tier({ name: "p", stream: whole })))) {
    it.effect(`${name} has left: the tier has not failed`, () =>
      Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make({ key: "p", trip: CircuitBreaker.consecutive(1) })
        const judged: Array<unknown> = []
        const stream = FallbackStream.tier({
          name: "p",
          stream: whole,
          breaker,
          classify: (error: Refused | FallbackStream.EmptyStream) => {
            judged.push(error)
            return Outcome.failure()
          }
        })
        const { effect, events } = recorded(failing(stream)[name as "by a defect"])
        const exit = yield* Effect.exit(effect)
        assert.isTrue(Option.isSome(Exit.causeOption(exit)))
        assert.deepStrictEqual([judged, yield* rowOf(breaker)], [[], 0])
        assert.deepStrictEqual(endings(events), ["interrupted", "TierEnded", "cancelled"])
      })
    )
  }
})

describe("a stream whose maxStream is over", () => {
  const words = (count: number, every: Duration.DurationInput) =>
    Stream.range(1, count, 1).pipe(Stream.mapEffect((word) => Effect.delay(Effect.succeed(`${word}`), every)))

  /** Taken by a caller that waits so long at each word, with another tier that could go on. */
  const taken = (stream: Stream.Stream<string>, wait: (word: string) => Duration.DurationInput) =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ key: "p", trip: CircuitBreaker.consecutive(1) })
      const transcript: FallbackStream.Transcript<string, number> = { empty: 0, add: (sent) => sent + 1 }
      const primary = FallbackStream.tier({ name: "p", stream, transcript, breaker, maxStream: "30 seconds" })
      const standby = FallbackStream.tier({
        name: "s",
        stream: Stream.never,
        transcript,
        resume: () => whole
      })
      const { effect, events } = recorded(
        Stream.runForEach(primary.pipe(FallbackStream.orElse(standby)), (word) => Effect.sleep(wait(word)))
      )
      const { exit } = yield* timed(effect)
      const error = Option.getOrUndefined(Option.flatMap(Exit.causeOption(exit), Cause.failureOption))
      const errorTypes = events.flatMap((event) =>
        event._tag === "RunEnded" ? (event.errorType ?? "none") : []
      )
      return {
        error: error instanceof Deadline.DeadlineExceeded ? error.message : error,
        seen: [...endings(events).filter((seen) => !/TierEnded|BreakerChanged/.test(seen)), ...errorTypes],
        row: yield* rowOf(breaker)
      }
    })

  const ofCaller = (unread: string) => ({
    error: `maxStream of 30s exceeded, for ${unread} of which its caller took nothing`,
    seen: ["ignored", "rejected", "slow_caller"],
    row: 0
  })

  it.effect("is nobody's failure where its caller was slow, and says for how long", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* taken(words(60, "1 second"), () => "10 seconds"), ofCaller("4s"))
    })
  )

  it.effect("nor where its caller took nothing any more, at the very end or from the beginning", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* taken(words(60, "1 second"), (word) => (word === "12" ? "1 minute" : 0)),
        ofCaller("3s")
      )
      assert.deepStrictEqual(yield* taken(words(60, 0), () => "1 minute"), ofCaller("30s"))
    })
  )

  it.effect("is the tier's failure where it was listened to, however slow the caller was beside it", () =>
    Effect.gen(function* () {
      const goesOn = {
        error: undefined,
        seen: ["timeout", "success", "success", "none"],
        row: "Open" as const
      }
      assert.deepStrictEqual(yield* taken(words(60, "1 second"), () => 0), goesOn)
      assert.deepStrictEqual(yield* taken(words(60, "10 seconds"), () => "8 seconds"), goesOn)
    })
  )

  it.effect("is none once the tier has said all, however long its caller takes", () =>
    Effect.gen(function* () {
      const { error, row } = yield* taken(words(10, "1 second"), () => "1 minute")
      assert.deepStrictEqual([error, row], [undefined, 0])
    })
  )

  it.effect("sends a run on whose tier was the slow caller itself", () =>
    Effect.gen(function* () {
      const endless = FallbackStream.tier({ name: "p", stream: words(60, 0), maxStream: "30 seconds" })
      const slow = Stream.runForEach(endless, () => Effect.sleep("1 minute"))
      const run = Tier.make({ name: "slow", effect: slow }).pipe(
        Fallback.orElse(Tier.make({ name: "fast", effect: Effect.succeed("answer") }))
      )
      const { exit } = yield* timed(Effect.map(Fallback.served(run), ({ tier }) => tier))
      assert.deepStrictEqual(exit, Exit.succeed("fast"))
    })
  )
})
