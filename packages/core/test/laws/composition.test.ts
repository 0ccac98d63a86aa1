import { assert, describe } from "@effect/vitest"
import { Effect, Exit, FastCheck } from "effect"
import { type Attempt, CircuitBreaker, Fallback, Outcome, Tier } from "../../src/index.ts"
import { mostAttempts } from "./bound.ts"
import { rerouted } from "./breakers.ts"
import { bounded, cuts, grouped, leaf, type Plan, plans, type TierPlan, unbound, withTiers } from "./plan.ts"
import { effectOf, type Greeting, programs, reported } from "./programs.ts"
import { law } from "./property.ts"
import { seen } from "./seen.ts"
import { drain, run, VirtualClock } from "./virtual.ts"
import { type Refused, World } from "./world.ts"

const everything = { jitter: true, breakers: true } as const

const indexOf = (plan: Plan, name: string): number => plan.tiers.findIndex((tier) => tier.name === name)

const pairs = <A>(all: ReadonlyArray<A>): ReadonlyArray<readonly [A, A]> =>
  all.slice(1).map((next, index) => [all[index] as A, next])

describe("attempts and composition", () => {
  law(
    "L1: there are at most as many attempts as retries allow, all of them only if all failed",
    plans(everything),
    async (plan) => {
      const world = new World(plan)
      const { calls, log } = await world.observe()
      assert.isAtLeast(calls.length, log.length)
      assert.isAtMost(calls.length, mostAttempts(plan.tree))
      for (const { backoff, name } of plan.tiers) {
        assert.isAtMost(calls.filter(({ tier }) => tier === name).length, backoff.times + 1)
      }
      if (log.length === plan.tiers.reduce((sum, { backoff }) => sum + backoff.times + 1, 0)) {
        for (const { next, number, tier } of log.slice(0, -1)) {
          const { times } = (plan.tiers[indexOf(plan, tier)] as TierPlan).backoff
          assert.strictEqual(next, number <= times ? "retry" : "nextTier")
        }
      }
      await world.leavesNothingBehind()
    }
  )

  law(
    "L1: and there are all of them if every attempt is worth a retry and nothing else intervenes",
    plans({ jitter: true, bounds: false }),
    async (plan) => {
      const end = Outcome.failure()
      const relentless = withTiers(plan, (tier) => ({
        ...tier,
        script: tier.script.map((act) => ({ ...act, end, after: Math.min(act.after, 1_000) }))
      }))
      const world = new World({ ...relentless, tree: grouped(relentless.tiers.map(leaf), []) })
      const { log } = await world.observe()
      assert.deepStrictEqual(
        log.map(({ number, tier }) => [tier, number]),
        plan.tiers.flatMap(({ backoff, name }) =>
          Array.from({ length: backoff.times + 1 }, (_, index) => [name, index + 1])
        )
      )
      await world.leavesNothingBehind()
    }
  )

  law(
    "L2: tiers are asked in order, and nothing begins before what went before it has ended and let go",
    plans(everything),
    async (plan) => {
      const world = new World(plan)
      const { calls, log } = await world.observe()
      for (const [one, next] of pairs(log)) {
        assert.isAtLeast(next.start, one.end)
        if (one.tier === next.tier) assert.strictEqual(next.number, one.number + 1)
        else {
          assert.isAbove(indexOf(plan, next.tier), indexOf(plan, one.tier))
          assert.strictEqual(next.number, 1)
        }
      }
      for (const [index, [one, next]] of pairs(calls).entries()) {
        const stays = one.act.stubborn || one.act.release > 0
        if (!stays || log[index]?.bound === undefined) assert.isBelow(one.closing, next.opening)
      }
      await world.leavesNothingBehind()
    }
  )

  law("L3: nothing begins after an answer, an abort or the end", plans(everything), async (plan) => {
    const world = new World(plan)
    const { calls, ending, events, log } = await world.observe()
    const last = log.findIndex(({ next }) => next === undefined || next === "abort")
    if (last >= 0) assert.strictEqual(log.length, last + 1)
    assert.strictEqual(calls.length, log.length + (ending === "never" ? 1 : 0))
    await world.leavesNothingBehind()
    assert.strictEqual(world.calls.length, calls.length)
    if (ending === "never") return
    const ended = events.filter(({ _tag }) => _tag === "RunEnded")
    assert.strictEqual(ended.length, 1)
    assert.strictEqual(events.at(-1), ended[0])
    const tiers = (of: (event: Attempt.Event) => string | undefined) =>
      events.flatMap((event) => of(event) ?? [])
    assert.deepStrictEqual(
      tiers((event) => (event._tag === "TierEnded" ? event.last.tier : undefined)),
      tiers((event) =>
        event._tag === "AttemptEnded" && event.attempt.number === 1 ? event.attempt.tier : undefined
      )
    )
  })

  let spared = 0

  law(
    "L4: the tiers after the one that answers are not touched, nor their breakers",
    plans({ ...everything, ok: 40 }),
    async (plan) => {
      const asked = new Set<string>()
      const world = new World(plan, {
        breaker: (breaker) =>
          rerouted(breaker, {
            decide: (decide) =>
              Effect.zipRight(
                Effect.sync(() => asked.add(breaker.key)),
                decide
              )
          })
      })
      const { calls, exit, log } = await world.observe()
      if (exit !== undefined && Exit.isSuccess(exit)) {
        const served = log.at(-1)
        const index = indexOf(plan, served?.tier ?? "")
        assert.isTrue(calls.every(({ tier }) => indexOf(plan, tier) <= index))
        const used = new Set(plan.tiers.slice(0, index + 1).map(({ breaker }) => breaker))
        const untouched = world.breakers.filter((breaker, at) => breaker !== undefined && !used.has(at))
        for (const breaker of untouched) {
          assert.isFalse(asked.has(breaker?.key ?? ""))
          if (asked.size > 0) spared++
          assert.deepInclude(Effect.runSync(breaker?.state ?? Effect.die("none")), {
            _tag: "Closed",
            epoch: 0
          })
        }
      }
      await world.leavesNothingBehind()
    },
    () => assert.isAbove(spared, 0)
  )

  law(
    "L5: a tier alone is its effect: exit, services, what it leaves in its fiber, finalizers and times",
    FastCheck.tuple(programs, FastCheck.option(FastCheck.nat(6_000))),
    async ([program, interruptAt]) => {
      const seenAs = async (
        wrap: (effect: ReturnType<typeof effectOf>) => Effect.Effect<string, unknown, Greeting>
      ) => {
        const clock = new VirtualClock()
        const notes: Array<string> = []
        const note = (what: string) => notes.push(`${what} at ${clock.unsafeCurrentTimeMillis()}`)
        const { elapsed } = await run(reported(wrap(effectOf(program, note)), note), {
          clock,
          interruptAt: interruptAt === null ? undefined : interruptAt + 0.5
        })
        await drain(clock)
        // What else the interrupted fiber had to say is a law of its own.
        const left = interruptAt !== null && elapsed > interruptAt ? notes.slice(0, -1) : notes
        return { notes: left, elapsed }
      }
      const alone = <A, E, R>(effect: Effect.Effect<A, E, R>) => Tier.make({ name: "only", effect })
      assert.deepStrictEqual(await seenAs(alone), await seenAs(Effect.scoped))
    }
  )

  const same = async (one: World, other: World, effects = [one.fallback(), other.fallback()] as const) => {
    const left = await one.observe(effects[0])
    await one.leavesNothingBehind()
    const right = await other.observe(effects[1])
    await other.leavesNothingBehind()
    assert.deepStrictEqual(seen(left), seen(right))
  }

  law(
    "L6: grouping changes neither exit nor attempts nor times",
    FastCheck.tuple(
      plans(everything),
      cuts,
      cuts,
      FastCheck.array(FastCheck.option(FastCheck.integer({ min: 1, max: 9_000 })), { maxLength: 4 })
    ),
    async ([plan, left, right, withins]) => {
      const parts = plan.tiers.map((tier, index) =>
        bounded(leaf(tier), {
          within: withins[index] ?? Number.POSITIVE_INFINITY,
          atMost: Number.POSITIVE_INFINITY
        })
      )
      await same(
        new World({ ...plan, tree: grouped(parts, left) }),
        new World({ ...plan, tree: grouped(parts, right) })
      )
    }
  )

  const refusing = Effect.runSync(
    CircuitBreaker.make({ key: "open", trip: CircuitBreaker.consecutive(1), openFor: "1 hour" })
  )
  Effect.runSync(Effect.ignore(CircuitBreaker.execute(Effect.fail("down"), refusing)))

  law(
    "L6: a tier that answers at once is all there is, one that refuses is as if it was not there",
    plans(everything),
    async (plan) => {
      const world = new World(plan)
      const answer = Tier.make({ name: "answer", effect: Effect.succeed("answer") })
      const first = await world.observe(Fallback.orElse(answer, world.fallback()))
      assert.deepStrictEqual([first.ending, first.endedAt, first.calls], [{ ok: "answer" }, 0, []])

      const reject = Tier.make({ name: "reject", effect: Effect.dieMessage("asked"), breaker: refusing })
      const [one, other] = [
        new World({ ...plan, tree: unbound(plan.tree) }),
        new World({ ...plan, tree: unbound(plan.tree) })
      ]
      const alone = await one.observe()
      await one.leavesNothingBehind()
      const behind = await other.observe(Fallback.orElse(reject, other.fallback()))
      await other.leavesNothingBehind()
      assert.deepStrictEqual(behind.log, alone.log)
      assert.deepStrictEqual(behind.endedAt, alone.endedAt)
      const answered = alone.exit !== undefined && Exit.isSuccess(alone.exit)
      if (answered) assert.deepStrictEqual(behind.exit, alone.exit)
    }
  )

  law(
    "L7: no retry, no bound, a cap on more tiers than there are and a breaker that never opens are nothing",
    plans({ trips: false }),
    async (plan) => {
      const [spare, full] = [new World(plan), new World(plan)]
      const without = (tier: TierPlan) =>
        Tier.make({
          name: tier.name,
          effect: spare.attempt(tier),
          classify: ({ outcome }: Refused) => outcome,
          ...(tier.backoff.times > 0 && { backoff: tier.backoff }),
          ...(tier.attemptTimeout < Number.POSITIVE_INFINITY && { attemptTimeout: tier.attemptTimeout }),
          ...(tier.timeout < Number.POSITIVE_INFINITY && { timeout: tier.timeout }),
          maxRetryAfter: tier.maxRetryAfter,
          retryTimeouts: tier.retryTimeouts
        })
      const withAll = (tier: TierPlan) =>
        full
          .tier(tier, {
            breaker: Effect.runSync(
              CircuitBreaker.make({ key: tier.name, trip: CircuitBreaker.consecutive(1_000_000) })
            )
          })
          .pipe(Fallback.within(Number.POSITIVE_INFINITY), Fallback.atMost(4))
      await same(spare, full, [spare.fallback(plan.tree, without), full.fallback(plan.tree, withAll)])
    }
  )
})
