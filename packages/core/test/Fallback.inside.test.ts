import { assert, describe, it } from "@effect/vitest"
import { Chunk, Context, Duration, Effect, Exit, Stream } from "effect"
import { Attempt, Backoff, CircuitBreaker, Deadline, Fallback, FallbackStream, Tier } from "../src/index.ts"
import { drain, run, SchedulingClock, VirtualClock } from "./laws/virtual.ts"
import { errorOf, timed } from "./scripted.ts"

/** Of timers that are due together the last one set comes first. */
class LastFirst extends SchedulingClock {
  private readonly due = new Map<number, Array<() => void>>()

  override unsafeSchedule(task: () => void, duration: Duration.Duration): () => boolean {
    const at = this.unsafeCurrentTimeMillis() + Duration.toMillis(duration)
    const together = this.due.get(at) ?? []
    this.due.set(at, together)
    together.push(task)
    super.unsafeSchedule(() => together.pop()?.(), duration)
    return () => {
      const index = together.indexOf(task)
      return index >= 0 && together.splice(index, 1).length > 0
    }
  }
}

const bounds = { attemptTimeout: "attemptTimeout", timeout: "timeout", deadline: "deadline" } as const

describe.each([
  ["the one set first comes first", () => new SchedulingClock()],
  ["the one set last comes first", () => new LastFirst()],
  ["each is a sleep", () => new VirtualClock()]
])("a run inside an attempt, where of timers that are due together %s", (_, make) => {
  /** How an attempt ends in which there is a run, under a bound of 5 s and with a retry left, and what its breaker makes of it. */
  const outer = async (bound: keyof typeof bounds, inner: Effect.Effect<unknown, unknown>) => {
    const ended: Array<string> = []
    const breaker = await Effect.runPromise(
      CircuitBreaker.make({ key: "outer", trip: CircuitBreaker.consecutive(1) })
    )
    const tier = Tier.make({
      name: "outer",
      effect: inner,
      breaker,
      backoff: Backoff.constant({ delay: "1 second", times: 2 }),
      ...(bound !== "deadline" && { [bound]: "5 seconds" })
    }).pipe(Fallback.within(bound === "deadline" ? "5 seconds" : "1 hour"), Fallback.named("outer"))
    const listener = (event: Attempt.Event) => {
      if (event._tag === "AttemptEnded" && event.run === "outer") ended.push(event.attempt.outcome)
    }
    const clock = make()
    const { elapsed, exit } = await run(Effect.provideService(tier, Attempt.Listener, listener), { clock })
    // What is left behind is out of time too.
    await drain(clock)
    assert(exit !== undefined && Exit.isFailure(exit) && exit.cause._tag === "Fail")
    const error = exit.cause.error
    assert(error instanceof Fallback.AllTiersFailed)
    const state = await Effect.runPromise(breaker.state)
    return { ended, elapsed, reason: error.reason, breaker: state._tag }
  }

  const hanging = Tier.make({ name: "inner", effect: Effect.never })
  const nested = Tier.make({ name: "middle", effect: hanging })

  describe.each([
    ["one run", hanging],
    ["a run in a run", nested],
    ["a run that does not let itself be interrupted", Effect.uninterruptible(hanging)],
    ["a run whose own bound is due then too", hanging.pipe(Fallback.within("5 seconds"))],
    ["a hedge", hanging.pipe(Fallback.hedge(nested, { after: "1 second" }))]
  ])("%s", (_, inner) => {
    it("is ended by the attempt, whose bound it is", async () => {
      const cut = { ended: ["timeout"], elapsed: 5_000 }
      assert.deepStrictEqual(await outer("attemptTimeout", inner), {
        ...cut,
        reason: "failed",
        breaker: "Open"
      })
      assert.deepStrictEqual(await outer("timeout", inner), { ...cut, reason: "failed", breaker: "Closed" })
      assert.deepStrictEqual(await outer("deadline", inner), {
        ...cut,
        reason: "deadline",
        breaker: "Closed"
      })
    })
  })

  it("keeps to a deadline that is nearer than the attempt's", async () => {
    const inner = Effect.provideServiceEffect(hanging, Deadline.Current, Deadline.within("2 seconds"))
    assert.deepStrictEqual(await outer("timeout", inner), {
      ended: ["failure"],
      elapsed: 2_000,
      reason: "failed",
      breaker: "Open"
    })
  })

  it("has no time where the attempt has none", async () => {
    for (const none of [hanging, nested]) {
      const tier = Tier.make({ name: "outer", effect: none, attemptTimeout: 0 })
      const { elapsed, exit } = await run(Effect.flip(tier), { clock: make() })
      assert(exit !== undefined && Exit.isSuccess(exit) && exit.value instanceof Fallback.AllTiersFailed)
      assert.deepStrictEqual([elapsed, exit.value.attempts.map(({ outcome }) => outcome)], [0, ["timeout"]])
    }
  })
})

describe("a run inside a stream", () => {
  class Word extends Context.Tag("Word")<Word, string>() {}

  const inner = Tier.make({ name: "inner", effect: Effect.delay(Word, "1 second") }).pipe(
    Fallback.orElse(Tier.make({ name: "other", effect: Word }))
  )
  const stream = <E>(run: Effect.Effect<string, E, Word>) =>
    // Provided once, before the stream begins.
    Stream.make("one").pipe(
      Stream.concat(Stream.fromEffect(Effect.delay(run, "10 seconds"))),
      Stream.provideService(Word, "two")
    )
  const bounded = <E>(run: Effect.Effect<string, E, Word>) => [
    FallbackStream.tier({ name: "a", stream: stream(run), firstToken: "5 seconds" }),
    FallbackStream.tier({ name: "a", stream: stream(run), timeout: "5 seconds" }),
    FallbackStream.tier({ name: "a", stream: stream(run) }).pipe(FallbackStream.within("5 seconds"))
  ]

  it.effect("has no deadline once that has begun", () =>
    Effect.gen(function* () {
      for (const run of [
        inner,
        Effect.provideServiceEffect(inner, Deadline.Current, Deadline.within("2 seconds"))
      ]) {
        for (const each of bounded(run)) {
          const { exit } = yield* timed(Stream.runCollect(each))
          assert.deepStrictEqual(Exit.map(exit, Chunk.toArray), Exit.succeed(["one", "two"]))
        }
      }
      const seen = Stream.make(0).pipe(
        Stream.concat(Stream.fromEffect(Effect.delay(Deadline.Current, "10 seconds")))
      )
      const tier = FallbackStream.tier({ name: "a", stream: seen, firstToken: "5 seconds" })
      const { exit } = yield* timed(Effect.provideService(Stream.runCollect(tier), Deadline.Current, 1e9))
      assert.deepStrictEqual(Exit.map(exit, Chunk.toArray), Exit.succeed([0, Number.POSITIVE_INFINITY]))
    })
  )

  it.effect("has its own, and that of the stream until that has begun", () =>
    Effect.gen(function* () {
      const near = Effect.provideServiceEffect(inner, Deadline.Current, Deadline.within("1 millis"))
      for (const each of bounded(near)) {
        const { elapsed, exit } = yield* timed(Stream.runCollect(each))
        assert.strictEqual(elapsed, 10_001)
        assert(errorOf(exit)._tag === "AllTiersFailed")
      }
      const first = Stream.provideService(Stream.fromEffect(Effect.delay(inner, "4500 millis")), Word, "late")
      const tier = FallbackStream.tier({ name: "a", stream: first, firstToken: "5 seconds" })
      const { elapsed, exit } = yield* timed(Stream.runCollect(tier))
      const error = errorOf(exit)
      assert(error._tag === "AllTiersFailed")
      assert.deepStrictEqual([elapsed, error.attempts.map(({ outcome }) => outcome)], [5000, ["timeout"]])
    })
  )

  it.effect("may be a stream, and begin after that", () =>
    Effect.gen(function* () {
      const part = (text: string) => FallbackStream.tier({ name: text, stream: Stream.make(text) })
      const pause = Stream.drain(Stream.fromEffect(Effect.sleep("10 seconds")))
      const whole = Stream.concat(part("one"), Stream.concat(pause, part("two")))
      const tier = FallbackStream.tier({ name: "a", stream: whole, firstToken: "5 seconds" })
      const { exit } = yield* timed(Stream.runCollect(tier))
      assert.deepStrictEqual(Exit.map(exit, Chunk.toArray), Exit.succeed(["one", "two"]))
    })
  )
})
