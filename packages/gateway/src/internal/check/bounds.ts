import * as Policy from "@understudy/core/Policy"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import type * as Config from "../../Config.ts"
import { table } from "../laboratory/words.ts"

type RoutePolicy = Policy.Policy<Config.Tier>

/** The default retries of an OpenAI client. */
const clientRetries = 2

/** The bounds of a route, and when it reaches which tier, as text. */
export const boundsText = (policy: RoutePolicy): string => {
  const { attempts, duration, tiers } = Policy.worstCase(policy)
  const reach = Policy.reach(policy)
  const rows = tiers.map((tier, index) => {
    const { hanging, latest } = reach[index]!
    return [
      tier.name,
      String(tier.attempts),
      time(tier.duration),
      index === 0
        ? "at once"
        : Duration.toMillis(latest) === 0
          ? "at once, or not at all"
          : `at once to ${time(latest)}`,
      index === 0 ? "" : hanging === undefined ? "never" : `after ${time(hanging)}`
    ]
  })
  const stream = Policy.worstCase(policy, { stream: true }).duration
  return [
    table(
      [
        ["tier", "attempts", "at most", "is asked", "while those above hang"],
        ...rows,
        ["in all", String(attempts), time(duration), "", ""]
      ],
      [1, 2]
    ),
    ...(Duration.equals(stream, duration) ? [] : [`A stream begins within ${time(stream)}.`]),
    `One request is at most ${attempts} upstream calls, ${attempts * (1 + clientRetries)} where its client asks again as often as OpenAI's do (${clientRetries} times).`
  ].join("\n\n")
}

/** The findings on a route, each with a remedy. */
export const findingsText = (findings: ReadonlyArray<Policy.Finding>): ReadonlyArray<string> =>
  findings.map(
    ({ message, remedy, rule, severity, tier }) =>
      `${severity}${tier === undefined ? "" : ` ${tier}`}: ${message}; ${remedy} (${rule})`
  )

/** The same as JSON: durations in their file form, `null` if infinite. */
export const boundsJson = (policy: RoutePolicy) => {
  const bounds = (stream: boolean) => {
    const { attempts, duration, tiers } = Policy.worstCase(policy, { stream })
    const reach = Policy.reach(policy, { stream })
    return {
      attempts,
      duration: orNull(duration),
      tiers: tiers.map((tier, index) => {
        const { hanging, latest, retried } = reach[index]!
        return {
          name: tier.name,
          attempts: tier.attempts,
          duration: orNull(tier.duration),
          retried: orNull(retried),
          hanging: hanging === undefined ? null : orNull(hanging),
          latest: orNull(latest)
        }
      })
    }
  }
  return { answer: bounds(false), stream: bounds(true) }
}

const encode = Schema.encodeSync(Policy.DurationText)

const time = (duration: Duration.Duration): string =>
  Duration.isFinite(duration) ? encode(Duration.millis(Math.round(Duration.toMillis(duration)))) : "for ever"

const orNull = (duration: Duration.Duration): string | null =>
  Duration.isFinite(duration) ? time(duration) : null
