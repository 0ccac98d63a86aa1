import type * as Attempt from "@understudy/core/Attempt"
import type * as CircuitBreaker from "@understudy/core/CircuitBreaker"
import type { Logged } from "@understudy/core/Log"
import * as Log from "../../Log.ts"

/** The last attempts of a gateway, as logged, and the last transitions of its breakers. Bounded. */
export interface Recent {
  /** Tracks only these tiers from now on. */
  readonly follow: (tiers: ReadonlyArray<readonly [route: string, tier: string]>) => void
  readonly hear: (requestId: string | undefined, event: Attempt.Event, at: Date) => void
  /** The newest first. */
  readonly attempts: () => ReadonlyArray<Log.Entry>
  /** The newest last. */
  readonly ofTier: (route: string, tier: string) => ReadonlyArray<Log.Entry>
  readonly change: (route: string, tier: string) => Change | undefined
}

export interface Change {
  readonly at: Date
  readonly reason: CircuitBreaker.Transition["reason"]
  /** The epoch of the breaker; a breaker that has replaced it starts over. */
  readonly epoch: number
}

/** How many are kept, in total and per tier. */
export const kept = 40

/** Makes one that tracks no tier yet. */
export const make = (): Recent => {
  const all: Array<Heard> = []
  const byTier = new Map<string, Array<Heard>>()
  const changes = new Map<string, Change>()
  return {
    follow: (tiers) => {
      const known = new Map(byTier)
      byTier.clear()
      for (const tier of tiers.map(([route, tier]) => key(route, tier)))
        byTier.set(tier, known.get(tier) ?? [])
      for (const tier of changes.keys()) if (!byTier.has(tier)) changes.delete(tier)
    },
    hear: (requestId, event, at) => {
      if (event._tag === "BreakerChanged") {
        const { epoch, reason } = event.transition
        changes.set(key(event.run, event.tier), { at, reason, epoch })
      }
      if (event._tag !== "AttemptEnded") return
      const own = byTier.get(key(event.run, event.attempt.tier))
      if (own === undefined) return
      const heard = { requestId, event, at }
      for (const list of [all, own]) {
        list.push(heard)
        if (list.length > kept) list.shift()
      }
    },
    attempts: () => all.map(entryOf).reverse(),
    ofTier: (route, tier) => (byTier.get(key(route, tier)) ?? []).map(entryOf),
    change: (route, tier) => changes.get(key(route, tier))
  }
}

/** An entry is made lazily, since most are dropped before anybody looks. */
interface Heard {
  readonly requestId: string | undefined
  readonly event: Logged
  readonly at: Date
}

const entryOf = ({ at, event, requestId }: Heard): Log.Entry => Log.entry(requestId, event, at)

const key = (route: string, tier: string): string => `${route.length} ${route}${tier}`
