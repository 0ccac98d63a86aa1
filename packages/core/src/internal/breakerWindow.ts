import * as Duration from "effect/Duration"

/** What a trigger looks back on: the last `size` calls, or the calls of a time, in so many buckets. */
export type Span =
  | { readonly size: number }
  | { readonly window: Duration.Duration; readonly buckets: number }

/**
 * How many calls a trigger looks back on, and how many of them count against the tier. Plain numbers, so that any
 * store can keep it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Window {
  /** What it looks back on: so many calls, or so many milliseconds. */
  readonly span: number
  readonly calls: number
  readonly hits: number
  /** Where the next call goes; of a time the number of the newest bucket, counted from time 0. */
  readonly head: number
  /** One bit a call; of a time the calls and the hits of each bucket. */
  readonly cells: ReadonlyArray<number>
}

/** The window after one more call. Whatever has left it by then no longer counts, however long nobody looked. */
export const push = (span: Span, known: Window | undefined, now: number, hit: boolean): Window =>
  "size" in span ? pushCall(span.size, known, hit) : pushAt(span, known, now, hit)

/** As many bits as V8 keeps in a number without allocating. */
const bitsPerCell = 30

const pushCall = (size: number, known: Window | undefined, hit: boolean): Window => {
  const window = fitting(known, size, Math.ceil(size / bitsPerCell), 0)
  const place = Math.floor(window.head / bitsPerCell)
  const bit = 1 << (window.head % bitsPerCell)
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

const pushAt = (
  span: { readonly window: Duration.Duration; readonly buckets: number },
  known: Window | undefined,
  now: number,
  hit: boolean
): Window => {
  const { buckets } = span
  const millis = Duration.toMillis(span.window)
  const index = Math.floor(now / (millis / buckets))
  const window = fitting(known, millis, 2 * buckets, index)
  // A clock that went back writes into the newest bucket: what is already counted stays counted.
  const head = Math.max(window.head, index)
  const cells = [...window.cells]
  let { calls, hits } = window
  for (let passed = Math.max(window.head, head - buckets) + 1; passed <= head; passed++) {
    const place = placeOf(passed, buckets)
    calls -= cells[place]!
    hits -= cells[place + 1]!
    cells[place] = 0
    cells[place + 1] = 0
  }
  const place = placeOf(head, buckets)
  cells[place]! += 1
  cells[place + 1]! += hit ? 1 : 0
  return { span: millis, calls: calls + 1, hits: hits + (hit ? 1 : 0), head, cells }
}

const placeOf = (index: number, buckets: number): number => 2 * (((index % buckets) + buckets) % buckets)

/** One that a store has kept for other settings says nothing about these, and is begun anew. */
const fitting = (known: Window | undefined, span: number, cells: number, head: number): Window =>
  known?.span === span && known.cells.length === cells
    ? known
    : { span, calls: 0, hits: 0, head, cells: new Array<number>(cells).fill(0) }
