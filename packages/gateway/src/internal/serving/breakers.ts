import { createHash } from "node:crypto"
import * as CircuitBreaker from "@understudy/core/CircuitBreaker"
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
    return {
      of: (route, { name }) => Effect.fromNullable(byName.get(nameOf(route, name))).pipe(Effect.orDie),
      byIdentity
    }
  })

const nameOf = (route: string, tier: string): string => JSON.stringify([route, tier])

// A provider's key is in it.
const digest = (identity: ReadonlyArray<unknown>): string =>
  createHash("sha256").update(JSON.stringify(identity)).digest("hex")
