import * as Duration from "effect/Duration"
import type { Policy } from "../../Policy.ts"
import { hangingTier, hedgeAfter, latestStarts, leastWaits, type RunKind } from "./worstCase.ts"

/**
 * When a run can reach a tier, counted from its start; no later than its deadline.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierReach {
  readonly name: string
  /** If each of the tiers above uses up all its attempts, and all of them fail at once. */
  readonly retried: Duration.Duration
  /** If all of the tiers above hang; `undefined` if it is not asked then. */
  readonly hanging: Duration.Duration | undefined
  /** If the tiers above take as long as they can. */
  readonly latest: Duration.Duration
}

export const reach = (policy: Policy, kind: RunKind = {}): ReadonlyArray<TierReach> => {
  const deadline = Duration.toMillis(policy.deadline)
  const { maxTiers = policy.tiers.length, tiers } = policy
  const latest = latestStarts(policy, kind)
  const within = (millis: number) => Duration.millis(Math.min(deadline, millis))
  return tiers.map(({ name }, index) => {
    const above = tiers.slice(0, index)
    const hanging = sum(above.map((tier) => hangingTier(tier, kind)))
    const retried = above.map((tier) =>
      kind.stream ? leastWaits(tier) : Math.min(leastWaits(tier), hedgeAfter(tier))
    )
    return {
      name,
      retried: within(sum(retried)),
      hanging: index < maxTiers && hanging < deadline ? Duration.millis(hanging) : undefined,
      latest: within(latest[index]!)
    }
  })
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)
