import type { BreakerLine } from "./logLine.ts"

interface Span {
  readonly from: number
  readonly to: number
}

/** When one breaker was not closed; no process begins with one that is not. */
export const spansOf = (
  changes: ReadonlyArray<BreakerLine>,
  ends: ReadonlyArray<{ readonly at: number }>,
  end: number
): ReadonlyArray<Span> => {
  const closed = ends.map(({ at }) => ({ at, to: "closed" }))
  const spans: Array<Span> = []
  let openedAt: number | undefined
  for (const { at, to } of [...changes, ...closed].sort((a, b) => a.at - b.at)) {
    if (to !== "closed") openedAt ??= at
    else if (openedAt !== undefined) {
      spans.push({ from: openedAt, to: at })
      openedAt = undefined
    }
  }
  if (openedAt !== undefined) spans.push({ from: openedAt, to: end })
  return spans
}

/** When any of several was not. */
export const together = (spans: ReadonlyArray<Span>): ReadonlyArray<Span> => {
  const all: Array<Span> = []
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = all.at(-1)
    if (last !== undefined && span.from <= last.to) {
      all[all.length - 1] = { from: last.from, to: Math.max(last.to, span.to) }
    } else all.push(span)
  }
  return all
}
