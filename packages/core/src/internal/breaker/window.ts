import * as Duration from "effect/Duration"

/** What a trigger considers: the last `size` calls, or the calls of a time window in `buckets` steps. */
export type Span =
  | { readonly size: number }
  | { readonly window: Duration.Duration; readonly buckets: number }

/**
 * The calls a trigger considers, and how many of them count against the tier. Plain numbers, so that any store can keep
 * it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Window {
  /** Its length, in calls or in milliseconds. */
  readonly span: number
  readonly calls: number
  readonly hits: number
  /** The position of the next call; for a time window, the number of the newest bucket, counted from time 0. */
  readonly head: number
  /** One bit per call; for a time window, the calls and the hits of each bucket. */
  readonly cells: ReadonlyArray<number>
}

/**
 * The window after one more call. Whatever has left it by then no longer counts, even if there were no calls in
 * between.
 */
export const push = (span: Span, known: Window | undefined, now: number, hit: boolean): Window => {
  const window = begun(span, known, now)
  return "size" in span ? pushCall(span.size, window, hit) : pushAt(span, window, now, hit)
}

/** The window after the last call that was no hit has turned out to be one; after one more hit if there is none. */
export const turn = (span: Span, known: Window | undefined, now: number, hit: boolean): Window => {
  const window = begun(span, known, now)
  if (!hit) return window
  return "size" in span ? turnCall(span.size, window) : turnAt(span, window, now)
}

interface Time {
  readonly window: Duration.Duration
  readonly buckets: number
}

/** The bits that fit in a small integer, which V8 does not allocate. */
const bitsPerCell = 30

const pushCall = (size: number, window: Window, hit: boolean): Window => {
  const { bit, place } = bitOf(window.head)
  const before = window.cells[place]!
  const after = hit ? before | bit : before & ~bit
  return {
    span: size,
    calls: Math.min(size, window.calls + 1),
    hits: window.hits + (hit ? 1 : 0) - ((before & bit) === 0 ? 0 : 1),
    head: (window.head + 1) % size,
    cells: after === before ? window.cells : window.cells.with(place, after)
  }
}

const turnCall = (size: number, window: Window): Window => {
  for (let back = 1; back <= window.calls; back++) {
    const { bit, place } = bitOf((window.head - back + size) % size)
    const before = window.cells[place]!
    if ((before & bit) !== 0) continue
    return { ...window, hits: window.hits + 1, cells: window.cells.with(place, before | bit) }
  }
  return pushCall(size, window, true)
}

const bitOf = (index: number): { readonly place: number; readonly bit: number } => ({
  place: Math.floor(index / bitsPerCell),
  bit: 1 << (index % bitsPerCell)
})

const pushAt = (time: Time, window: Window, now: number, hit: boolean): Window => {
  const { calls, cells, head, hits, span } = pass(time, window, now)
  const place = placeOf(head, time.buckets)
  cells[place]! += 1
  cells[place + 1]! += hit ? 1 : 0
  return { span, calls: calls + 1, hits: hits + (hit ? 1 : 0), head, cells }
}

const turnAt = (time: Time, window: Window, now: number): Window => {
  const { calls, cells, head, hits, span } = pass(time, window, now)
  for (let back = 0; back < time.buckets; back++) {
    const place = placeOf(head - back, time.buckets)
    if (cells[place] === cells[place + 1]) continue
    cells[place + 1]! += 1
    return { span, calls, hits: hits + 1, head, cells }
  }
  return pushAt(time, window, now, true)
}

/** Advances a time window to now. */
const pass = ({ buckets, window: length }: Time, window: Window, now: number) => {
  // If the clock went back, the newest bucket is used: what is already counted stays counted.
  const head = Math.max(window.head, bucketAt(now, length, buckets))
  const cells = [...window.cells]
  let { calls, hits } = window
  for (let passed = Math.max(window.head, head - buckets) + 1; passed <= head; passed++) {
    const place = placeOf(passed, buckets)
    calls -= cells[place]!
    hits -= cells[place + 1]!
    cells[place] = 0
    cells[place + 1] = 0
  }
  return { span: window.span, calls, hits, head, cells }
}

const bucketAt = (now: number, length: Duration.Duration, buckets: number): number =>
  Math.floor(now / (Duration.toMillis(length) / buckets))

const placeOf = (index: number, buckets: number): number => 2 * (((index % buckets) + buckets) % buckets)

/** The known window, or a new one if the store kept it under other settings. */
const begun = (span: Span, known: Window | undefined, now: number): Window => {
  const [length, cells, head] =
    "size" in span
      ? [span.size, Math.ceil(span.size / bitsPerCell), 0]
      : [Duration.toMillis(span.window), 2 * span.buckets, bucketAt(now, span.window, span.buckets)]
  return known?.span === length && known.cells.length === cells
    ? known
    : { span: length, calls: 0, hits: 0, head, cells: new Array<number>(cells).fill(0) }
}
