import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { DurationText, factor, integerFrom, SomeTime, share } from "../policy/fields.ts"
import { type Config, config, conflict, consecutive, rate, type Share, slow, type Trip } from "./config.ts"

const shareFields = {
  threshold: Schema.optional(share),
  minimumCalls: Schema.optional(integerFrom(1)),
  size: Schema.optional(integerFrom(1)),
  window: Schema.optional(SomeTime),
  buckets: Schema.optional(integerFrom(1))
}

const consistent = (options: Share): Schema.FilterOutput | undefined => {
  const wrong = conflict(options)
  return wrong && { path: [wrong.option], message: wrong.message }
}

// JSON Schema cannot express that `minimumCalls` is at most `size`.
const asSchema = {
  jsonSchema: { not: { required: ["size", "window"] }, dependencies: { buckets: ["window"] } }
}

const Rate = Schema.Struct(shareFields)
  .annotations({ title: "rate" })
  .pipe(Schema.filter(consistent, asSchema))

const Slow = Schema.Struct({ after: DurationText, ...shareFields })
  .annotations({ title: "slow" })
  .pipe(Schema.filter(consistent, asSchema))

const defaults = config()

/** A breaker in its file form. Its trigger is `consecutive: 5` if none of the three is given. */
export const Breaker = Schema.Struct({
  consecutive: Schema.optional(integerFrom(1)),
  rate: Schema.optional(Rate),
  slow: Schema.optional(Slow),
  openFor: Schema.optional(DurationText),
  factor: Schema.optional(factor),
  maxOpenFor: Schema.optional(DurationText),
  jitter: Schema.optional(share),
  probes: Schema.optional(integerFrom(1)),
  successesToClose: Schema.optional(integerFrom(1)),
  failuresToOpen: Schema.optional(integerFrom(1)),
  resetAfter: Schema.optional(DurationText),
  lease: Schema.optional(SomeTime),
  observeOnly: Schema.optional(Schema.Boolean)
}).annotations({ title: "breaker" })

type Breaker = typeof Breaker.Type

/** `longest` is the longest time of one call, which the lease of a probe has to exceed. */
export const fromFile = (file: Breaker, longest: Duration.Duration): Config => {
  const { consecutive: failures, rate: failing, slow: slowing, ...options } = file
  const trip: Array<Trip> = []
  if (failures !== undefined) trip.push(consecutive(failures))
  if (failing !== undefined) trip.push(rate(failing))
  if (slowing !== undefined) trip.push(slow(slowing))
  const [first, ...rest] = trip
  return config({
    ...options,
    trip: first && [first, ...rest],
    lease: options.lease ?? leaseFor(longest)
  })
}

/** Writes the common fields always, and the others only if they differ from the default. */
export const toFile = (config: Config, longest: Duration.Duration): Breaker => {
  const { failuresToOpen, lease, observeOnly, resetAfter, successesToClose, trip, ...options } = config
  const rows = trip.flatMap((trigger) => (trigger._tag === "Consecutive" ? [trigger.failures] : []))
  return {
    ...(rows.length > 0 && { consecutive: Math.min(...rows) }),
    ...only(trip, "Rate", "rate"),
    ...only(trip, "Slow", "slow"),
    ...options,
    ...(successesToClose !== defaults.successesToClose && { successesToClose }),
    ...(failuresToOpen !== defaults.failuresToOpen && { failuresToOpen }),
    ...(!Duration.equals(resetAfter, defaults.resetAfter) && { resetAfter }),
    ...(!Duration.equals(lease, leaseFor(longest)) && { lease }),
    ...(observeOnly !== defaults.observeOnly && { observeOnly })
  }
}

const only = (trip: Config["trip"], tag: "Rate" | "Slow", key: "rate" | "slow") => {
  const [first, second] = trip.filter(({ _tag }) => _tag === tag)
  if (second !== undefined) throw new RangeError(`a file takes one ${key} a breaker`)
  if (first === undefined) return {}
  const { _tag, ...trigger } = first
  return { [key]: trigger }
}

const leaseFor = (longest: Duration.Duration): Duration.Duration =>
  Duration.max(defaults.lease, Duration.sum(longest, Duration.seconds(1)))
