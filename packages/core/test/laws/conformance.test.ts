import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Duration,
  Effect,
  Exit,
  FastCheck,
  Fiber,
  Option,
  Random,
  TestClock,
  TestContext
} from "effect"
import { Attempt } from "../../src/index.ts"
import { composedByHand } from "./plain.ts"
import { plans } from "./plan.ts"
import { law } from "./property.ts"
import { shapeOf, shapeOfExit } from "./shape.ts"
import { type Entry, memory, predict } from "./simulator.ts"
import * as virtual from "./virtual.ts"
import { type Call, entry, type Observation, World } from "./world.ts"

describe("conformance", () => {
  law("a run does what the sequential simulator says, attempt by attempt", plans(), async (plan) => {
    const { ending, endedAt, log, tie } = predict(plan, 0, memory(plan))
    FastCheck.pre(!tie)
    const world = new World(plan)
    const seen = await world.observe()
    assert.deepStrictEqual([seen.log, seen.ending], [log, ending])
    if (ending !== "never") assert.strictEqual(seen.endedAt, endedAt)
    await world.leavesNothingBehind()
  })

  law(
    "and so do runs that follow each other through the same breakers",
    FastCheck.tuple(
      plans({ breakers: true }),
      FastCheck.array(FastCheck.nat(9_000), { minLength: 2, maxLength: 5 })
    ),
    async ([plan, pauses]) => {
      const world = new World(plan)
      const remembered = memory(plan)
      for (const pause of pauses) {
        const { ending, endedAt, log, tie } = predict(plan, world.now, remembered)
        // Not left undone, or what the runs before have given up would be left behind.
        if (tie) break
        const seen = await world.observe()
        assert.deepStrictEqual([seen.log, seen.ending], [log, ending])
        if (ending === "never") break
        assert.strictEqual(seen.endedAt, endedAt)
        await world.pass(pause)
      }
      await world.leavesNothingBehind()
    }
  )

  law(
    "a run does what the same policy composed by hand of Effect's own operators does",
    plans({ groups: false }),
    async (plan) => {
      const prediction = predict(plan, 0, memory(plan))
      FastCheck.pre(!prediction.tie && !prediction.boundTie)
      const [ours, theirs] = [new World(plan), new World(plan)]
      const run = await ours.observe()
      await ours.leavesNothingBehind()
      const composed = await virtual.run(composedByHand(theirs), theirs)
      await virtual.abandon(composed.fiber)
      await theirs.end()
      assert.deepStrictEqual(composed.exit && shapeOfExit(composed.exit), run.exit && lastWord(run.exit))
      if (run.exit !== undefined) assert.strictEqual(composed.elapsed, run.endedAt)
      assert.deepStrictEqual(theirs.calls.map(times), ours.calls.map(times))
    }
  )
})

const times = ({ begun, closed, stopped, tier }: Call) => ({ tier, begun, stopped, closed })

/** What the hand-made composition has to say of a run: the last error alone. */
const lastWord = (exit: NonNullable<Observation["exit"]>): string => {
  const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
  if (error?._tag !== "AllTiersFailed") return shapeOfExit(exit)
  return error.reason === "deadline" ? "fail(deadline)" : shapeOf(error.attempts.at(-1)?.cause ?? Cause.empty)
}

describe("virtual time", () => {
  it("agrees with TestClock", { timeout: 60_000 }, async () => {
    for (const plan of FastCheck.sample(plans({ breakers: true }), { numRuns: 30, seed: 1 })) {
      const expected = new World(plan)
      const seen = await expected.observe()
      await expected.leavesNothingBehind()
      if (seen.exit === undefined) continue
      const log: Array<Entry> = []
      const tested = Effect.gen(function* () {
        const world = new World(plan, { time: yield* Effect.clock })
        const fiber = yield* Effect.fork(
          Effect.provideService(world.fallback(), Attempt.Listener, (event) => {
            if (event._tag === "AttemptEnded") log.push(entry(event.attempt, world.now))
          })
        )
        yield* TestClock.adjust("1 hour")
        const exit = yield* Fiber.await(fiber)
        // Wakes up those too who sleep for ever.
        yield* TestClock.adjust(Duration.infinity)
        return exit
      })
      const exit = await Effect.runPromise(
        tested.pipe(
          Effect.withRandom(Random.make(plan.seed)),
          Effect.withTracerEnabled(false),
          Effect.provide(TestContext.TestContext)
        )
      )
      assert.deepStrictEqual([shapeOfExit(exit), log], [shapeOfExit(seen.exit), seen.log])
    }
  })
})
