import * as Duration from "effect/Duration"
import type { Event, Failure, Latency, Turn, Upstream } from "../../testing/Script.ts"
import type { Draws } from "./draws.ts"
import { quantile } from "./latency.ts"
import { failing } from "./scriptFile.ts"

/** The result of a call. */
export interface Fate {
  /** `undefined` for an answer. */
  readonly fails: string | undefined
  /** Milliseconds until its end, `Infinity` for never. */
  readonly after: number
  readonly retryAfter: Duration.Duration | undefined
}

/** The circumstances of a call. */
export interface Facing {
  readonly now: number
  /** Other calls in flight. */
  readonly underWay: number
  /** The calls in the limit's current period before this one. */
  readonly inWindow: number
  /** All calls before this one. */
  readonly before: number
}

const isActive = (event: Event, now: number): boolean => {
  const since = now - Duration.toMillis(event.at)
  if (since < 0 || (event.for !== undefined && since >= Duration.toMillis(event.for))) return false
  return event.every === undefined || event.down === undefined
    ? true
    : since % Duration.toMillis(event.every) < Duration.toMillis(event.down)
}

/** The end of a limit's period that contains `now`. */
export const windowOf = ({ per }: { readonly per: Duration.Duration }, now: number): number =>
  (Math.floor(now / Duration.toMillis(per)) + 1) * Duration.toMillis(per)

/** Events take precedence, then refusals, then the normal behaviour. */
export const fateOf = (
  upstream: Upstream,
  events: ReadonlyArray<Event>,
  facing: Facing,
  draws: Draws
): Fate => {
  let { latency } = upstream
  let [slower, left] = [1, 1]
  for (const event of events) {
    if (!isActive(event, facing.now)) continue
    latency = event.latency ?? latency
    slower *= event.slower
    left *= event.capacity
    const failure = drawn(event.failures, draws)
    if (failure !== undefined) return failed(failure, draws)
  }
  const refusal = refused(upstream, left, facing)
  if (refusal !== undefined) return refusal
  const { calls, capacity, failures } = upstream
  const usual = (latency: Latency): Fate => {
    const crowd = capacity === undefined ? 1 : (facing.underWay + 1) / Math.max(1, capacity.calls * left)
    const after = quantile(latency, draws.next()) * slower * Math.max(1, crowd)
    return { fails: undefined, after, retryAfter: undefined }
  }
  if (calls !== undefined) {
    const { after, fails, retryAfter } = turnAt(calls, facing.before)
    return fails === undefined
      ? usual(after ?? latency)
      : failed({ kind: fails, retryAfter, after: after ?? failing }, draws)
  }
  const failure = drawn(failures, draws)
  return failure === undefined ? usual(latency) : failed(failure, draws)
}

const drawn = (failures: ReadonlyArray<Failure>, draws: Draws): Failure | undefined => {
  if (failures.length === 0) return undefined
  let left = draws.next()
  return failures.find(({ share }) => {
    left -= share
    return left < 0
  })
}

const failed = ({ after, kind, retryAfter }: Omit<Failure, "share">, draws: Draws): Fate =>
  kind === "hang"
    ? { fails: kind, after: Number.POSITIVE_INFINITY, retryAfter: undefined }
    : { fails: kind, after: quantile(after, draws.next()), retryAfter }

const refused = ({ capacity, limit }: Upstream, left: number, facing: Facing): Fate | undefined => {
  const after = quantile(failing, 0)
  if (limit !== undefined && facing.inWindow >= limit.calls * left) {
    const until = Duration.millis(windowOf(limit, facing.now) - facing.now)
    return { fails: "rate_limited", after, retryAfter: until }
  }
  return capacity !== undefined && facing.underWay >= capacity.refuseAbove * left
    ? { fails: "overloaded", after, retryAfter: undefined }
    : undefined
}

const turnAt = (turns: ReadonlyArray<Turn>, call: number): Turn => {
  const length = turns.reduce((sum, { times }) => sum + times, 0)
  let left = call % length
  return turns.find(({ times }) => {
    left -= times
    return left < 0
  })!
}
