import { assert, describe } from "@effect/vitest"
import { FastCheck } from "effect"
import type { Tree } from "./plan.ts"
import { law } from "./property.ts"
import { shapeOfExit } from "./shape.ts"
import { elementsOf, endOf, servings } from "./streamFacts.ts"
import { callers, streamPlans } from "./streamPlan.ts"
import { type Element, type StreamCall, StreamWorld } from "./streamWorld.ts"

const anything = FastCheck.tuple(streamPlans({ jitter: true, breakers: true, resumes: true }), callers)

/** Whether every tier may start. */
const isUncapped = (tree: Tree): boolean => {
  switch (tree._tag) {
    case "Tier":
      return true
    case "OrElse":
      return isUncapped(tree.left) && isUncapped(tree.right)
    case "Within":
      return isUncapped(tree.tree)
    case "AtMost":
      return false
  }
}

/** Whether what ended it asks nobody else. */
const aborts = ({ speech: { last } }: StreamCall): boolean =>
  last.end === "die" || (typeof last.end === "object" && last.end.next === "abort")

describe("streams that are gone on with", () => {
  const ends = { goneOn: 0, twice: 0, failed: 0 }

  law(
    "S8: the caller gets one stream after the other, each whole but the last and each going on from all before it; it ends as the last one did, whose tier has served",
    anything,
    async ([plan, caller]) => {
      const world = new StreamWorld(plan)
      const observed = await world.observe(caller)
      const all = observed.calls.filter(({ name }) => observed.given.some(({ call }) => call === name))
      const given: Array<Pick<Element, "call" | "index">> = []
      for (const [position, call] of all.entries()) {
        if (position > 0) assert.deepStrictEqual(call.after?.map(placeOf), given)
        const own = observed.given.filter((element) => element.call === call.name)
        const entry = observed.log[observed.calls.indexOf(call)]
        if (position < all.length - 1 && entry?.bound === undefined) {
          assert.strictEqual(own.length, elementsOf(call))
        }
        given.push(...own.map((_, index) => ({ call: call.name, index })))
      }
      assert.deepStrictEqual(observed.given.map(placeOf), given)
      const last = servings(observed).at(-1)
      if (observed.exit !== undefined && last !== undefined) {
        const { bound, errorType, next, tier } = last.entry
        const end = bound === undefined ? endOf(last.call) : `fail(${bound})`
        if (given.length < caller.takes) assert.strictEqual(shapeOfExit(observed.exit), end)
        const fallback = tier !== plan.plan.tiers[0]?.name
        assert.deepInclude(observed.events.at(-1), { _tag: "RunEnded", servedBy: tier, fallback, errorType })
        if (all.length > 1) ends.goneOn++
        if (all.length > 2) ends.twice++
        if (next !== undefined) ends.failed++
      }
      await world.leavesNothingBehind()
    },
    () => {
      for (const times of Object.values(ends)) assert.isAbove(times, 0)
    }
  )

  let asked = 0

  law(
    "S9: only a tier's failure is gone on with, by tiers below that can, and only when it has let go",
    anything,
    async ([plan, caller]) => {
      const world = new StreamWorld(plan)
      const observed = await world.observe(caller)
      const { calls, log } = observed
      const all = servings(observed)
      const order = plan.plan.tiers.map(({ name }) => name)
      const begun = calls.findIndex(({ name }) => name === all[0]?.call.name)
      for (const [index, call] of calls.entries()) {
        assert.strictEqual(call.after !== undefined, begun >= 0 && index > begun)
        const [previous, entry] = [calls[index - 1], log[index - 1]]
        if (previous === undefined || entry === undefined) continue
        assert.isAtLeast(order.indexOf(call.tier.name), order.indexOf(previous.tier.name))
        if (call.after === undefined) continue
        assert.isTrue(world.streamOf(call).resumes)
        const { last } = previous.speech
        if (entry.bound === undefined || (!last.stubborn && last.release === 0)) {
          assert.isBelow(previous.closing, call.opening)
        }
        asked++
      }
      for (const { call, entry } of all) {
        const below = plan.plan.tiers.slice(order.indexOf(call.tier.name) + 1)
        const can = below.some((tier) => world.streamOf({ tier }).resumes)
        const broke = entry.outcome === "failure" || entry.outcome === "timeout"
        const lets = broke && can && (entry.bound !== undefined || !aborts(call))
        if (isUncapped(plan.plan.tree)) assert.strictEqual(entry.next, lets ? "nextTier" : undefined)
        else if (entry.next !== undefined) assert.deepStrictEqual([entry.next, lets], ["nextTier", true])
      }
      await world.leavesNothingBehind()
    },
    () => assert.isAbove(asked, 0)
  )
})

const placeOf = ({ call, index }: Element) => ({ call, index })
