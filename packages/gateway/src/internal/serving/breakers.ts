import { createHash } from "node:crypto"
import type * as Attempt from "@understudy/core/Attempt"
import * as CircuitBreaker from "@understudy/core/CircuitBreaker"
import * as Deadline from "@understudy/core/Deadline"
import type { Route } from "@understudy/http/Route"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Config from "../../Config.ts"

/** The breakers of a file's tiers, by who the tiers are. */
export interface Breakers {
  readonly of: (
    route: string,
    tier: { readonly name: string }
  ) => Effect.Effect<CircuitBreaker.CircuitBreaker>
  readonly byIdentity: ReadonlyMap<string, CircuitBreaker.CircuitBreaker>
  /** Those of any file so far that no tier has any more: runs of before may still ask them, and nobody else. */
  readonly retired: WeakSet<CircuitBreaker.CircuitBreaker>
  readonly isRetired: (route: string, tier: string) => boolean
}

/**
 * A tier that stays who it was keeps its breaker, and what that knows. Who it is: its route and name, its model, its
 * breaker's settings, and its provider with everything that is said of that; a new key may well be a good one.
 */
export const make = (config: Config.Config, before?: Breakers): Effect.Effect<Breakers> =>
  Effect.gen(function* () {
    const { providers, routes } = Schema.encodeSync(Config.File)(config)
    const byIdentity = new Map<string, CircuitBreaker.CircuitBreaker>()
    const byName = new Map<string, CircuitBreaker.CircuitBreaker>()
    for (const [route, { tiers }] of Object.entries(routes)) {
      for (const [index, { breaker, model, name, provider }] of tiers.entries()) {
        const identity = digest([route, name, model, breaker, provider, providers[provider]])
        const settings = config.routes[route]?.tiers[index]?.breaker
        const own =
          before?.byIdentity.get(identity) ??
          (yield* CircuitBreaker.make({ ...settings, key: `${route}/${name}` }))
        byIdentity.set(identity, own)
        byName.set(nameOf(route, name), own)
      }
    }
    const retired = before?.retired ?? new WeakSet()
    return {
      of: (route, { name }) => Effect.fromNullable(byName.get(nameOf(route, name))).pipe(Effect.orDie),
      byIdentity,
      retired,
      isRetired: (route, tier) => {
        const own = byName.get(nameOf(route, tier))
        return own !== undefined && retired.has(own)
      }
    }
  })

/** Retires the breakers of these routes that are none of `after`; of those that were not closed it is to be told. */
export const retire = (
  routes: ReadonlyArray<Route>,
  before: Breakers,
  after: Breakers
): Effect.Effect<ReadonlyArray<Attempt.Event>> =>
  Effect.gen(function* () {
    const kept = new Set(after.byIdentity.values())
    const events: Array<Attempt.Event> = []
    for (const { breakers, name } of routes) {
      for (const { labels, tier } of breakers) {
        const own = yield* before.of(name, { name: tier })
        if (kept.has(own)) continue
        const { _tag: from } = yield* own.state
        before.retired.add(own)
        if (from === "Closed") continue
        const transition: CircuitBreaker.Transition = {
          key: own.key,
          from,
          to: "Closed",
          reason: "retired",
          // That of one which has not changed yet, as what stands in its place.
          epoch: CircuitBreaker.initial.epoch,
          at: yield* Deadline.now,
          retryAfter: undefined,
          consecutiveOpenings: undefined
        }
        events.push({ _tag: "BreakerChanged", run: name, tier, labels, transition })
      }
    }
    return events
  })

const nameOf = (route: string, tier: string): string => JSON.stringify([route, tier])

// A provider's key is in it.
const digest = (identity: ReadonlyArray<unknown>): string =>
  createHash("sha256").update(JSON.stringify(identity)).digest("hex")
