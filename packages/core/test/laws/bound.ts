import { Duration } from "effect"
import type { TierPlan, Tree } from "./plan.ts"

/** The longest the wait before a retry can be, from 1. */
export const longestWait = ({ backoff, maxRetryAfter }: TierPlan, retry: number): number => {
  const { factor, jitter } = backoff
  const [base, max] = [Duration.toMillis(backoff.base), Duration.toMillis(backoff.max)]
  const growth = jitter === "decorrelated" ? 3 ** retry : factor ** (retry - 1)
  return Math.max(Math.min(max, base * growth), maxRetryAfter)
}

const sum = (all: ReadonlyArray<number>): number => all.reduce((total, one) => total + one, 0)

const tierBound = (tier: TierPlan): number => {
  const retries = Array.from({ length: tier.backoff.times }, (_, index) => longestWait(tier, index + 1))
  return Math.min(tier.timeout, tier.attemptTimeout * (tier.backoff.times + 1) + sum(retries))
}

interface Bound {
  readonly all: number
  readonly tiers: ReadonlyArray<number>
}

const boundOf = (tree: Tree, tierBound: (tier: TierPlan) => number, within: boolean): Bound => {
  switch (tree._tag) {
    case "Tier": {
      const all = tierBound(tree.tier)
      return { all, tiers: [all] }
    }
    case "OrElse": {
      const [left, right] = [boundOf(tree.left, tierBound, within), boundOf(tree.right, tierBound, within)]
      return { all: left.all + right.all, tiers: [...left.tiers, ...right.tiers] }
    }
    case "AtMost": {
      const { all, tiers } = boundOf(tree.tree, tierBound, within)
      const largest = [...tiers].sort((a, b) => b - a).slice(0, tree.tiers)
      return { all: Math.min(all, sum(largest)), tiers }
    }
    case "Within": {
      const { all, tiers } = boundOf(tree.tree, tierBound, within)
      return within ? { all: Math.min(all, tree.millis), tiers } : { all, tiers }
    }
  }
}

/** The longest a run can take, where attempts are not waited for beyond their bound. */
export const longestRun = (tree: Tree): number => boundOf(tree, tierBound, true).all

/** The most attempts it can make. */
export const mostAttempts = (tree: Tree): number =>
  boundOf(tree, ({ backoff }) => backoff.times + 1, false).all
