import type { Group, Rung } from "./ladder.ts"

/** A run's progress through a group of tiers with bounds of its own. */
export interface GroupProgress {
  readonly group: Group
  readonly deadline: number
  readonly maxTiers: number
  started: number
}

/**
 * The groups that contain a tier, reusing those that the run has entered already. The clock of a group starts with its
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

/** Memoizes `f`, so that every use of a group in one composition becomes the same new one. */
export const eachOnce = (f: (group: Group) => Group): ((group: Group) => Group) => {
  const known = new Map<Group, Group>()
  return (group) => {
    const made = known.get(group) ?? f(group)
    known.set(group, made)
    return made
  }
}

const none: ReadonlyArray<GroupProgress> = []
