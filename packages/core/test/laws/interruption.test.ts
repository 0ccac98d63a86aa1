import { assert, describe } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, FastCheck } from "effect"
import { assertUnmoved } from "./breakers.ts"
import { plans } from "./plan.ts"
import { law } from "./property.ts"
import { recorder } from "./recorder.ts"
import { seen } from "./seen.ts"
import { shapeOfExit } from "./shape.ts"
import * as virtual from "./virtual.ts"
import { type Call, World } from "./world.ts"

const everything = { jitter: true, breakers: true } as const

/** When a call that is told to stop has let go: at once but for its finalizer, unless it is stubborn. */
const letsGoAt = ({ act, begun }: Call, stopped: number): number => {
  const done = begun + act.after
  return (act.stubborn ? done : Math.min(done, stopped)) + act.release
}

describe("interruption", () => {
  const caught = { working: 0, waiting: 0, probing: 0 }

  law(
    "L26: a caller that leaves interrupts what is under way, waits for its finalizers, starts nothing and moves no breaker",
    FastCheck.tuple(
      plans({ breakers: true }),
      FastCheck.array(FastCheck.nat(5_000), { maxLength: 2 }),
      FastCheck.nat(15_000)
    ),
    async ([plan, earlier, leaving]) => {
      const world = new World(plan)
      for (const pause of earlier) {
        const { ending } = await world.observe()
        if (ending === "never") return world.leavesNothingBehind()
        await world.pass(pause)
      }
      // Between two instants at which anything else happens.
      const interruptAt = leaving + 0.5
      const left = world.now + interruptAt
      let before: ReturnType<World["states"]> = []
      const looking = world.clock.unsafeSchedule(
        () => {
          before = world.states()
        },
        Duration.millis(interruptAt - 0.25)
      )
      const { calls, endedAt, ending, events, exit, log } = await world.observe(undefined, { interruptAt })
      looking()
      if (endedAt < left) return world.leavesNothingBehind()
      if (ending === "never") {
        assert.isTrue(calls.at(-1)?.act.stubborn)
        return world.leavesNothingBehind()
      }
      const working = log.at(-1)?.outcome === "interrupted"
      caught[working ? "working" : "waiting"]++
      assert.isTrue(exit !== undefined && Exit.isFailure(exit) && Cause.isInterrupted(exit.cause))
      assert.isTrue(calls.every(({ begun }) => begun < left))
      const last = calls.at(-1)
      if (working && last !== undefined) {
        assert.strictEqual(endedAt, Math.max(left, letsGoAt(last, left)))
        assert.lengthOf(last.closed, 1)
        if (!last.act.stubborn && last.begun + last.act.after > left) assert.strictEqual(last.stopped, left)
      } else assert.strictEqual(endedAt, left)
      assert.deepInclude(events.at(-1), { _tag: "RunEnded", outcome: "cancelled" })
      caught.probing += assertUnmoved(before, world.states())
      await world.leavesNothingBehind()
      assert.strictEqual(world.calls.at(-1), last)
    },
    () => {
      for (const times of Object.values(caught)) assert.isAbove(times, 0)
    }
  )

  law(
    "L29: the same seed and the same script give the same events and the same spans",
    plans(everything),
    async (plan) => {
      const replay = async () => {
        const { spans, tracer } = recorder()
        const world = new World(plan)
        const observed = seen(await world.observe(undefined, { tracer }))
        await world.leavesNothingBehind()
        return { ...observed, spans }
      }
      assert.deepStrictEqual(await replay(), await replay())
    }
  )

  law(
    "L30: nobody who listens changes anything, whatever comes of it",
    FastCheck.tuple(plans(everything), FastCheck.array(FastCheck.boolean(), { minLength: 1, maxLength: 5 })),
    async ([plan, throws]) => {
      const silent = new World(plan)
      const unheard = await virtual.run(silent.fallback(), { clock: silent.clock, seed: plan.seed })
      await virtual.abandon(unheard.fiber)
      await silent.leavesNothingBehind()
      const loud = new World(plan)
      let heard = 0
      const { endedAt, exit } = await loud.observe(undefined, {
        tracer: recorder().tracer,
        hear: (event) => {
          Effect.runSync(Effect.ignoreLogged(Effect.fail(event)))
          Effect.runFork(Effect.yieldNow())
          if (throws[heard++ % throws.length]) throw event
        }
      })
      await loud.leavesNothingBehind()
      assert.deepStrictEqual(
        [exit && shapeOfExit(exit), endedAt, loud.calls],
        [unheard.exit && shapeOfExit(unheard.exit), unheard.elapsed, silent.calls]
      )
    }
  )
})
