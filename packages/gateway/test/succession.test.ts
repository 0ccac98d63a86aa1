import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as Succession from "../src/internal/serving/succession.ts"

const named = (log: Array<string>, name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      log.push(`${name} comes`)
      return name
    }),
    () => Effect.sync(() => log.push(`${name} goes`))
  )

describe("Succession", () => {
  it.scoped("whoever is replaced goes when the last user has gone, and nobody new gets it", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const { current, replace, use } = yield* Succession.make(named(log, "a"))
      const users = yield* Effect.replicateEffect(Scope.make(), 3)
      assert.deepStrictEqual(yield* Effect.forEach(users, (user) => Scope.extend(use, user)), ["a", "a", "a"])
      yield* replace(named(log, "b"))
      assert.strictEqual(current(), "b")
      assert.strictEqual(yield* Effect.scoped(use), "b")
      for (const user of users) {
        assert.deepStrictEqual(log, ["a comes", "b comes"])
        yield* Scope.close(user, Exit.void)
      }
      assert.deepStrictEqual(log, ["a comes", "b comes", "a goes"])
    })
  )

  it.scoped("whoever nobody uses goes at once; whoever is in office stays", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const { replace, use } = yield* Succession.make(named(log, "a"))
      yield* Effect.scoped(use)
      assert.deepStrictEqual(log, ["a comes"])
      yield* replace(named(log, "b"))
      yield* replace(named(log, "c"))
      assert.deepStrictEqual(log, ["a comes", "b comes", "a goes", "c comes", "b goes"])
    })
  )

  it.scoped("one that fails to come changes nothing, and leaves nothing", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const { current, replace } = yield* Succession.make(named(log, "a"))
      const exit = yield* Effect.exit(replace(Effect.zipRight(named(log, "b"), Effect.fail("no"))))
      assert.deepStrictEqual([exit, current()], [Exit.fail("no"), "a"])
      assert.deepStrictEqual(log, ["a comes", "b comes", "b goes"])
    })
  )

  it.effect("the end of it all is the end of everybody", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const user = yield* Scope.make()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { replace, use } = yield* Succession.make(named(log, "a"))
          yield* Scope.extend(use, user)
          yield* replace(named(log, "b"))
        })
      )
      assert.deepStrictEqual(log, ["a comes", "b comes", "b goes", "a goes"])
      yield* Scope.close(user, Exit.void)
      assert.lengthOf(log, 4)
    })
  )

  it.effect("whoever comes late goes after what began later than the first one", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { replace } = yield* Succession.make(named(log, "a"))
          yield* named(log, "server")
          yield* replace(named(log, "b"))
        })
      )
      assert.deepStrictEqual(log, ["a comes", "server comes", "b comes", "a goes", "server goes", "b goes"])
    })
  )
})
