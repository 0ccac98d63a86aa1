import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, TestClock } from "effect"
import * as Admission from "../src/Admission.ts"

const limits = { maxInFlight: 2, maxQueue: 2, maxWait: "5 seconds" } as const

/** Enough for whoever was called to come. */
const turns = Effect.repeatN(Effect.yieldNow(), 15)

/** A guest whose stay the test ends. */
const guest = ({ enter }: Admission.Admission) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const fiber = yield* Effect.fork(Scope.extend(enter, scope))
    yield* turns
    return {
      admitted: () => {
        const exit = fiber.unsafePoll()
        return exit === null ? "waits" : Exit.getOrElse(exit, () => "left")
      },
      interrupt: Fiber.interrupt(fiber),
      leaveAtOnce: Scope.close(scope, Exit.void),
      leave: Effect.zipLeft(Scope.close(scope, Exit.void), turns)
    }
  })

type Guest = Effect.Effect.Success<ReturnType<typeof guest>>

const seen = (guests: ReadonlyArray<Guest>) => guests.map(({ admitted }) => admitted())

describe("Admission", () => {
  it.effect("lets so many in, has so many wait, and turns the rest away at once", () =>
    Effect.gen(function* () {
      const admission = Admission.make(limits)
      const guests = yield* Effect.replicateEffect(guest(admission), 5)
      assert.deepStrictEqual(seen(guests), [true, true, "waits", "waits", false])
      yield* Effect.forEach(guests, ({ leave }) => leave)
    })
  )

  it.effect("gives a place that is left to whoever has waited longest", () =>
    Effect.gen(function* () {
      const admission = Admission.make(limits)
      const guests = yield* Effect.replicateEffect(guest(admission), 4)
      yield* guests[1]!.leave
      assert.deepStrictEqual(seen(guests), [true, true, true, "waits"])
      yield* guests[0]!.leave
      assert.deepStrictEqual(seen(guests), [true, true, true, true])
      yield* guests[2]!.leave
      yield* guests[3]!.leave
      const next = yield* Effect.replicateEffect(guest(admission), 3)
      assert.deepStrictEqual(seen(next), [true, true, "waits"])
      yield* next[2]!.interrupt
    })
  )

  it.effect("gives no place to whoever has left before", () =>
    Effect.gen(function* () {
      const { enter } = Admission.make({ maxInFlight: 1, maxQueue: 1, maxWait: "5 seconds" })
      const left = yield* Scope.make()
      yield* Scope.close(left, Exit.void)
      assert.isFalse(yield* Scope.extend(enter, left))
      const next = yield* guest({ enter })
      assert.deepStrictEqual(seen([next]), [true])
      assert.isFalse(yield* Scope.extend(enter, left))
      yield* next.leave
    })
  )

  it.effect("turns away who has waited for as long as one may, and forgets it", () =>
    Effect.gen(function* () {
      const admission = Admission.make(limits)
      const guests = yield* Effect.replicateEffect(guest(admission), 4)
      yield* TestClock.adjust("4999 millis")
      assert.deepStrictEqual(seen(guests).slice(2), ["waits", "waits"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(seen(guests).slice(2), [false, false])
      // Their answer is still under way when a place gets free: it is not theirs.
      yield* guests[0]!.leave
      const next = yield* guest(admission)
      assert.deepStrictEqual(seen([next]), [true])
      yield* guests[2]!.leave
      const last = yield* guest(admission)
      assert.deepStrictEqual(seen([last]), ["waits"])
      yield* last.interrupt
    })
  )

  it.effect("who leaves the queue gives way to those behind, and loses no place that it was given", () =>
    Effect.gen(function* () {
      const admission = Admission.make(limits)
      const guests = yield* Effect.replicateEffect(guest(admission), 4)
      yield* guests[2]!.interrupt
      yield* guests[2]!.leave
      yield* guests[0]!.leave
      assert.deepStrictEqual(seen(guests), [true, true, "left", true])
      // Called and interrupted in one turn.
      const late = yield* guest(admission)
      assert.deepStrictEqual(seen([late]), ["waits"])
      yield* guests[1]!.leaveAtOnce
      yield* late.interrupt
      yield* late.leave
      const next = yield* guest(admission)
      assert.deepStrictEqual(seen([next]), [true])
    })
  )
})
