/** A worker that lived no longer than this, in milliseconds, failed to start. */
const soon = 10_000

/** This many in a row are no coincidence. */
const most = 5

/** What to do after the end of a worker. */
interface Restart {
  /** How many in a row ended soon after their start. */
  readonly inARow: number
  readonly waitMillis: number
}

/** When to replace a worker that lived for this long; never, if the replacement would fail too. */
export const next = (before: number, livedMillis: number): Restart | undefined => {
  const inARow = livedMillis < soon ? before + 1 : 0
  return inARow >= most ? undefined : { inARow, waitMillis: 100 * 2 ** inARow }
}
