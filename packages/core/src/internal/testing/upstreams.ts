import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Event, Script, Upstream } from "../../testing/Script.ts"
import { Draws } from "./draws.ts"
import { type Fate, fateOf, windowOf } from "./fate.ts"
import { Refused } from "./refused.ts"
import { silent } from "./scriptFile.ts"
import type { VirtualTime } from "./virtualTime.ts"

/** The request that a call belongs to. */
interface Request {
  readonly number: number
  /** The number of calls per tier. */
  readonly calls: Array<number>
}

export class CurrentRequest extends Context.Reference<CurrentRequest>()(
  "@understudy/core/testing/CurrentRequest",
  { defaultValue: (): Request => ({ number: 0, calls: [] }) }
) {}

/** The counts of calls that share limits and capacity. */
class Counts {
  underWay = 0
  before = 0
  inWindow = 0
  windowEnds = 0
}

/** The scripted upstreams that tiers call. */
export class Upstreams {
  /** The names of the tiers, in the order in which they were first asked for. */
  readonly tiers: Array<string> = []
  readonly costs: Array<number> = []
  private readonly script: Script
  private readonly seed: number
  private readonly time: VirtualTime
  private readonly counts = new Map<Upstream, Counts>()
  private readonly known = new Set<string>()

  constructor(script: Script, seed: number, time: VirtualTime) {
    this.script = script
    this.seed = seed
    this.time = time
  }

  /** A call of a tier, affected by events and upstreams of any of its names. */
  call(tier: string, also: ReadonlyArray<string>): Effect.Effect<string, Refused> {
    const names = [tier, ...also]
    for (const name of names) this.known.add(name)
    const index = this.tiers.push(tier) - 1
    this.costs.push(0)
    const own = names.find((name) => Object.hasOwn(this.script.upstreams, name))
    const upstream = own === undefined ? { ...silent } : this.script.upstreams[own]!
    const counts = this.counts.get(upstream) ?? new Counts()
    this.counts.set(upstream, counts)
    const events = this.script.events.filter((event) => this.concerns(event, names))
    const answer = Exit.succeed(tier)
    return Effect.withFiberRuntime<string, Refused>((fiber) => {
      const fate = fateOf(upstream, events, this.facing(upstream, counts), this.draws(fiber, index))
      if (fate.fails === undefined) this.costs[index]! += upstream.price
      return this.meet(fate, counts, answer)
    })
  }

  /** The first name in the script that is unknown. */
  unknown(allowed: ReadonlyArray<string>): string | undefined {
    const { events, groups, upstreams } = this.script
    const named = [
      ...Object.keys(upstreams),
      ...events.flatMap(({ of }) => of),
      ...Object.values(groups).flat()
    ]
    return named.find(
      (name) => !this.known.has(name) && !Object.hasOwn(groups, name) && !allowed.includes(name)
    )
  }

  private concerns({ of }: Event, names: ReadonlyArray<string>): boolean {
    const { groups } = this.script
    return (
      of.length === 0 ||
      of.some(
        (name) => names.includes(name) || groups[name]?.some((member) => names.includes(member)) === true
      )
    )
  }

  private facing({ limit }: Upstream, counts: Counts) {
    const { now } = this.time
    if (limit !== undefined && now >= counts.windowEnds) {
      counts.windowEnds = windowOf(limit, now)
      counts.inWindow = 0
    }
    const { before, inWindow, underWay } = counts
    counts.before++
    counts.inWindow++
    return { now, underWay, inWindow, before }
  }

  private draws(fiber: Fiber.RuntimeFiber<unknown, unknown>, tier: number): Draws {
    const { calls, number } = Context.get(fiber.currentContext, CurrentRequest)
    const call = (calls[tier] ?? 0) + 1
    calls[tier] = call
    return new Draws(this.seed, number, tier, call)
  }

  private meet({ after, fails, retryAfter }: Fate, counts: Counts, answer: Exit.Exit<string>) {
    return Effect.async<string, Refused>((resume) => {
      counts.underWay++
      const cancel = this.time.clock.unsafeSchedule(() => {
        counts.underWay--
        resume(fails === undefined ? answer : Exit.fail(new Refused({ kind: fails, retryAfter })))
      }, Duration.millis(after))
      return Effect.sync(() => {
        counts.underWay--
        cancel()
      })
    })
  }
}
