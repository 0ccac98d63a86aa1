import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Exit, FastCheck } from "effect"
import { Backoff, CircuitBreaker, Fallback } from "../../src/index.ts"
import { rerouted } from "./breakers.ts"
import { type Act, plans, type TierPlan, withTiers } from "./plan.ts"
import { law } from "./property.ts"
import { BreakerModel } from "./simulator.ts"
import { YieldingClock } from "./virtual.ts"
import { type Run, World } from "./world.ts"

const { array, boolean, integer, nat, option, tuple } = FastCheck

/** One attempt of a hedged run, as the rules alone foretell it. */
interface Hedged {
  readonly tier: TierPlan
  readonly start: number
  readonly end: number
  readonly says: "answer" | "abort" | "next"
  /** Whether it is a failure of the tier. */
  readonly counts: boolean
}

const hedgedAt = (tier: TierPlan, start: number): Hedged => {
  const { after, end } = tier.script[0] as Act
  if (tier.attemptTimeout <= after) {
    return { tier, start, end: start + tier.attemptTimeout, says: "next", counts: true }
  }
  const common = { tier, start, end: start + after }
  if (end === "ok") return { ...common, says: "answer", counts: false }
  if (end === "die") return { ...common, says: "abort", counts: true }
  if (end === "interrupt") return { ...common, says: "abort", counts: false }
  return { ...common, says: end.next === "abort" ? "abort" : "next", counts: end._tag === "Failure" }
}

/** A tier starts when the one before it has failed, or has been silent for its time. */
const foretell = (tiers: ReadonlyArray<TierPlan>, afters: ReadonlyArray<number>) => {
  const all: Array<Hedged> = []
  let start = 0
  for (const [index, tier] of tiers.entries()) {
    const one = hedgedAt(tier, start)
    all.push(one)
    const silent = start + (afters[index] ?? Number.POSITIVE_INFINITY)
    start = one.says === "next" ? Math.min(silent, one.end) : silent
  }
  const verdict = all
    .filter(({ says }) => says !== "next")
    .reduce<Hedged | undefined>((first, one) => (first && first.end <= one.end ? first : one), undefined)
  const end = verdict?.end ?? Math.max(...all.map((one) => one.end))
  const instants = all.flatMap((one, index) => [one.end, one.start + (afters[index] ?? 0.5)])
  const tie =
    new Set(instants).size < instants.length ||
    tiers.some(({ attemptTimeout, script }) => attemptTimeout === script[0]?.after)
  return { end, verdict, tie, started: all.filter((one) => one.start < end) }
}

describe("hedging", () => {
  const calm = plans({ groups: false, ok: 20, minTiers: 2 }).map((plan) =>
    withTiers(plan, (tier) => ({
      ...tier,
      timeout: Number.POSITIVE_INFINITY,
      backoff: Backoff.none,
      script: tier.script.map((act) => ({ ...act, after: act.after + 1, stubborn: false, release: 0 }))
    }))
  )

  law(
    "L27: the first answer wins; losers are interrupted and finalized before it is given, and count for nothing",
    tuple(calm, array(integer({ min: 1, max: 6_000 }), { minLength: 3, maxLength: 3 }), boolean()),
    async ([plan, afters, toTheRight]) => {
      const { end, started, tie, verdict } = foretell(plan.tiers, afters)
      FastCheck.pre(!tie && end < Number.POSITIVE_INFINITY)

      const world = new World(plan)
      const breakers = plan.tiers.map(({ name }) =>
        Effect.runSync(CircuitBreaker.make({ key: name, trip: CircuitBreaker.consecutive(1) }))
      )
      const [first, ...rest] = plan.tiers.map((tier, index) => ({
        run: world.tier(tier, { breaker: breakers[index] }),
        after: Duration.millis(afters[index] ?? 0)
      }))
      assert(first !== undefined)
      type Part = typeof first
      const hedge = (left: Part, right: Part): Part => ({
        run: Fallback.hedge(left.run, right.run, { after: left.after }),
        after: right.after
      })
      const { run }: { readonly run: Run } = toTheRight
        ? [first, ...rest].reduceRight((right, left) => ({ ...hedge(left, right), after: left.after }))
        : rest.reduce(hedge, first)
      const { calls, endedAt, ending, events } = await world.observe(run)

      assert.strictEqual(endedAt, end)
      assert.deepStrictEqual(
        calls.map(({ begun, closed, tier }) => [tier, begun, closed]),
        started.map((one) => [one.tier.name, one.start, [Math.min(one.end, end)]])
      )
      for (const [index, call] of calls.entries()) {
        const one = started[index]
        const natural = one !== undefined && one.end <= end && one.tier.attemptTimeout > call.act.after
        if (!natural) assert.strictEqual(call.stopped, Math.min(one?.end ?? 0, end))
        const state = Effect.runSync(breakers[index]?.state ?? Effect.die("none"))
        assert.strictEqual(state._tag, one !== undefined && one.end <= end && one.counts ? "Open" : "Closed")
      }
      if (verdict === undefined) {
        assert.deepInclude(ending, { all: "failed", attempts: plan.tiers.length })
      } else if (verdict.says === "answer") assert.deepStrictEqual(ending, { ok: `${verdict.tier.name}#0` })
      else assert.notProperty(ending, "all")

      const ended = events.flatMap((event) => (event._tag === "AttemptEnded" ? event.attempt.tier : []))
      assert.sameMembers(
        ended,
        started.map((one) => one.tier.name)
      )
      assert.lengthOf(
        events.filter(({ _tag }) => _tag === "RunEnded"),
        1
      )
      assert.strictEqual(events.at(-1)?._tag, "RunEnded")
      await world.leavesNothingBehind()
    }
  )
})

describe("many runs at once", () => {
  const tally = { admitted: 0, refused: 0 }

  law(
    "L28: in the order in which a shared breaker was asked, every decision is that of its model",
    tuple(
      plans({ breakers: true, jitter: true }),
      /** When each run starts, and when its caller leaves. */
      array(tuple(nat(12_000), option(nat(9_000))), { minLength: 2, maxLength: 7 }),
      array(nat(3), { minLength: 1, maxLength: 9 })
    ),
    async ([plan, callers, turns]) => {
      let turn = 0
      const giveWay = Effect.suspend(() => {
        const times = turns[turn++ % turns.length] ?? 0
        return times === 0 ? Effect.void : Effect.repeatN(Effect.yieldNow(), times - 1)
      })
      const decided: Array<readonly [is: number | undefined, should: number | undefined]> = []
      const clock = new YieldingClock()
      const world = new World(plan, {
        clock,
        breaker: (breaker) => {
          const model = new BreakerModel(
            plan.breakers[Number(breaker.key.slice(1))] ?? { failures: 1, openFor: 1 }
          )
          const epochs = new Map<CircuitBreaker.Permit, number>()
          // As one step, so that the order of the model's decisions is that of the breaker's.
          const atOnce = <A, E>(effect: Effect.Effect<A, E>) =>
            Effect.runSyncExit(Effect.withClock(effect, clock))
          return rerouted(breaker, {
            decide: (decide) =>
              Effect.zipRight(
                giveWay,
                Effect.suspend(() => {
                  const exit = atOnce(decide)
                  const should = model.admit(world.now)
                  if (Exit.isSuccess(exit)) {
                    const { permit, rejection } = exit.value
                    if (permit !== undefined && "epoch" in should) epochs.set(permit, should.epoch)
                    decided.push([
                      rejection?.retryAfter,
                      "retryAfter" in should ? should.retryAfter : undefined
                    ])
                  }
                  return Effect.zipRight(giveWay, exit)
                })
              ),
            report: (report, permit, outcome) =>
              Effect.zipRight(
                giveWay,
                Effect.suspend(() => {
                  const { trip, retryAfter } = outcome._tag === "Failure" ? outcome : { trip: false }
                  const hint = retryAfter && Duration.toMillis(retryAfter)
                  model.report(epochs.get(permit) ?? -1, world.now, outcome._tag.toLowerCase(), trip, hint)
                  return Effect.zipLeft(atOnce(report), giveWay)
                })
              )
          })
        }
      })
      const run = world.fallback()
      const calling = Effect.forEach(
        callers,
        ([start, patience]) =>
          Effect.timeoutOption(run, patience === null ? Duration.infinity : Duration.millis(patience)).pipe(
            Effect.delay(Duration.millis(start)),
            Effect.exit
          ),
        { concurrency: "unbounded" }
      )
      await world.observe(Effect.as(calling, "all"))
      for (const [is, should] of decided) {
        if (is === undefined || should === undefined) assert.strictEqual(is, should)
        else assert.approximately(is, should, 1e-3)
        tally[is === undefined ? "admitted" : "refused"]++
      }
      await world.leavesNothingBehind()
    },
    () => {
      for (const times of Object.values(tally)) assert.isAbove(times, 0)
    }
  )

  law(
    "L28: of many runs that find a breaker open no more, just as many ask the tier as may probe it",
    tuple(integer({ min: 1, max: 20 }), integer({ min: 1, max: 5 }), nat(3), plans({ maxTiers: 1 })),
    async ([callers, probes, turns, plan]) => {
      const giveWay = turns === 0 ? Effect.void : Effect.repeatN(Effect.yieldNow(), turns - 1)
      const clock = new YieldingClock()
      const world = new World(plan, { clock })
      const breaker = Effect.runSync(
        CircuitBreaker.make({
          key: "probed",
          trip: CircuitBreaker.consecutive(1),
          openFor: "1 second",
          jitter: 0,
          probes,
          successesToClose: probes
        })
      )
      const act: Act = { after: 10, end: "ok", stubborn: false, release: 0, turns: 1 }
      const [drawn] = plan.tiers
      assert(drawn !== undefined)
      const tier = {
        ...drawn,
        attemptTimeout: Number.POSITIVE_INFINITY,
        timeout: Number.POSITIVE_INFINITY,
        script: [act]
      }
      const run = world.tier(tier, {
        breaker: rerouted(breaker, { decide: (decide) => Effect.zipRight(giveWay, decide) })
      })
      await world.observe(
        Effect.as(Effect.exit(CircuitBreaker.execute(Effect.fail("down"), breaker)), "tripped")
      )
      await world.pass(1_000)
      await world.observe(
        Effect.as(
          Effect.all(Effect.replicate(Effect.exit(run), callers), { concurrency: "unbounded" }),
          "all"
        )
      )
      assert.lengthOf(world.calls, Math.min(callers, probes))
      await world.leavesNothingBehind()
    }
  )
})
