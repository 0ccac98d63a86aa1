import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { wait } from "../src/internal/run/wait.ts"
import { turns } from "./leftovers.ts"

describe("a wait", () => {
  it.effect("ends with the first thing it is told, later or at once", () =>
    Effect.gen(function* () {
      let tell = (_: Effect.Effect<void>) => {}
      const waiting = yield* Effect.fork(
        wait((resume) => {
          tell = resume
        })
      )
      yield* turns
      assert.isNull(waiting.unsafePoll())
      tell(Exit.void)
      tell(Effect.die("told before"))
      yield* Fiber.join(waiting)
      yield* wait((resume) => {
        resume(Exit.void)
        resume(Effect.die("told before"))
      })
    })
  )

  it.effect("dies of what it is asked with, and is given up where its fiber is interrupted", () =>
    Effect.gen(function* () {
      const dying = wait(() => {
        throw new Error("bug")
      })
      assert.deepStrictEqual(yield* Effect.exit(dying), Exit.die(new Error("bug")))
      const waiting = yield* Effect.fork(wait(() => {}))
      yield* turns
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(waiting)))
    })
  )

  it.effect("can be run again, each time anew", () =>
    Effect.gen(function* () {
      let asked = 0
      const waiting = wait((resume) => {
        asked++
        resume(Exit.void)
      })
      yield* Effect.repeatN(waiting, 2)
      assert.strictEqual(asked, 3)
    })
  )
})
