import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, ExecutionPlan, Exit, Option, Schedule, Stream } from "effect"
import { Backoff, Deadline, FallbackStream, type Tier } from "../src/index.ts"
import { timed } from "./scripted.ts"

type Source = Stream.Stream<number, string>

class Model extends Context.Tag("Model")<Model, { readonly say: Source }>() {}

const say = Stream.unwrap(Effect.map(Model, (model) => model.say))

const model = (source: Source) => Context.make(Model, { say: source })

const plan = (a: Source, b: Source) => ExecutionPlan.make({ provide: model(a) }, { provide: model(b) })

const saidBy = (source: Source): Source => Stream.provideContext(say, model(source))

/** Zero is what a model says before it says anything. */
const tiers = (
  a: Source,
  b: Source,
  options?: Partial<Tier.Options<string | FallbackStream.EmptyStream>>
) => {
  const tier = (name: string, stream: Source) =>
    FallbackStream.tier({ name, stream: saidBy(stream), isContent: (element) => element !== 0, ...options })
  return FallbackStream.orElse(tier("a", a), tier("b", b))
}

const breaking = (...said: ReadonlyArray<number>): Source =>
  Stream.concat(Stream.fromIterable(said), Stream.fail("reset"))

const standby = Stream.make(10, 11)

/** What the caller was given of a stream, and how that ended. */
const given = <E>(stream: Stream.Stream<number, E>) => {
  const seen: Array<number> = []
  const taken = Stream.runForEach(stream, (element) => Effect.sync(() => void seen.push(element)))
  return Effect.map(Effect.exit(taken), (exit) => [seen, exit] as const)
}

/** The same by a caller that waits no longer than an hour, and how long it took. */
const patiently = <E>(stream: Stream.Stream<number, E>) =>
  Effect.flatMap(timed(Effect.timeoutOption(given(stream), "1 hour")), ({ elapsed, exit }) =>
    Effect.map(exit, (heard) => ({ elapsed, heard: Option.getOrUndefined(heard) }))
  )

describe("Stream.withExecutionPlan and stream tiers alike", () => {
  it.effect("what fails before it has said anything is replaced unseen", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* given(Stream.withExecutionPlan(say, plan(breaking(), standby))), [
        [10, 11],
        Exit.void
      ])
      assert.deepStrictEqual(yield* given(tiers(breaking(), standby)), [[10, 11], Exit.void])
    })
  )

  it.effect("with `preventFallbackOnPartialStream` a plan stays with the step that has begun, too", () =>
    Effect.gen(function* () {
      const options = { preventFallbackOnPartialStream: true }
      const planned = Stream.withExecutionPlan(say, plan(breaking(1, 2), standby), options)
      assert.deepStrictEqual(yield* given(planned), [[1, 2], Exit.fail("reset")])
      assert.deepStrictEqual(yield* given(tiers(breaking(1, 2), standby)), [[1, 2], Exit.fail("reset")])
    })
  )
})

describe("where ExecutionPlan and stream tiers differ", () => {
  it.effect("a plan joins what two steps said unless it is told not to; a tier that has begun is alone", () =>
    Effect.gen(function* () {
      const planned = Stream.withExecutionPlan(say, plan(breaking(1, 2), standby))
      assert.deepStrictEqual(yield* given(planned), [[1, 2, 10, 11], Exit.void])
      assert.deepStrictEqual(yield* given(tiers(breaking(1, 2), standby)), [[1, 2], Exit.fail("reset")])
    })
  )

  it.effect(
    "a step's own retry begins again for ever, whatever `attempts` and `preventFallbackOnPartialStream` say",
    () =>
      Effect.gen(function* () {
        const thrice = ExecutionPlan.make({ provide: model(breaking(1, 2)), attempts: 3 })
        const options = { preventFallbackOnPartialStream: true }
        const planned = Stream.take(Stream.withExecutionPlan(say, thrice, options), 101)
        const [said] = yield* given(planned)
        assert.deepStrictEqual(said.slice(0, 5), [1, 2, 1, 2, 1])
        assert.lengthOf(said, 101)

        const backoff = Backoff.constant({ delay: 0, times: 2 })
        const run = given(tiers(breaking(1, 2), standby, { backoff }))
        assert.deepStrictEqual(yield* run, [[1, 2], Exit.fail("reset")])
      })
  )

  it.effect("a plan takes the first element for the answer; a tier waits for the first that counts", () =>
    Effect.gen(function* () {
      const options = { preventFallbackOnPartialStream: true }
      const planned = Stream.withExecutionPlan(say, plan(breaking(0), standby), options)
      assert.deepStrictEqual(yield* given(planned), [[0], Exit.fail("reset")])
      assert.deepStrictEqual(yield* given(tiers(breaking(0), standby)), [[10, 11], Exit.void])
    })
  )

  it.effect("a stream of nothing is a plan's answer; for a tier it is a failure", () =>
    Effect.gen(function* () {
      const planned = Stream.withExecutionPlan(say, plan(Stream.empty, standby))
      assert.deepStrictEqual(yield* given(planned), [[], Exit.void])
      assert.deepStrictEqual(yield* given(tiers(Stream.empty, standby)), [[10, 11], Exit.void])
    })
  )

  it.effect("a plan listens to silence for ever; a tier does not, before the first word or after it", () =>
    Effect.gen(function* () {
      const planned = yield* patiently(Stream.withExecutionPlan(say, plan(Stream.never, standby)))
      assert.strictEqual(planned.heard, undefined)
      const tier = (source: Source) =>
        FallbackStream.tier({
          name: "a",
          stream: saidBy(source),
          firstToken: "10 seconds",
          idle: "1 minute"
        }).pipe(FallbackStream.orElse(FallbackStream.tier({ name: "b", stream: saidBy(standby) })))
      const before = yield* patiently(tier(Stream.never))
      assert.deepStrictEqual(before, { elapsed: 10_000, heard: [[10, 11], Exit.void] })
      const after = yield* patiently(tier(Stream.concat(Stream.make(1), Stream.never)))
      const idle = new Deadline.DeadlineExceeded({ bound: "idle", limit: Duration.minutes(1) })
      assert.deepStrictEqual(after, { elapsed: 60_000, heard: [[1], Exit.fail(idle)] })
    })
  )

  it.effect(
    "a later step of streams sleeps before its first attempt as well; a later tier starts at once",
    () =>
      Effect.gen(function* () {
        const paused = ExecutionPlan.make(
          { provide: model(breaking()) },
          { provide: model(standby), attempts: 2, schedule: Schedule.spaced("5 seconds") }
        )
        const planned = yield* patiently(Stream.withExecutionPlan(say, paused))
        assert.strictEqual(planned.elapsed, 5000)
        const backoff = Backoff.constant({ delay: "5 seconds", times: 0 })
        assert.strictEqual((yield* patiently(tiers(breaking(), standby, { backoff }))).elapsed, 0)
      })
  )
})
