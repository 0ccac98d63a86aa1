import { assert, describe, it } from "@effect/vitest"
import { Chunk, Duration, Effect, Exit, Fiber, Schedule, Stream, TestClock } from "effect"
import { Attempt, CircuitBreaker, Deadline, FallbackStream, Outcome } from "../src/index.ts"
import * as virtual from "./laws/virtual.ts"
import { connected, endings, errorOf, recorded, timed } from "./scripted.ts"

const isContent = (text: string) => text !== ""

const collect = <E, R>(stream: Stream.Stream<string, E, R>) => {
  const seen: Array<string> = []
  return {
    seen,
    effect: Stream.runForEach(stream, (text) => Effect.sync(() => void seen.push(text)))
  }
}

const standby = (log: Array<string> = []) =>
  FallbackStream.tier({
    name: "standby",
    stream: connected(log, "standby", Stream.make("", "from ", "standby")),
    isContent
  })

describe("FallbackStream", () => {
  it.effect("before the first content the next tier takes over unseen, the loser closed first", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const primary = FallbackStream.tier({
        name: "primary",
        stream: connected(log, "primary", Stream.concat(Stream.make("", ""), Stream.fail("reset"))),
        isContent
      })
      const answer = yield* Stream.runCollect(primary.pipe(FallbackStream.orElse(standby(log))))
      assert.deepStrictEqual(Chunk.toArray(answer), ["", "from ", "standby"])
      assert.deepStrictEqual(log, ["open primary", "close primary", "open standby", "close standby"])
    })
  )

  it.effect("after it the failure is the caller's, and nothing is asked or given twice", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const breaker = yield* CircuitBreaker.make({ key: "p", trip: CircuitBreaker.consecutive(1) })
      const primary = FallbackStream.tier({
        name: "primary",
        stream: connected(log, "primary", Stream.concat(Stream.make("", "Hel"), Stream.fail("reset"))),
        isContent,
        breaker
      })
      const { effect, seen } = collect(primary.pipe(FallbackStream.orElse(standby(log))))
      assert.deepStrictEqual(yield* Effect.exit(effect), Exit.fail("reset"))
      assert.deepStrictEqual(
        [seen, log],
        [
          ["", "Hel"],
          ["open primary", "close primary"]
        ]
      )
    })
  )

  it.effect("one that is the caller's mistake is told as that, as it is before", () =>
    Effect.gen(function* () {
      for (const said of [[], ["Hel"]]) {
        const stream = Stream.concat(Stream.fromIterable(said), Stream.fail("reset"))
        const classify = () => Outcome.ignored({ errorType: "content_filter" })
        const { effect, events } = recorded(
          Stream.runDrain(FallbackStream.tier({ name: "a", stream, classify }))
        )
        yield* Effect.exit(effect)
        assert.deepStrictEqual(endings(events), ["ignored", "TierEnded", "rejected"])
      }
    })
  )

  it.effect("nor is what classify throws of it: the caller gets that, and the run is told to its end", () =>
    Effect.gen(function* () {
      const bug = new Error("bug")
      const transcript = { empty: "", add: (sent: string, text: string) => sent + text }
      const tier = (name: string, resume?: () => Stream.Stream<string>) =>
        FallbackStream.tier({
          name,
          stream: Stream.concat(Stream.make("Hel"), Stream.fail("reset")),
          classify: () => {
            throw bug
          },
          transcript,
          resume
        })
      const resumable = tier("a").pipe(FallbackStream.orElse(tier("b", () => Stream.make("lo"))))
      for (const stream of [tier("a"), resumable]) {
        const { effect, events } = recorded(Stream.runDrain(stream))
        assert.deepStrictEqual(yield* Effect.exit(effect), Exit.die(bug))
        assert.deepStrictEqual(endings(events), ["failure", "TierEnded", "failure"])
      }
    })
  )

  it.effect("a stream that ends without content is a failure", () =>
    Effect.gen(function* () {
      const primary = FallbackStream.tier({ name: "primary", stream: Stream.make("", ""), isContent })
      const { attempts, tier } = yield* Effect.scoped(
        FallbackStream.served(FallbackStream.orElse(primary, standby()))
      )
      assert.strictEqual(tier, "standby")
      assert.deepStrictEqual(
        attempts.map((attempt) => [attempt.tier, attempt.outcome, attempt.errorType]),
        [
          ["primary", "failure", "EmptyStream"],
          ["standby", "success", undefined]
        ]
      )
    })
  )

  it.effect("firstToken bounds the way to the first content, whatever else comes", () =>
    Effect.gen(function* () {
      const chatter = Stream.repeat(Stream.make(""), Schedule.spaced("100 millis"))
      const primary = FallbackStream.tier({
        name: "primary",
        stream: chatter,
        isContent,
        firstToken: "2 seconds"
      })
      const { effect, seen } = collect(primary.pipe(FallbackStream.orElse(standby())))
      const { elapsed } = yield* timed(effect, "10 seconds")
      assert.deepStrictEqual([seen.join(""), elapsed], ["from standby", 2000])
    })
  )

  it.effect(
    "idle bounds the silence between contents; chatter does not count, a slow reader does not either",
    () =>
      Effect.gen(function* () {
        const silent = Stream.concat(
          Stream.make("a"),
          Stream.repeat(Stream.make(""), Schedule.spaced("1 second"))
        )
        const tier = FallbackStream.tier({ name: "primary", stream: silent, isContent, idle: "5 seconds" })
        const stalled = yield* timed(Stream.runDrain(tier), "1 minute")
        const error = errorOf(stalled.exit)
        assert(error instanceof Deadline.DeadlineExceeded)
        assert.deepStrictEqual([error.bound, stalled.elapsed], ["idle", 5000])

        const words = Array.from({ length: 40 }, (_, index) => `${index}`)
        const eager = FallbackStream.tier({
          name: "eager",
          stream: Stream.rechunk(Stream.fromIterable(words), 1),
          isContent,
          idle: "5 seconds"
        })
        const slowly = yield* timed(
          Stream.runForEach(eager, () => Effect.sleep("8 seconds")),
          "1 hour"
        )
        assert.deepStrictEqual([slowly.exit, slowly.elapsed], [Exit.void, 320_000])
      })
  )

  it.effect("a silence goes on where it was when the caller takes again", () =>
    Effect.gen(function* () {
      const comments = Stream.fromChunk(Chunk.makeBy(20, () => ""))
      const stream = Stream.make("a").pipe(
        Stream.concat(Stream.drain(Stream.fromEffect(Effect.sleep("4 seconds")))),
        Stream.concat(comments),
        Stream.concat(Stream.never)
      )
      const tier = FallbackStream.tier({ name: "primary", stream, isContent, idle: "5 seconds" })
      const { elapsed } = yield* timed(
        Stream.runForEach(tier, (text) => Effect.sleep(text === "" ? 0 : "62 seconds"))
      )
      assert.strictEqual(elapsed, 63_000)
    })
  )

  it.effect("a stream that does not let itself be interrupted is left behind, and its bound is a bound", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const stubborn = Stream.fromEffect(Effect.uninterruptible(Effect.delay(Effect.succeed("b"), "1 hour")))
      const tier = FallbackStream.tier({
        name: "primary",
        stream: connected(log, "primary", Stream.concat(Stream.make("a"), stubborn)),
        idle: "5 seconds"
      })
      const { effect, seen } = collect(tier)
      const { elapsed } = yield* timed(effect, "1 minute", "something")
      assert.deepStrictEqual([seen, elapsed, log], [["a"], 5000, ["open primary"]])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(log, ["open primary", "close primary"])
    })
  )

  it.effect("what a stream holds in the scope around it is let go when nobody reads it any more", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const noted = (what: string) => Effect.sync(() => log.push(what))
      const reading = Effect.onInterrupt(Effect.never, () => noted("reads no more"))
      const stream = Stream.unwrap(
        Effect.as(
          Effect.acquireRelease(noted("open"), () => noted("close")),
          Stream.concat(Stream.make("a"), Stream.fromEffect(reading))
        )
      )
      yield* Stream.runDrain(Stream.take(FallbackStream.tier({ name: "primary", stream }), 1))
      assert.deepStrictEqual(log, ["open", "reads no more", "close"])
    })
  )

  it.effect("maxStream bounds its whole length", () =>
    Effect.gen(function* () {
      const endless = Stream.repeat(Stream.make("a"), Schedule.spaced("1 second"))
      const tier = FallbackStream.tier({
        name: "primary",
        stream: endless,
        idle: "5 seconds",
        maxStream: "30 seconds"
      })
      const { elapsed, exit } = yield* timed(Stream.runDrain(tier), "1 hour")
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(elapsed, 30_000)
    })
  )

  it.effect("a caller that takes enough, or leaves, closes the tier; only leaving is an interruption", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const outcomes: Array<string> = []
      const hear = Effect.provideService(Attempt.Listener, (event) => {
        if (event._tag === "AttemptEnded") outcomes.push(event.attempt.outcome)
      })
      const endless = connected(log, "p", Stream.repeat(Stream.make("a"), Schedule.spaced("1 second")))
      const breaker = yield* CircuitBreaker.make({ key: "p", trip: CircuitBreaker.consecutive(1) })
      const tier = FallbackStream.tier({ name: "p", stream: endless, breaker })
      yield* timed(hear(Stream.runDrain(Stream.take(tier, 2))), "5 seconds")
      assert.deepStrictEqual([log, outcomes], [["open p", "close p"], ["success"]])
      const fiber = yield* Effect.fork(hear(Stream.runDrain(tier)))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log.slice(2), ["open p", "close p"])
      assert.deepStrictEqual(outcomes, ["success", "interrupted"])
      assert.strictEqual((yield* breaker.state)._tag, "Closed")
    })
  )

  it.effect("a listener of its own hears the whole stream", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const tier = FallbackStream.tier({ name: "p", stream: Stream.make("a", "b") })
      const served = FallbackStream.served(tier, { listener: ({ _tag }) => heard.push(_tag) })
      yield* Effect.scoped(Effect.flatMap(served, ({ value }) => Stream.runDrain(value)))
      assert.deepStrictEqual(heard, ["AttemptEnded", "TierEnded", "RunEnded"])
    })
  )

  it.effect("leaving the scope of a committed stream that nobody read closes the tier", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      yield* Effect.scoped(FallbackStream.served(standby(log)))
      assert.deepStrictEqual(log, ["open standby", "close standby"])
    })
  )

  it("bounds end what they bound whatever the sum of milliseconds says that is rounded", async () => {
    const clock = new virtual.VirtualClock()
    clock.unsafeSchedule(() => {}, Duration.millis(1789.160464))
    clock.step()
    const stream = Stream.concat(Stream.make("a"), Stream.never)
    const tier = FallbackStream.tier({ name: "primary", stream, idle: 2307 })
    const { elapsed } = await virtual.run(Effect.exit(Stream.runDrain(tier)), { clock })
    assert.approximately(elapsed, 2307, 1e-6)
  })

  it.effect("a bound of no time ends what it bounds at once, whenever that begins", () =>
    Effect.gen(function* () {
      const at = (millis: number) => Stream.fromEffect(Effect.as(Effect.sleep(millis), "a"))
      const bound = (limits: { readonly idle: number } | { readonly maxStream: number }) =>
        Effect.forEach([Stream.make("a"), at(0), at(1000)], (beginning) => {
          const stream = Stream.concat(beginning, Stream.never)
          const { effect, seen } = collect(FallbackStream.tier({ name: "primary", stream, ...limits }))
          return Effect.map(timed(effect), ({ elapsed, exit }) => {
            const error = errorOf(exit)
            assert(error instanceof Deadline.DeadlineExceeded)
            return [seen.join(), error.bound, elapsed]
          })
        })
      for (const limits of [{ idle: 0 }, { maxStream: 0 }]) {
        const [name] = Object.keys(limits)
        assert.deepStrictEqual(yield* bound(limits), [
          ["a", name, 0],
          ["a", name, 0],
          ["a", name, 1000]
        ])
      }
    })
  )

  it.effect(
    "what a stream that has ended takes to let go is no silence, and no more than its whole length",
    () =>
      Effect.gen(function* () {
        const end = (
          bounds: { readonly maxStream?: Duration.DurationInput },
          last: Stream.Stream<never, string>
        ) => {
          const slow = Effect.addFinalizer(() => Effect.sleep("10 seconds"))
          const stream = Stream.unwrapScoped(Effect.as(slow, Stream.concat(Stream.make("a"), last)))
          return timed(
            Effect.exit(
              Stream.runDrain(FallbackStream.tier({ name: "p", stream, idle: "3 seconds", ...bounds }))
            ),
            "1 hour",
            bounds.maxStream === undefined ? "nothing" : "something"
          )
        }
        const late = Stream.drain(Stream.fromEffect(Effect.sleep("2 seconds")))
        for (const last of [Stream.empty, late]) {
          assert.deepStrictEqual((yield* end({}, last)).exit, Exit.succeed(Exit.void))
        }
        assert.deepStrictEqual((yield* end({}, Stream.fail("reset"))).exit, Exit.succeed(Exit.fail("reset")))
        const { elapsed, exit } = yield* end({ maxStream: "5 seconds" }, Stream.empty)
        assert.deepStrictEqual([Exit.map(exit, Exit.isFailure), elapsed], [Exit.succeed(true), 5000])
      })
  )

  it("a silence that waits for the caller sets no timers", async () => {
    const clock = new virtual.SchedulingClock()
    const set = clock.unsafeSchedule.bind(clock)
    let timers = 0
    clock.unsafeSchedule = (task, duration) => {
      timers++
      return set(task, duration)
    }
    const stream = Stream.make("a").pipe(
      Stream.concat(Stream.drain(Stream.fromEffect(Effect.sleep("4999 millis")))),
      Stream.concat(Stream.fromChunk(Chunk.makeBy(20, () => ""))),
      Stream.concat(Stream.never)
    )
    const tier = FallbackStream.tier({ name: "primary", stream, isContent, idle: "5 seconds" })
    const reading = Stream.runForEach(tier, (text) => Effect.sleep(text === "" ? 0 : "1 minute"))
    const { elapsed } = await virtual.run(Effect.exit(reading), { clock })
    assert.strictEqual(elapsed, 60_001)
    assert.isBelow(timers, 30)
  })
})
