import { assert, describe } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, FastCheck } from "effect"
import { CircuitBreaker, Fallback } from "../../src/index.ts"
import { mostly, type Plan, plans } from "./plan.ts"
import { law } from "./property.ts"
import { recorder } from "./recorder.ts"
import { type Run, World } from "./world.ts"

const { array, constant, integer, nat, option, tuple } = FastCheck

/** What becomes of an access to a store, and how long that takes. */
interface Access {
  readonly takes: number
  readonly end: "ok" | "dies" | "throws"
}

const accesses = (ends: FastCheck.Arbitrary<Access["end"]>): FastCheck.Arbitrary<ReadonlyArray<Access>> =>
  array(FastCheck.record({ takes: mostly([3, constant(0)], [2, nat(2_000)]), end: ends }), {
    minLength: 1,
    maxLength: 12
  })

const broken = "the store is broken"

/** A world whose breakers are kept elsewhere. */
const kept = (plan: Plan, accesses: ReadonlyArray<Access>) => {
  let asked = 0
  const store: CircuitBreaker.Store = {
    modify: (key, f) => {
      const { end, takes } = accesses[asked++ % accesses.length]!
      if (end === "throws") throw broken
      const access = Effect.suspend(() => {
        if (end === "dies") return Effect.die(broken)
        const [a, next] = f(states.get(key) ?? CircuitBreaker.initial)
        states.set(key, next)
        return Effect.succeed(a)
      })
      return takes === 0 ? access : Effect.delay(access, Duration.millis(takes))
    }
  }
  const states = new Map<string, CircuitBreaker.State>()
  const breaker = ({ config, key }: CircuitBreaker.CircuitBreaker) =>
    Effect.runSync(CircuitBreaker.make({ ...config, key, store }))
  return { states, world: new World(plan, { breaker }) }
}

/** A run that never ends was interrupted, and may have had to tell a store. */
const left = async (world: World): Promise<void> => {
  await world.end()
  await world.leavesNothingBehind()
}

const everything = { breakers: true, jitter: true } as const

/** Where it is, the tiers do not wait for each other longer than that. */
const hedges = option(integer({ min: 1, max: 3_000 }), { nil: undefined })

const runOf = (world: World, after: number | undefined): Run => {
  const { tiers, tree } = world.plan
  if (after === undefined) return world.fallback(tree)
  return tiers.map((tier) => world.tier(tier)).reduce((left, right) => Fallback.hedge(left, right, { after }))
}

describe("breakers that are kept elsewhere", () => {
  const ended = { died: 0, otherwise: 0 }

  law(
    "whatever a store dies of, each attempt is told to have ended once, its tier and the run as well, and no span is left open",
    tuple(
      plans(everything),
      accesses(mostly<Access["end"]>([8, constant("ok")], [1, constant("dies")], [1, constant("throws")])),
      hedges
    ),
    async ([plan, accesses, after]) => {
      const { world } = kept(plan, accesses)
      const { spans, tracer } = recorder()
      const { calls, ending, events, exit, log } = await world.observe(runOf(world, after), { tracer })
      if (ending === "never") return left(world)
      assert.sameDeepMembers(
        log.map(({ start, tier }) => [tier, start]),
        calls.map(({ begun, tier }) => [tier, begun])
      )
      assert.sameMembers(
        events.flatMap((event) => (event._tag === "TierEnded" ? event.last.tier : [])),
        [...new Set(calls.map(({ tier }) => tier))]
      )
      assert.deepStrictEqual(
        events.flatMap(({ _tag }, index) => (_tag === "RunEnded" ? index : [])),
        [events.length - 1]
      )
      assert.isTrue(spans.every(({ end }) => end !== undefined))
      const died = exit !== undefined && Exit.isFailure(exit) && Cause.squash(exit.cause) === broken
      if (died) assert.deepInclude(events.at(-1), { outcome: "failure", errorType: "defect" })
      ended[died ? "died" : "otherwise"]++
      await world.leavesNothingBehind()
    },
    () => {
      for (const times of Object.values(ended)) assert.isAbove(times, 0)
    }
  )

  const leaving = { asking: 0, otherwise: 0 }

  law(
    "a caller that leaves while a store is asked starts nothing more, and gives back what it was let through with",
    tuple(plans(everything), accesses(constant("ok")), hedges, nat(15_000)),
    async ([plan, accesses, after, leaves]) => {
      const { states, world } = kept(plan, accesses)
      const interruptAt = leaves + 0.5
      const { calls, endedAt, ending, events, log } = await world.observe(runOf(world, after), {
        interruptAt
      })
      if (ending === "never" || endedAt < interruptAt) return left(world)
      assert.isTrue(calls.every(({ begun }) => begun < interruptAt))
      assert.lengthOf(log, calls.length)
      assert.lengthOf(
        events.filter(({ _tag }) => _tag === "RunEnded"),
        1
      )
      for (const state of states.values()) if (state._tag === "HalfOpen") assert.lengthOf(state.probes, 0)
      leaving[ending === "interrupted" && log.at(-1)?.outcome !== "interrupted" ? "asking" : "otherwise"]++
      await world.leavesNothingBehind()
    },
    () => {
      for (const times of Object.values(leaving)) assert.isAbove(times, 0)
    }
  )
})
