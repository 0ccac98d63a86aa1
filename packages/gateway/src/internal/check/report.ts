import type * as CircuitBreaker from "@understudy/core/CircuitBreaker"
import * as Policy from "@understudy/core/Policy"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import * as Config from "../../Config.ts"
import { many } from "../drawing/figures.ts"
import { percent } from "../drawing/percent.ts"
import { indented } from "../laboratory/words.ts"
import { boundsJson, boundsText, findingsText } from "./bounds.ts"

/** The output of `check` for a valid file: its policies with every default, their bounds, and the findings. */
export const report = (
  { config, name }: { readonly config: Config.Config; readonly name: string },
  json: boolean
): string => {
  if (json) {
    const policies = Schema.encodeSync(Config.File)(config).routes
    const routes = Record.map(config.routes, (policy, route) => ({
      policy: policies[route],
      bounds: boundsJson(policy),
      findings: Policy.lint(policy)
    }))
    return JSON.stringify(routes, null, 2)
  }
  const routes = Object.entries(config.routes).map(([route, policy]) => {
    const { deadline, maxTiers, tiers } = policy
    return [
      `route ${route}: deadline ${text(deadline)}, at most ${many(maxTiers ?? tiers.length, "tier")}`,
      indented(tiers.map(tierLines).join("\n")),
      indented(boundsText(policy)),
      ...findingsText(Policy.lint(policy)).map(indented)
    ].join("\n\n")
  })
  return [`${name} is valid.`, ...routes].join("\n\n")
}

const tierLines = (tier: Config.Tier): string => {
  const { backoff, breaker } = tier
  return [
    `${tier.name}: ${tier.provider} ${tier.model}`,
    `timeout ${text(tier.timeout)} (attempt ${text(tier.attemptTimeout)}, first token ${text(tier.firstToken)})`,
    ...(tier.hedge === undefined
      ? []
      : [`a whole answer is asked of the next tier as well after ${text(tier.hedge.after)}`]),
    `stream idle ${text(tier.idle)}, at most ${text(tier.maxStream)}${tier.continue === undefined ? "" : `; goes on with another's by ${tier.continue}`}`,
    `${backoff.times} retries from ${text(backoff.base)} by ${backoff.factor} to ${text(backoff.max)}, jitter ${backoff.jitter}, retry-after up to ${text(tier.maxRetryAfter)}`,
    `breaker opens ${breaker.trip.map(trigger).join(", or ")}; for ${text(breaker.openFor)}`
  ].join("\n    ")
}

const trigger = (trip: CircuitBreaker.Trip): string => {
  switch (trip._tag) {
    case "Consecutive":
      return `after ${trip.failures} failures in a row`
    case "Rate":
      return `at ${percent(trip.threshold)} failures`
    case "Slow":
      return `at ${percent(trip.threshold)} calls slower than ${text(trip.after)}`
  }
}

const text = Schema.encodeSync(Policy.DurationText)
