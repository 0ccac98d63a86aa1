import type { Simulation } from "@understudy/core/testing"
import * as ErrorTable from "@understudy/http/ErrorTable"
import type { Answer, Provider } from "@understudy/http/Provider"
import * as ProviderError from "@understudy/http/ProviderError"
import * as Route from "@understudy/http/Route"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import type { Config, Tier } from "../../Config.ts"

/** The statuses that a script may have an upstream answer with. */
const statuses = [
  400, 401, 402, 403, 404, 408, 409, 410, 413, 422, 424, 429, 498, 500, 501, 502, 503, 504, 524, 525, 526, 529
]

/** How a call can fail: every kind of the error table, and every status that has a line of its own there. */
export const kinds: ReadonlyArray<string> = [...ProviderError.kinds, ...statuses.map(String)]

/** What a script may call the tiers of these files by. */
export const namesOf = (configs: ReadonlyArray<Config>): ReadonlyArray<string> => [
  ...new Set(
    configs
      .flatMap(({ routes }) => Object.values(routes).flatMap(({ tiers }) => tiers))
      .flatMap(({ model, name, provider }: Tier) => [name, provider, model])
  )
]

/** One of the file's routes as the gateway makes it, but for what its providers do. */
export const subject = (config: Config, route: string, names: ReadonlyArray<string>): Simulation.Subject => {
  const policy = config.routes[route]!
  return {
    alert: policy.alert,
    names,
    make: ({ call }) => {
      const calls = new Map(
        policy.tiers.map((tier) => [tier.name, call(tier.name, tier.provider, tier.model)])
      )
      // One each, for all tiers that share its credential.
      const providers = Record.map(config.providers, (_, name) => scripted(name, calls))
      const tiers = Arr.map(policy.tiers, (tier) => ({
        ...tier,
        // What a provider is asked for: here, by the name of the tier that asks.
        model: tier.name,
        provider: providers[tier.provider]!
      }))
      return Effect.map(Route.make(route, { ...policy, tiers }), ({ complete }) => complete(request))
    }
  }
}

const request = {
  model: "simulated",
  stream: false,
  body: new TextEncoder().encode('{"model":"simulated","messages":[]}')
}

const answer: Answer = { body: new Uint8Array(), usage: undefined }

const scripted = (
  name: string,
  calls: ReadonlyMap<string, Effect.Effect<string, Simulation.Refused>>
): Provider => {
  const complete: Provider["complete"] = (_, tier) =>
    Effect.mapBoth(calls.get(tier)!, { onFailure: errorOf, onSuccess: () => answer })
  return {
    name,
    system: "simulated",
    server: undefined,
    complete,
    embeddings: complete,
    stream: () => Effect.dieMessage("a simulated provider does not stream")
  }
}

const nothing = new Uint8Array()

/** What the gateway makes of such a failure. */
const errorOf = ({ kind, retryAfter }: Simulation.Refused): ProviderError.ProviderError => {
  const known = ProviderError.kinds.find((each) => each === kind)
  if (known !== undefined) return ProviderError.make({ kind: known, retryAfter })
  const {
    kind: meant,
    retry,
    status
  } = ErrorTable.classify({ status: Number(kind), headers: {}, body: nothing }, 0)
  return ProviderError.make({ kind: meant, status, retry, retryAfter })
}
