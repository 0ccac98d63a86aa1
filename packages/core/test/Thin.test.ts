import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FastCheck, Fiber, Scope } from "effect"
import { Thin } from "../src/index.ts"
import { law } from "./law.ts"
import { turns } from "./leftovers.ts"

describe("a wait", () => {
  it.effect("ends with the first thing it is told, later or at once", () =>
    Effect.gen(function* () {
      let tell = (_: Effect.Effect<void>) => {}
      const waiting = yield* Effect.fork(
        Thin.wait((resume) => {
          tell = resume
        })
      )
      yield* turns
      assert.isNull(waiting.unsafePoll())
      tell(Exit.void)
      tell(Effect.die("told before"))
      yield* Fiber.join(waiting)
      yield* Thin.wait((resume) => {
        resume(Exit.void)
        resume(Effect.die("told before"))
      })
    })
  )

  it.effect("dies of what it is asked with, and is given up where its fiber is interrupted", () =>
    Effect.gen(function* () {
      const dying = Thin.wait(() => {
        throw new Error("bug")
      })
      assert.deepStrictEqual(yield* Effect.exit(dying), Exit.die(new Error("bug")))
      const waiting = yield* Effect.fork(Thin.wait(() => {}))
      yield* turns
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(waiting)))
    })
  )

  it.effect("can be run again, each time anew", () =>
    Effect.gen(function* () {
      let asked = 0
      const waiting = Thin.wait((resume) => {
        asked++
        resume(Exit.void)
      })
      yield* Effect.repeatN(waiting, 2)
      assert.strictEqual(asked, 3)
    })
  )
})

it.effect("what is made interruptible is interrupted, and what is around it goes on", () =>
  Effect.gen(function* () {
    const log: Array<boolean> = []
    const note = Effect.checkInterruptible((can) => Effect.sync(() => log.push(can)))
    const inner = Thin.interruptible(Effect.zipRight(note, Effect.never))
    const outer = Effect.zipRight(note, Effect.zipRight(Effect.exit(inner), note))
    const fiber = yield* Effect.fork(Effect.uninterruptible(outer))
    yield* turns
    yield* Fiber.interrupt(fiber)
    assert.deepStrictEqual(log, [false, true, false])
  })
)

describe("a scope", () => {
  const steps = FastCheck.array(FastCheck.constantFrom("add", "add dying", "add slow", "fork", "close"), {
    maxLength: 6
  })

  /** What becomes of a scope, told in order. */
  const story = <S extends Scope.CloseableScope>(
    scope: S,
    close: (scope: S, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>,
    steps: ReadonlyArray<string>
  ): Effect.Effect<Array<string>> =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const take = (step: string, name: string): Effect.Effect<void> => {
        const adding = (within: Scope.Scope, end: Effect.Effect<void>) =>
          Scope.addFinalizerExit(within, (exit) => {
            log.push(`${name} ${exit}`)
            return end
          })
        switch (step) {
          case "add dying":
            return adding(scope, Effect.die(name))
          case "add slow":
            return adding(scope, Effect.yieldNow())
          case "fork":
            return Effect.flatMap(Scope.fork(scope, scope.strategy), (forked) => adding(forked, Effect.void))
          case "close":
            return Effect.suspend(() => close(scope, Exit.fail(name)))
          default:
            return adding(scope, Effect.void)
        }
      }
      for (const [index, step] of [...steps, "close", "add", "close"].entries()) {
        log.push(String(yield* Effect.exit(take(step, `${index}`))))
      }
      return log
    })

  law("does what one of Effect's does, whoever closes it", [steps], (steps) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const expected = yield* story(yield* Scope.make(), Scope.close, steps)
        assert.deepStrictEqual(yield* story(Thin.makeScope(), Scope.close, steps), expected)
        const closed = yield* story(Thin.makeScope(), (scope, exit) => scope.closing(exit), steps)
        assert.deepStrictEqual(closed, expected)
      })
    )
  )
})
