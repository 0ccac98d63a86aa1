import { assert, describe } from "@effect/vitest"
import { Cause, Chunk, Duration, Effect, Exit, FastCheck, Stream } from "effect"
import { assertUnmoved } from "./breakers.ts"
import { plans, withTiers } from "./plan.ts"
import { law } from "./property.ts"
import { seen } from "./seen.ts"
import { shapeOfExit } from "./shape.ts"
import { memory, predict } from "./simulator.ts"
import { committed, elementsOf, ended, endOf, servings, slack, verdictOf } from "./streamFacts.ts"
import { type Caller, callers, streamPlans } from "./streamPlan.ts"
import { composed, type Pull, StreamWorld, stage } from "./streamWorld.ts"
import { type Observation, World } from "./world.ts"

const { array, nat, tuple } = FastCheck

const everything = { jitter: true, breakers: true } as const

const anything = tuple(streamPlans(everything), callers)

const patient = callers.map((caller): Caller => ({ ...caller, takes: Number.POSITIVE_INFINITY }))

/** Whose finalizers are waited for, since no bound is over before they are. */
const unbounded = streamPlans({ breakers: true, resumes: true }).map(({ plan, streams }) => ({
  plan,
  streams: streams.map((stream) => ({ ...stream, idle: Infinity, maxStream: Infinity }))
}))

/** From when on a stream may, and from when on it must be over; where the two are not one there is a tie. */
const overdue = (
  { after, at }: { readonly after: ReadonlyArray<Pull>; readonly at: number },
  { idle, maxStream }: { readonly idle: number; readonly maxStream: number }
) => {
  const over = { may: at + maxStream, must: at + maxStream }
  let silence = 0
  for (const { counts, from, until = Number.POSITIVE_INFINITY } of after) {
    const quiet = silence + until - from
    if (quiet >= idle - slack) over.may = Math.min(over.may, from + idle - silence)
    if (quiet > idle + slack) over.must = Math.min(over.must, from + idle - silence)
    silence = counts ? 0 : quiet
  }
  return over
}

describe("streams", () => {
  law(
    "S1: what the caller gets is the beginning of one attempt's stream, from its very first element on",
    anything,
    async ([plan, caller]) => {
      const world = new StreamWorld(plan)
      const { calls, given } = await world.observe(caller)
      const serving = calls.at(-1)?.name
      assert.deepStrictEqual(
        given.map(({ call, index }) => [call, index]),
        given.map((_, index) => [serving, index])
      )
      await world.leavesNothingBehind()
    }
  )

  law(
    "S2: nothing begins after the first content, nor before what went before it has let go",
    anything,
    async ([plan, caller]) => {
      const world = new StreamWorld(plan)
      const observed = await world.observe(caller)
      const { calls, log } = observed
      const serving = committed(observed)
      if (serving !== undefined) assert.isTrue(calls.every(({ begun }) => begun <= serving.at))
      for (const [index, call] of calls.slice(0, -1).entries()) {
        const { bound, end } = log[index] ?? assert.fail("no attempt")
        assert.isTrue(call.pulls.every(({ counts, until = end }) => !counts || until >= end))
        const { last } = call.speech
        if (bound === undefined || (!last.stubborn && last.release === 0)) {
          assert.isBelow(call.closing, calls[index + 1]?.opening ?? 0)
        }
      }
      await world.leavesNothingBehind()
      assert.strictEqual(world.calls.length, calls.length)
    }
  )

  law(
    "S3: the caller's stream ends as that of its tier; one that ends without content has failed",
    anything,
    async ([plan, caller]) => {
      const world = new StreamWorld(plan)
      const observed = await world.observe(caller)
      const { calls, exit, given, log } = observed
      const serving = committed(observed)
      for (const [index, call] of calls.entries()) {
        const attempt = log[index]
        if (attempt === undefined || attempt.bound !== undefined || call === serving?.call) continue
        if (ended(call) && call.speech.last.end === "ok") {
          assert.deepInclude(attempt, { outcome: "failure", errorType: "EmptyStream" })
        }
      }
      if (exit === undefined) return world.leavesNothingBehind()
      if (serving === undefined) {
        assert.isTrue(Exit.isFailure(exit))
        assert.deepStrictEqual(given, [])
      } else if (given.length >= caller.takes) assert.isTrue(Exit.isSuccess(exit))
      else {
        const { bound } = serving.entry
        assert.strictEqual(shapeOfExit(exit), bound === undefined ? endOf(serving.call) : `fail(${bound})`)
        if (bound === undefined) assert.strictEqual(given.length, elementsOf(serving.call))
      }
      await world.leavesNothingBehind()
    }
  )

  const bounds: Record<string, number> = {}

  law(
    "S4: firstToken, idle and maxStream are over at their very instant; only content ends a silence, and only listening is one",
    tuple(streamPlans(everything), patient),
    async ([plan, caller]) => {
      const world = new StreamWorld(plan)
      const observed = await world.observe(caller)
      const { endedAt, log } = observed
      const serving = committed(observed)
      for (const { bound, end, start, tier } of log) {
        const { attemptTimeout } = plan.plan.tiers.find(({ name }) => name === tier) ?? assert.fail(tier)
        const token = tier === serving?.entry.tier && end === serving.entry.end ? serving.at : end
        assert.isAtMost(token, start + attemptTimeout + slack)
        if (bound === "firstToken") assert.approximately(end, start + attemptTimeout, slack)
      }
      if (serving !== undefined) {
        const { at, call, entry } = serving
        const { may, must } = overdue(serving, world.streamOf(call))
        // A caller that takes its time hears of it later.
        const eager = caller.pauses.every((pause) => pause === 0)
        const stopped = entry.bound === undefined ? call.closed[0] : eager ? endedAt : at
        assert.isAtMost(stopped ?? endedAt, must + slack)
        if (entry.bound !== undefined) assert.isAtLeast(endedAt, may - slack)
        for (const { from } of call.pulls) assert.isAtMost(from, must + slack)
      }
      for (const { bound } of log) if (bound !== undefined) bounds[bound] = (bounds[bound] ?? 0) + 1
      await world.leavesNothingBehind()
    },
    () => assert.containsAllKeys(bounds, ["firstToken", "idle", "maxStream"])
  )

  const verdicts = { Success: 0, Failure: 0, Ignored: 0, probes: 0, retracted: 0 }

  law(
    "S5: each attempt is reported to its breaker once, at its first content or at its end if that comes first; a success that then breaks off is taken back",
    tuple(
      streamPlans({ ...everything, resumes: true }),
      callers,
      array(nat(9_000), { minLength: 1, maxLength: 3 })
    ),
    async ([plan, caller, pauses]) => {
      const world = new StreamWorld(plan)
      for (const pause of pauses) {
        const before = world.reports.length
        const observed = await world.observe(caller)
        if (observed.exit === undefined) break
        assert.deepStrictEqual(
          world.reports.flatMap(({ permit }) => permit ?? []),
          world.permits
        )
        const served = new Map(servings(observed).map(({ at, entry }) => [entry, at]))
        const expected = observed.log.flatMap((entry) => {
          const { breaker } =
            plan.plan.tiers.find(({ name }) => name === entry.tier) ?? assert.fail(entry.tier)
          if (breaker === undefined) return []
          const firstContent = served.get(entry)
          if (firstContent === undefined) return [verdictOf(entry), entry.end]
          const broke = entry.outcome === "failure" || entry.outcome === "timeout"
          return ["Success", firstContent, ...(broke ? ["taken back", entry.end] : [])]
        })
        const reports = world.reports.slice(before)
        assert.deepStrictEqual(
          reports.flatMap(({ at, outcome, permit }) => [permit ? outcome._tag : "taken back", at]),
          expected
        )
        for (const { outcome, permit } of reports) {
          if (permit === undefined) verdicts.retracted++
          else verdicts[outcome._tag]++
          if (permit !== undefined && permit.id > 0) verdicts.probes++
        }
        await world.world.pass(pause)
      }
      await world.leavesNothingBehind()
    },
    () => {
      for (const times of Object.values(verdicts)) assert.isAbove(times, 0)
    }
  )

  const left = { before: 0, after: 0, probing: 0 }

  law(
    "S6: a caller that leaves interrupts its stream, waits for its finalizers, starts nothing and moves no breaker",
    tuple(unbounded, patient, array(nat(5_000), { maxLength: 2 }), nat(12_000)),
    async ([plan, caller, earlier, leaving]) => {
      const world = new StreamWorld(plan)
      for (const pause of earlier) {
        const { exit } = await world.observe(caller)
        if (exit === undefined) return world.leavesNothingBehind()
        await world.world.pass(pause)
      }
      // Between two instants at which anything else happens.
      const leavesAt = leaving + 0.5
      const leftAt = world.now + leavesAt
      let before: ReturnType<World["states"]> = []
      const looking = world.clock.unsafeSchedule(
        () => {
          before = world.world.states()
        },
        Duration.millis(leavesAt - 0.25)
      )
      const { calls, endedAt, events, exit, given, log } = await world.observe({ ...caller, leavesAt })
      looking()
      if (exit === undefined || endedAt < leftAt) return world.leavesNothingBehind()
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterrupted(exit.cause))
      assert.isTrue(given.every(({ at }) => at < leftAt))
      assert.isTrue(calls.flatMap(({ pulls }) => pulls).every(({ from }) => from < leftAt))
      if (log.at(-1)?.outcome === "interrupted") {
        const [closed, ...again] = calls.at(-1)?.closed ?? []
        assert.deepStrictEqual([endedAt, again], [Math.max(leftAt, closed ?? Infinity), []])
      } else assert.strictEqual(endedAt, leftAt)
      assert.deepInclude(events.at(-1), { _tag: "RunEnded", outcome: "cancelled" })
      left.probing += assertUnmoved(before, world.world.states())
      left[given.length > 0 ? "after" : "before"]++
      await world.leavesNothingBehind()
      assert.strictEqual(world.calls.at(-1), calls.at(-1))
    },
    () => {
      for (const times of Object.values(left)) assert.isAbove(times, 0)
    }
  )
})

/** All that can be seen of a run, in the words for effects. */
const asEffect = (observation: Observation): string =>
  JSON.stringify(seen(observation), (key, value) =>
    key === "firstToken" || key === "pace" ? undefined : value
  ).replaceAll("firstToken", "attemptTimeout")

describe("streams of one word", () => {
  law(
    "S7: a ladder of streams that say one thing does what the ladder of effects does",
    plans({ breakers: true, ok: 15 }).map((plan) =>
      withTiers(plan, (tier) => ({
        ...tier,
        // A stream's scope outlives its first content.
        script: tier.script.map((act) => (act.end === "ok" ? { ...act, release: 0 } : act))
      }))
    ),
    async (plan) => {
      FastCheck.pre(!predict(plan, 0, memory(plan)).tie)
      const [effects, streams] = [new World(plan), new World(plan)]
      const heads = composed(plan.tree, (tier) =>
        stage(streams, tier, Stream.fromEffect(streams.attempt(tier)))
      )
      const head = Effect.map(Stream.runCollect(heads), Chunk.unsafeHead).pipe(
        Effect.catchTags({ DeadlineExceeded: Effect.die, EmptyStream: Effect.die })
      )
      const one = await effects.observe()
      await effects.leavesNothingBehind()
      const other = await streams.observe(head)
      await streams.leavesNothingBehind()
      assert.strictEqual(asEffect(other), asEffect(one))
      assert.deepStrictEqual(other.calls, one.calls)
    }
  )
})
