import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, ExecutionStrategy, Exit, Fiber, Option, Scope, TestClock } from "effect"
import { Backoff, Fallback, Tier } from "../src/index.ts"
import { type Around, AttemptFiber, attemptsIn } from "../src/internal/run/attempt.ts"
import { Pace } from "../src/internal/run/pace.ts"
import { Underway } from "../src/internal/run/underway.ts"

/** What closes notes its name, and how what it belongs to has ended. */
const noting = (log: Array<string>) => (name: string) => (exit: Exit.Exit<unknown, unknown>) =>
  Effect.sync(() => log.push(`${name} ${Exit.isSuccess(exit) ? exit.value : "failed"}`))

describe("the scope of an attempt", () => {
  it.effect("is closed before anything else starts, what was opened last first", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const note = noting(log)
      const attempt = (name: string, end: Effect.Effect<string, string>) =>
        Tier.make({
          name,
          effect: Effect.sync(() => log.push(name)).pipe(
            Effect.zipRight(Effect.addFinalizer(note("first"))),
            Effect.zipRight(Effect.addFinalizer(note("second"))),
            Effect.zipRight(end)
          ),
          backoff: Backoff.constant({ delay: 0, times: 1 })
        })
      yield* Fallback.orElse(attempt("a", Effect.fail("down")), attempt("b", Effect.succeed("answer")))
      assert.deepStrictEqual(log, [
        "a",
        "second failed",
        "first failed",
        "a",
        "second failed",
        "first failed",
        "b",
        "second answer",
        "first answer"
      ])
    })
  )

  it.effect("closes at once what is added after it, and is told how the attempt has ended", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const note = noting(log)
      const scope = yield* Tier.make({ name: "a", effect: Effect.scope })
      const used = yield* Tier.make({
        name: "b",
        effect: Effect.zipRight(Effect.addFinalizer(note("in time")), Effect.scope)
      })
      for (const each of [scope, used]) {
        yield* Scope.addFinalizerExit(each, (exit) => note("late")(Exit.as(exit, "answer")))
        const forked = yield* Scope.fork(each, ExecutionStrategy.sequential)
        yield* Scope.addFinalizerExit(forked, (exit) => note("forked")(Exit.as(exit, "answer")))
      }
      assert.deepStrictEqual(log.slice(1), ["late answer", "forked answer", "late answer", "forked answer"])
    })
  )

  it.effect("closes what is forked from it, unless that was closed before", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const note = noting(log)
      const effect = Effect.gen(function* () {
        const scope = yield* Effect.scope
        const [kept, closed] = yield* Effect.all([
          Scope.fork(scope, ExecutionStrategy.sequential),
          Scope.fork(scope, ExecutionStrategy.sequential)
        ])
        yield* Scope.addFinalizerExit(kept, note("kept"))
        yield* Scope.addFinalizerExit(closed, note("closed"))
        yield* Scope.close(closed, Exit.succeed("early"))
        return "answer"
      })
      yield* Tier.make({ name: "a", effect })
      assert.deepStrictEqual(log, ["closed early", "kept answer"])
    })
  )

  it.effect("takes from fibers of the attempt that open something in the same moment", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const adding = (name: string) => Effect.addFinalizer(noting(log)(name))
      const effect = Effect.forEach(["one", "two", "three"], adding, { concurrency: "unbounded" })
      yield* Tier.make({ name: "a", effect: Effect.as(effect, "answer") })
      assert.sameMembers(log, ["one answer", "two answer", "three answer"])
    })
  )

  it.effect("has the fibers that are forked in it: they end with it, and after it at once", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const forked = (name: string) => Effect.onExit(Effect.never, noting(log)(name))
      const scope = yield* Tier.make({
        name: "a",
        effect: Effect.zipRight(
          Effect.forkScoped(forked("before")),
          Effect.zipRight(Effect.yieldNow(), Effect.scope)
        )
      })
      assert.deepStrictEqual(log, ["before failed"])
      const unused = yield* Tier.make({ name: "b", effect: Effect.scope })
      for (const ended of [scope, unused]) {
        const late = yield* Effect.forkIn(Effect.never, ended)
        assert.isTrue(Exit.isInterrupted(yield* Fiber.await(late)))
      }
    })
  )

  it.effect("whose finalizer dies has the attempt die", () =>
    Effect.gen(function* () {
      const dying = Effect.addFinalizer(() => Effect.die("bug"))
      for (const end of [Effect.succeed("answer"), Effect.fail("down")]) {
        const exit = yield* Effect.exit(Tier.make({ name: "a", effect: Effect.zipRight(dying, end) }))
        assert.deepStrictEqual(exit, Exit.die("bug"))
      }
    })
  )

  it.effect("is closed by an attempt left behind when that lets go, whoever has answered since", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const note = noting(log)
      const late = yield* Deferred.make<void>()
      const stubborn = Effect.zipRight(
        Effect.sleep("5 seconds"),
        Effect.zipRight(Effect.addFinalizer(note("late")), Deferred.succeed(late, undefined))
      )
      const a = Tier.make({
        name: "a",
        effect: Effect.zipRight(Effect.uninterruptible(stubborn), Effect.never),
        attemptTimeout: "1 second"
      })
      const run = yield* Effect.fork(
        Fallback.orElse(a, Tier.make({ name: "b", effect: Effect.succeed("b") }))
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.poll(run), Option.some(Exit.succeed("b")))
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust("4 seconds")
      yield* Deferred.await(late)
      assert.deepStrictEqual(log, ["late failed"])
    })
  )

  it.effect("and a stream that begins too late has no pace: its attempt is over", () =>
    Effect.gen(function* () {
      const around = yield* Effect.withFiberRuntime<Around<Scope.Scope>>((fiber, { runtimeFlags }) =>
        Effect.clockWith((clock) => Effect.succeed(attemptsIn(fiber, runtimeFlags, clock)))
      )
      const late = Effect.flatMap(Underway, (attempt) =>
        Effect.sync(() => attempt?.begins("stream", new Pace(), () => {}))
      )
      const effect = Effect.uninterruptible(Effect.zipRight(Effect.sleep("2 seconds"), late))
      const open = { span: undefined, tierSpan: undefined, usage: undefined, pace: undefined }
      const attempt = new AttemptFiber(effect, open, around, "firstToken", 1_000, 1_000)
      const waiting = yield* Effect.fork(attempt.wait())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(waiting)
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isFailure(attempt.exit))
      assert.isUndefined(open.pace)
    })
  )

  for (const end of ["stop", "leave"] as const) {
    it.effect(`is closed by the end of the stream that is its answer: ${end}`, () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const around = yield* Effect.withFiberRuntime<Around<Scope.Scope>>((fiber, { runtimeFlags }) =>
          Effect.clockWith((clock) => Effect.succeed(attemptsIn(fiber, runtimeFlags, clock)))
        )
        const reading = Effect.flatMap(Underway, (attempt): Effect.Effect<string> => {
          attempt?.begins("stream", new Pace(), () => log.push("ended"))
          return Effect.never
        })
        const effect = Effect.zipRight(Effect.addFinalizer(noting(log)("closed")), reading)
        const open = { span: undefined, tierSpan: undefined, usage: undefined, pace: undefined }
        const never = Number.POSITIVE_INFINITY
        const attempt = new AttemptFiber(effect, open, around, "timeout", never, never)
        yield* attempt.wait()
        assert.deepStrictEqual(attempt.exit, Exit.succeed("stream"))
        assert.deepStrictEqual(log, [])
        yield* attempt[end]()
        assert.deepStrictEqual(log, ["closed failed", "ended"])
      })
    )
  }

  it.effect("is followed by the end of what the attempt forked, before anything else starts", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const note = noting(log)
      const child = Effect.never.pipe(
        Effect.onExit(() =>
          Effect.zipRight(Effect.sleep("1 second"), note("child")(Exit.fail("interrupted")))
        )
      )
      const a = Tier.make({
        name: "a",
        effect: Effect.addFinalizer(note("scope")).pipe(
          Effect.zipRight(Effect.fork(child)),
          Effect.zipRight(Effect.yieldNow()),
          Effect.zipRight(Effect.fail("down"))
        )
      })
      const b = Tier.make({ name: "b", effect: Effect.sync(() => log.push("b")) })
      const run = yield* Effect.fork(Fallback.orElse(a, b))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(run)
      assert.deepStrictEqual(log, ["scope failed", "child failed", "b"])
    })
  )
})
