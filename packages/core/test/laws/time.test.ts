import { assert, describe } from "@effect/vitest"
import { Duration, FastCheck } from "effect"
import { longestRun, longestWait } from "./bound.ts"
import { bounded, type Plan, plans, type TierPlan, type Tree, unbound, withTiers } from "./plan.ts"
import { law } from "./property.ts"
import type { Entry } from "./simulator.ts"
import { type Observation, World } from "./world.ts"

const everything = { jitter: true, breakers: true } as const

/** A clock has nanoseconds, a sum of waits has not. */
const slack = 1e-3

const tierOf = (plan: Plan, name: string): TierPlan => {
  const tier = plan.tiers.find((tier) => tier.name === name)
  assert(tier !== undefined)
  return tier
}

const attemptsIn = ({ events }: Observation) =>
  events.flatMap((event) => (event._tag === "AttemptEnded" ? event.attempt : []))

describe("time", () => {
  const tally = { reached: 0 }
  const staysWithin = async (plan: Plan) => {
    const world = new World(plan)
    const { ending, endedAt } = await world.observe()
    const bound = longestRun(plan.tree)
    if (ending === "never") assert.strictEqual(bound, Number.POSITIVE_INFINITY)
    else assert.isAtMost(endedAt, bound + slack)
    if (Math.abs(endedAt - bound) <= slack) tally.reached++
    await world.leavesNothingBehind()
  }

  law(
    "L21: no run takes longer than the policy says, and some take as long",
    plans(everything),
    staysWithin,
    () => {
      assert.isAbove(tally.reached, 0)
      tally.reached = 0
    }
  )

  law(
    "L21: and if no attempt ever ended, whether it can be interrupted or not",
    plans(everything).map((plan) =>
      withTiers(plan, (tier) => ({
        ...tier,
        script: tier.script.map((act) => ({ ...act, after: Number.POSITIVE_INFINITY }))
      }))
    ),
    staysWithin,
    () => assert.isAbove(tally.reached, 0)
  )

  law(
    "L22: a wait is as long as asked for and no longer than its bound; one that is asked too long is no wait",
    plans(everything),
    async (plan) => {
      const world = new World(plan)
      const seen = await world.observe()
      const attempts = attemptsIn(seen)
      for (const [index, { number, retryAfter, tier: name }] of attempts.entries()) {
        const tier = tierOf(plan, name)
        const waited = seen.log[index]?.waited ?? Number.NaN
        if (number === 1) assert.strictEqual(waited, 0)
        else {
          assert.isAtLeast(waited, 0)
          assert.isAtMost(waited, longestWait(tier, number - 1))
          const before = seen.log[index - 1]
          assert(before !== undefined)
          assert.approximately((seen.log[index]?.start ?? 0) - before.end, waited, slack)
          const hint = attempts[index - 1]?.retryAfter
          if (hint !== undefined) assert.isAtLeast(waited, Duration.toMillis(hint))
        }
        if (retryAfter !== undefined && Duration.toMillis(retryAfter) > tier.maxRetryAfter) {
          assert.isTrue(attempts.slice(index + 1).every((later) => later.tier !== name))
        }
      }
      await world.leavesNothingBehind()
    }
  )

  law("L23: a run waits only for its next attempt", plans(everything), async (plan) => {
    const world = new World(plan)
    const { ending, endedAt, log } = await world.observe()
    for (const [index, { end, next }] of log.entries()) {
      const after = log[index + 1]
      if (after !== undefined || ending !== "never") {
        assert.strictEqual(next === "retry", after !== undefined && after.number > 1)
      }
      if (next !== "retry" && after !== undefined) assert.strictEqual(after.start, end)
    }
    if (ending !== "never") assert.strictEqual(endedAt, log.at(-1)?.end ?? 0)
    await world.leavesNothingBehind()
  })

  /** When each part of the policy with a bound of its own has to be done, and which tiers it has. */
  const groupsOf = (tree: Tree, log: ReadonlyArray<Entry>, names: ReadonlyArray<string>) => {
    const found: Array<{ readonly until: number; readonly tiers: ReadonlyArray<string> }> = []
    const walk = (tree: Tree): ReadonlyArray<string> => {
      switch (tree._tag) {
        case "Tier":
          return [tree.tier.name]
        case "OrElse":
          return [...walk(tree.left), ...walk(tree.right)]
        default: {
          const tiers = walk(tree.tree)
          const before = names.slice(0, names.indexOf(tiers[0] ?? ""))
          const start = log.filter(({ tier }) => before.includes(tier)).at(-1)?.end ?? 0
          if (tree._tag === "Within") found.push({ until: start + tree.millis, tiers })
          return tiers
        }
      }
    }
    walk(tree)
    return found
  }

  law(
    "L24: an attempt takes no longer than the least of its bounds, and the error names that one",
    plans(everything),
    async (plan) => {
      const world = new World(plan)
      const { log } = await world.observe()
      const names = plan.tiers.map(({ name }) => name)
      const inner = unbound(plan.tree)
      const groups = groupsOf(inner, log, names)
      const runEnds = Math.min(
        Number.POSITIVE_INFINITY,
        ...groupsOf(plan.tree, log, names).flatMap(({ tiers, until }) =>
          tiers.length === names.length ? until : []
        )
      )
      let tierStart = 0
      for (const { bound, end, number, start, tier: name } of log) {
        const tier = tierOf(plan, name)
        if (number === 1) tierStart = start
        const bounds = {
          attemptTimeout: start + tier.attemptTimeout,
          timeout: Math.min(
            tierStart + tier.timeout,
            ...groups.flatMap(({ tiers, until }) => (tiers.includes(name) ? until : []))
          ),
          deadline: runEnds
        }
        const least = Math.min(...Object.values(bounds))
        assert.isAtMost(end, least + slack)
        if (bound === undefined) continue
        assert.approximately(end, least, slack)
        assert.approximately(bounds[bound as keyof typeof bounds], least, slack)
      }
      await world.leavesNothingBehind()
    }
  )

  /**
   * Two logs are the same up to the first attempt that the shorter bound clipped, or the first wait that it made
   * pointless.
   */
  const samePrefix = (
    shorter: ReadonlyArray<Entry>,
    longer: ReadonlyArray<Entry>,
    bound: string,
    until: number
  ) => {
    const at = longer.findIndex((entry, index) => JSON.stringify(entry) !== JSON.stringify(shorter[index]))
    const index = at < 0 ? longer.length : at
    const [one, other, after] = [shorter[index], longer[index], longer[index + 1]]
    if (one === undefined) {
      if (other !== undefined) assert.isAtLeast(other.start, until - slack)
    } else if (one.bound === bound) assert.approximately(one.end, until, slack)
    else {
      assert.deepStrictEqual({ ...one, next: "retry" }, other)
      assert.strictEqual(one.next, "nextTier")
      if (after !== undefined) assert.isAtLeast(after.start, until - slack)
    }
  }

  const pair = FastCheck.tuple(
    FastCheck.integer({ min: 1, max: 15_000 }),
    FastCheck.oneof(FastCheck.integer({ min: 1, max: 25_000 }), FastCheck.constant(Number.POSITIVE_INFINITY))
  ).map(([one, other]) => [Math.min(one, other), Math.max(one, other)] as const)

  const logged = async (plan: Plan) => {
    const world = new World(plan)
    const { log } = await world.observe()
    await world.leavesNothingBehind()
    return log
  }

  law(
    "L25: a shorter deadline changes nothing before it clips an attempt or spares a wait",
    FastCheck.tuple(plans({ jitter: true }), pair),
    async ([plan, deadlines]) => {
      const logOf = (within: number) =>
        logged({ ...plan, tree: bounded(unbound(plan.tree), { within, atMost: Number.POSITIVE_INFINITY }) })
      const [shorter, longer] = [await logOf(deadlines[0]), await logOf(deadlines[1])]
      samePrefix(shorter, longer, "deadline", deadlines[0])
    }
  )

  law(
    "L25: nor does a shorter timeout of one tier",
    FastCheck.tuple(plans({ jitter: true }), pair, FastCheck.nat(3)),
    async ([plan, timeouts, index]) => {
      const name = `t${index % plan.tiers.length}`
      const logOf = (timeout: number) =>
        logged(withTiers(plan, (tier) => (tier.name === name ? { ...tier, timeout } : tier)))
      const [shorter, longer] = [await logOf(timeouts[0]), await logOf(timeouts[1])]
      const started =
        [...longer, ...shorter].find(({ tier }) => tier === name)?.start ?? Number.POSITIVE_INFINITY
      samePrefix(shorter, longer, "timeout", started + timeouts[0])
    }
  )
})
