import type * as Attempt from "@understudy/core/Attempt"
import * as CircuitBreaker from "@understudy/core/CircuitBreaker"
import * as Deadline from "@understudy/core/Deadline"
import type { Route } from "@understudy/http/Route"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Config from "../../Config.ts"

/** The breakers of a configuration's tiers. */
export interface Breakers {
  readonly of: (
    route: string,
    tier: { readonly name: string }
  ) => Effect.Effect<CircuitBreaker.CircuitBreaker>
  readonly byName: ReadonlyMap<string, CircuitBreaker.CircuitBreaker>
  /** Breakers that no tier has any more. Only runs that began before the reload still use them. */
  readonly retired: WeakSet<CircuitBreaker.CircuitBreaker>
  readonly isRetired: (route: string, tier: string) => boolean
}

/**
 * A tier keeps its breaker if its identity is unchanged: its route and name, its model, its breaker's settings, and its
 * provider with all settings, including the key, since a new key may be a good one.
 */
export const make = (
  config: Config.Config,
  before?: { readonly config: Config.Config; readonly breakers: Breakers }
): Effect.Effect<Breakers> =>
  Effect.gen(function* () {
    const kept = before && unchanged(before.breakers.byName, before.config, config)
    const byName = new Map<string, CircuitBreaker.CircuitBreaker>()
    for (const [route, { tiers }] of Object.entries(config.routes)) {
      for (const { breaker, name } of tiers) {
        const key = nameOf(route, name)
        const own = kept?.get(key) ?? (yield* CircuitBreaker.make({ ...breaker, key: `${route}/${name}` }))
        byName.set(key, own)
      }
    }
    const retired = before?.breakers.retired ?? new WeakSet()
    return {
      of: (route, { name }) => Effect.fromNullable(byName.get(nameOf(route, name))).pipe(Effect.orDie),
      byName,
      retired,
      isRetired: (route, tier) => {
        const own = byName.get(nameOf(route, tier))
        return own !== undefined && retired.has(own)
      }
    }
  })

/** Retires the breakers of these routes that are not in `after`, and reports those that were not closed. */
export const retire = (
  routes: ReadonlyArray<Route>,
  before: Breakers,
  after: Breakers
): Effect.Effect<ReadonlyArray<Attempt.Event>> =>
  Effect.gen(function* () {
    const kept = new Set(after.byName.values())
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
          // The initial epoch, like that of the breaker that replaces it.
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

const unchanged = <A>(
  byName: ReadonlyMap<string, A>,
  before: Config.Config,
  after: Config.Config
): ReadonlyMap<string, A> => {
  const [was, is] = [identities(before), identities(after)]
  return new Map([...byName].filter(([name]) => was.get(name) === is.get(name)))
}

/** Contains providers' keys, so it must not be kept. */
const identities = (config: Config.Config): ReadonlyMap<string, string> => {
  const { providers, routes } = Schema.encodeSync(Config.File)(config)
  return new Map(
    Object.entries(routes).flatMap(([route, { tiers }]) =>
      tiers.map(({ breaker, model, name, provider }) => [
        nameOf(route, name),
        JSON.stringify([model, breaker, provider, providers[provider]])
      ])
    )
  )
}
