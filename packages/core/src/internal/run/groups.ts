import type { Group, Rung } from "./ladder.ts"

/** How far a run has come with a part of the ladder that has bounds of its own. */
export interface GroupProgress {
  readonly group: Group
  readonly deadline: number
  readonly maxTiers: number
  started: number
}

/**
 * The parts that a tier lies in, among those that the run has come to already. The clock of each starts with its
 * first tier.
 */
export const enter = (
  known: Array<GroupProgress>,
  { groups }: Rung<unknown, unknown, unknown>,
  now: number
): ReadonlyArray<GroupProgress> =>
  groups.length === 0
    ? none
    : groups.map((group) => {
        const progress = known.find((each) => each.group === group)
        if (progress !== undefined) return progress
        const { deadline, maxTiers } = group
        const entered: GroupProgress = { group, deadline: now + deadline, maxTiers, started: 0 }
        known.push(entered)
        return entered
      })

/** The same group for a group, each time it is asked. */
export const eachOnce = (f: (group: Group) => Group): ((group: Group) => Group) => {
  const known = new Map<Group, Group>()
  return (group) => {
    const made = known.get(group) ?? f(group)
    known.set(group, made)
    return made
  }
}

const none: ReadonlyArray<GroupProgress> = []
