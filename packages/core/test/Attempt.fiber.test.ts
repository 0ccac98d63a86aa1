import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, FiberRef, FiberRefs, Stream, Supervisor, TestClock } from "effect"
import { Fallback, FallbackStream, Tier } from "../src/index.ts"
import { connected, errorOf } from "./scripted.ts"

/** One tier that sets a fiber's local, and all that may come with it. */
const locals: ReadonlyArray<readonly [name: string, ready: Effect.Effect<unknown>]> = [
  ["at once", Effect.void],
  ["after it has waited", Effect.yieldNow()],
  ["after it has forked", Effect.flatMap(Effect.fork(Effect.void), Fiber.join)],
  ["after it has logged", Effect.logTrace("a line")]
]

describe("the fiber of an attempt", () => {
  for (const [name, ready] of locals) {
    it.scoped(
      `what a success sets of its fiber's locals ${name} is the run's, what a failure sets is not`,
      () =>
        Effect.gen(function* () {
          const fresh = yield* FiberRef.make("initial")
          const known = yield* FiberRef.make("initial")
          yield* FiberRef.set(known, "run's")
          const set = (value: string) =>
            Effect.zipRight(ready, Effect.zip(FiberRef.set(fresh, value), FiberRef.set(known, value)))
          const failing = Tier.make({
            name: "a",
            effect: Effect.zipRight(set("failure's"), Effect.fail("down"))
          })
          const reading = Tier.make({
            name: "b",
            effect: Effect.zipRight(ready, Effect.zip(FiberRef.get(fresh), FiberRef.get(known)))
          })
          assert.deepStrictEqual(yield* Fallback.orElse(failing, reading), ["initial", "run's"])
          assert.deepStrictEqual(
            [yield* FiberRef.get(fresh), yield* FiberRef.get(known)],
            ["initial", "run's"]
          )

          yield* Fallback.orElse(failing, Tier.make({ name: "b", effect: set("success's") }))
          assert.deepStrictEqual(
            [yield* FiberRef.get(fresh), yield* FiberRef.get(known)],
            ["success's", "success's"]
          )
        })
    )
  }

  it.scoped("a local that changes where fibers are forked does not: the attempt is the run's own", () =>
    Effect.gen(function* () {
      const depth = yield* FiberRef.make(0, { fork: (depth) => depth + 1 })
      yield* FiberRef.set(depth, 10)
      assert.strictEqual(yield* Tier.make({ name: "a", effect: FiberRef.get(depth) }), 10)
    })
  )

  it.effect("has the run's locals, those of when the run began, and hands them on to what it forks", () =>
    Effect.gen(function* () {
      const ref = FiberRef.unsafeMake("initial")
      const other = FiberRef.unsafeMake("initial")
      const seen: Array<readonly [where: string, ref: string, other: string]> = []
      const see = (where: string) =>
        Effect.map(Effect.zip(FiberRef.get(ref), FiberRef.get(other)), (values) =>
          seen.push([where, ...values])
        )
      const inner = Tier.make({ name: "inner", effect: see("a run in the run") })
      const effect = see("at once").pipe(
        Effect.zipRight(Effect.flatMap(Effect.fork(see("a fiber")), Fiber.join)),
        Effect.zipRight(inner),
        Effect.zipRight(Effect.locally(inner, other, "locally")),
        Effect.zipRight(
          Effect.flatMap(Effect.getFiberRefs, (refs) =>
            Effect.sync(() => seen.push(["all", FiberRefs.getOrDefault(refs, ref), "initial"]))
          )
        )
      )
      yield* Effect.locally(Tier.make({ name: "a", effect }), ref, "run's")
      assert.deepStrictEqual(seen, [
        ["at once", "run's", "initial"],
        ["a fiber", "run's", "initial"],
        ["a run in the run", "run's", "initial"],
        ["a run in the run", "run's", "locally"],
        ["all", "run's", "initial"]
      ])
    })
  )

  it.effect("what is set after an attempt was left behind does not reach it", () =>
    Effect.gen(function* () {
      const ref = FiberRef.unsafeMake("initial")
      const seen = yield* Deferred.make<string>()
      const stubborn = Effect.uninterruptible(
        Effect.sleep("2 seconds").pipe(
          Effect.zipRight(FiberRef.get(ref)),
          Effect.flatMap((value) => Deferred.succeed(seen, value))
        )
      )
      const tier = Tier.make({ name: "a", effect: stubborn, attemptTimeout: "1 second" })
      yield* FiberRef.set(ref, "before")
      const run = yield* Effect.fork(
        Effect.zipRight(Effect.exit(tier), Effect.zipRight(FiberRef.set(ref, "after"), Deferred.await(seen)))
      )
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(run), "before")
    })
  )

  it.effect("a supervisor of the run sees the attempts' fibers begin and end", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      class Noting extends Supervisor.AbstractSupervisor<void> {
        override value = Effect.void
        override onStart(): void {
          log.push("start")
        }
        override onEnd(): void {
          log.push("end")
        }
      }
      const tier = (name: string, effect: Effect.Effect<string, string>) =>
        Tier.make({ name, effect: Effect.zipRight(Effect.yieldNow(), effect) })
      const run = Fallback.orElse(tier("a", Effect.fail("down")), tier("b", Effect.succeed("b")))
      yield* Effect.supervised(run, new Noting())
      assert.deepStrictEqual(log, ["start", "end", "start", "end"])
    })
  )

  it.effect("an interruption that waits for the run does not reach its attempts", () =>
    Effect.gen(function* () {
      const done: Array<string> = []
      const tier = (name: string) =>
        Tier.make({
          name,
          effect: Effect.zipRight(
            Effect.sleep("1 second"),
            Effect.sync(() => done.push(name))
          )
        })
      const fiber = yield* Effect.fork(Effect.uninterruptible(Effect.zipRight(tier("a"), tier("b"))))
      yield* TestClock.adjust("500 millis")
      fiber.unsafeInterruptAsFork(fiber.id())
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(done, ["a", "b"])
    })
  )

  it.effect("20 000 tiers that fail at once are left one after the other, not one inside the other", () =>
    Effect.gen(function* () {
      const failing = Array.from({ length: 20_000 }, (_, i) => `tier ${i}`).map((name) =>
        Tier.make({ name, effect: Effect.fail("down") })
      )
      const [first, ...rest] = failing
      assert(first !== undefined)
      // `orElse` copies what it composes.
      const halves = (tiers: typeof failing): Fallback.Fallback<never, string, never> => {
        const [only, ...more] = tiers
        if (more.length === 0) return only ?? first
        const half = tiers.length >> 1
        return Fallback.orElse(halves(tiers.slice(0, half)), halves(tiers.slice(half)))
      }
      const error = yield* Effect.flip(halves([first, ...rest]))
      assert(typeof error !== "string")
      assert.lengthOf(error.attempts, 20_000)
    })
  )

  it.effect("a stream whose caller leaves at its first content is closed", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const chat = FallbackStream.tier({
        name: "a",
        stream: connected(log, "a", Stream.concat(Stream.make("content"), Stream.never)),
        isContent: () => {
          caller.unsafeInterruptAsFork(caller.id())
          return true
        }
      })
      const caller = yield* Effect.fork(Stream.runDrain(chat))
      assert.isTrue(Exit.isFailure(yield* Fiber.await(caller)))
      assert.deepStrictEqual(log, ["open a", "close a"])
    })
  )

  it.effect("a failure that comes while the tiers below are under way is among the run's", () =>
    Effect.gen(function* () {
      const tier = (name: string, after: string) =>
        Tier.make({ name, effect: Effect.zipRight(Effect.sleep(after as "1 second"), Effect.fail(name)) })
      const hedged = Fallback.hedge(tier("a", "5 seconds"), tier("b", "1 second"), { after: "1 second" })
      const fiber = yield* Effect.fork(Effect.exit(hedged))
      yield* TestClock.adjust("5 seconds")
      const exit = yield* Fiber.join(fiber)
      const error = errorOf(exit)
      assert(typeof error !== "string")
      assert.deepStrictEqual([error.reason, error.attempts.map(({ tier }) => tier)], ["failed", ["b", "a"]])
    })
  )
})
