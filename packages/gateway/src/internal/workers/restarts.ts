/** A worker that lives shorter has hardly begun. */
const soon = 10_000

/** So many in a row are no accident. */
const most = 5

/** What follows from the end of a worker. */
interface Restart {
  /** How many in a row have ended soon after their start. */
  readonly inARow: number
  readonly waitMillis: number
}

/** When to start another in place of one that has lived for so long; never where it would only end as well. */
export const next = (before: number, livedMillis: number): Restart | undefined => {
  const inARow = livedMillis < soon ? before + 1 : 0
  return inARow >= most ? undefined : { inARow, waitMillis: 100 * 2 ** inARow }
}
