import { eachOnce, type GroupProgress } from "./groups.ts"
import type { Ladder, Rung } from "./ladder.ts"

/**
 * The rest of a ladder for a stream that has broken off: the tiers below that can continue from what was sent, and as
 * many of them as may still start. Deadlines no longer apply, since they ended at the commit point.
 */
export const rest = <X, E, R>(
  ladder: Ladder<X, E, R>,
  progress: {
    readonly index: number
    readonly started: number
    readonly groups: ReadonlyArray<GroupProgress>
  },
  transcript: Rung<X, E, R>["transcript"],
  sent: unknown
): Ladder<X, E, R> | undefined => {
  if (transcript === undefined) return undefined
  const leftOf = eachOnce((group) => {
    const started = progress.groups.find((each) => each.group === group)?.started ?? 0
    return { deadline: Number.POSITIVE_INFINITY, maxTiers: group.maxTiers - started }
  })
  const rungs = [...ladder.rungs].slice(progress.index).flatMap((rung) => {
    const { groups, resume } = rung
    if (resume === undefined || rung.transcript !== transcript) return []
    return [{ ...rung, attempt: resume(sent), groups: groups.map(leftOf) }]
  })
  const maxTiers = ladder.maxTiers - progress.started
  if (rungs.length === 0 || maxTiers < 1) return undefined
  return { name: ladder.name, rungs, deadline: Number.POSITIVE_INFINITY, maxTiers }
}
