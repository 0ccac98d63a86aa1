import { eachOnce, type GroupProgress } from "./groups.ts"
import type { Ladder, Rung } from "./ladder.ts"

/**
 * What is left of a ladder for a stream that has broken off: the tiers from here on that can go on from what was sent,
 * and as many of them as may still start. Deadlines were for the way to the stream's beginning.
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
