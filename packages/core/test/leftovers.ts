import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { afterEach } from "vitest"

type Fibers = ReadonlyArray<Fiber.RuntimeFiber<unknown, unknown>>

const alive = (fibers: Fibers): Fibers => fibers.filter((fiber) => fiber.unsafePoll() === null)

/** Turns enough for what was told to stop to do so. */
export const turns = Effect.repeatN(Effect.yieldNow(), 15)

/** How many fibers live on their own that did not before. */
export const strays = (before: { readonly has: (fiber: Fibers[number]) => boolean }): number =>
  alive(Fiber.unsafeRoots()).filter((fiber) => !before.has(fiber)).length

/** Dies where somebody whom the effect's own fiber forked still works or sleeps when it has ended. */
export const alone = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.ensuring(
    effect,
    Effect.withFiberRuntime((fiber) =>
      Effect.map(Effect.zipRight(turns, Fiber.children(fiber)), (children) =>
        assert.strictEqual(alive(children).length, 0, "fibers that were forked and left alone")
      )
    )
  )

/**
 * Has every test fail that leaves anything under way: a fiber of its own or of somebody it called, and so a sleep,
 * which is a fiber's.
 */
export const watch = (): void => {
  const { effect } = it
  // Where files share a process they share this too.
  if (!("watched" in effect)) {
    const watched: typeof effect = Object.assign(
      (...[name, test, timeout]: Parameters<typeof effect>) =>
        effect(name, (context) => alone(test(context)), timeout),
      effect,
      { watched: true }
    )
    Object.assign(it, { effect: watched })
  }
  // One test's leftovers are no other's.
  let before = new Set(Fiber.unsafeRoots())
  afterEach(async () => {
    await Effect.runPromise(turns)
    const left = strays(before)
    before = new Set(Fiber.unsafeRoots())
    assert.strictEqual(left, 0, "fibers that nobody awaits or interrupts any more")
  })
}
