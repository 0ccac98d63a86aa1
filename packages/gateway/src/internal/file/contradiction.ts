import type { Config } from "../../Config.ts"
import { isLoopback } from "../network/loopback.ts"
import { type Problem, quote } from "./issue.ts"
import { suggest } from "./nearest.ts"
import { prefills } from "./providerFile.ts"
import type * as Yaml from "./yaml.ts"

/** The first field that another one does not agree with. */
export const contradiction = (config: Config, source: Yaml.Source): Problem | undefined =>
  unknownProvider(config, source) ?? otherVectors(config) ?? answersAnew(config, source) ?? openToAll(config)

const unknownProvider = ({ providers, routes }: Config, { written }: Yaml.Source): Problem | undefined => {
  for (const [route, { tiers }] of Object.entries(routes)) {
    const index = tiers.findIndex(({ provider }) => !Object.hasOwn(providers, provider))
    const tier = tiers[index]
    if (tier === undefined) continue
    const path = ["routes", route, "tiers", index, "provider"]
    const reason = `unknown provider ${quote(written(path) ?? "", tier.provider)}`
    return { path, on: "value", reason, remedy: suggest(tier.provider, Object.keys(providers)) }
  }
  return undefined
}

const otherVectors = ({ providers, routes }: Config): Problem | undefined => {
  for (const [route, { tiers }] of Object.entries(routes)) {
    const made = tiers[0].embeddings
    for (const [index, { embeddings, provider }] of tiers.entries()) {
      const at = { path: ["routes", route, "tiers", index, "embeddings"], on: "value" } as const
      if (embeddings !== made) {
        const reason = `not what the first tier makes, ${made ?? "none"}; vectors of different models do not compare`
        return { ...at, reason, remedy: "move the tier to another route" }
      }
      if (embeddings !== undefined && providers[provider]?.kind === "anthropic") {
        return { ...at, reason: "Anthropic has no embeddings", remedy: "name another provider" }
      }
    }
  }
  return undefined
}

const answersAnew = ({ providers, routes }: Config, { written }: Yaml.Source): Problem | undefined => {
  for (const [route, { tiers }] of Object.entries(routes)) {
    for (const [index, tier] of tiers.entries()) {
      const provider = providers[tier.provider]
      if (tier.continue !== "prefill" || provider === undefined || prefills(provider)) continue
      const name = quote(written(["routes", route, "tiers", index, "provider"]) ?? "", tier.provider)
      return {
        path: ["routes", route, "tiers", index, "continue"],
        on: "value",
        reason: `the models of ${name} are not known to go on from a prefix`,
        remedy:
          provider.kind === "openai" ? `use restart, or say "prefill: true" there if they do` : "use restart"
      }
    }
  }
  return undefined
}

const openToAll = ({ server }: Config): Problem | undefined =>
  server.apiKeys.length > 0 || isLoopback(server.host)
    ? undefined
    : {
        path: ["server", "host"],
        on: "value",
        reason: "others can reach this host and server.apiKeys is empty",
        remedy: "add a key or listen on 127.0.0.1"
      }
