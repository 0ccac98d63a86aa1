/**
 * Arbitraries of outages, for property tests of policies. They generate scripts in their file form: a counterexample
 * shrinks to the smallest outage, and can be printed and simulated.
 *
 * `FastCheck` is the one that comes with Effect: `import { FastCheck } from "effect"`.
 *
 * @since 0.1.0
 */
import * as FastCheck from "effect/FastCheck"
import type { EventFile, ScriptFile, TurnFile } from "./Script.ts"

/** Failures after which another tier may answer, the mildest first. */
const mendable = [
  "overloaded",
  "connection",
  "server_error",
  "rate_limited",
  "invalid_answer",
  "model_not_found",
  "auth",
  "quota_exhausted",
  "context_length"
] as const

/** Never whole milliseconds, to avoid ties with bounds. */
const upTo = (millis: number): FastCheck.Arbitrary<string> =>
  FastCheck.nat(millis).map((time) => `${time + 0.5}ms`)

/**
 * The possible results of a call: an answer, a failure after any time and with any `retryAfter`, or endless silence.
 *
 * @example
 * import { FastCheck } from "effect"
 * import { Arbitraries } from "@understudy/core/testing"
 *
 * console.log(FastCheck.sample(Arbitraries.turn, { numRuns: 3, seed: 2 }).length) // => 3
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const turn: FastCheck.Arbitrary<TurnFile> = FastCheck.oneof(
  { weight: 1, arbitrary: FastCheck.constant<TurnFile>("ok") },
  { weight: 4, arbitrary: FastCheck.constantFrom(...mendable, "hang") },
  { weight: 1, arbitrary: upTo(15_000).map((after): TurnFile => ({ after })) },
  {
    weight: 5,
    arbitrary: FastCheck.record(
      {
        fails: FastCheck.constantFrom(...mendable, "invalid_request"),
        after: FastCheck.oneof(FastCheck.constant("0s"), upTo(15_000)),
        retryAfter: upTo(8_000)
      },
      { requiredKeys: ["fails"] }
    )
  }
)

/**
 * Scripts of a few requests, a second apart, with arbitrary results for the calls of every tier, including the worst
 * case of a single request.
 *
 * @example
 * import { FastCheck } from "effect"
 * import { Arbitraries } from "@understudy/core/testing"
 *
 * const [script] = FastCheck.sample(Arbitraries.calls(["primary", "standby"]), { numRuns: 1, seed: 1 })
 *
 * console.log(Object.keys(script?.upstreams ?? {})) // => [ 'primary', 'standby' ]
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const calls = (tiers: ReadonlyArray<string>): FastCheck.Arbitrary<ScriptFile> =>
  FastCheck.record({
    requests: FastCheck.integer({ min: 1, max: 4 }),
    turns: FastCheck.tuple(...tiers.map(() => FastCheck.array(turn, { minLength: 1, maxLength: 6 })))
  }).map(({ requests, turns }) => ({
    for: `${requests}s`,
    load: { rate: 1, arrivals: "even" },
    upstreams: Object.fromEntries(
      tiers.map((tier, index) => [tier, { latency: "100ms", calls: nonEmpty(turns[index] ?? []) }])
    )
  }))

const nonEmpty = ([first = "ok", ...rest]: ReadonlyArray<TurnFile>): readonly [
  TurnFile,
  ...Array<TurnFile>
] => [first, ...rest]

/**
 * An outage of some of these tiers, from `at` for at most this many minutes: they fail, hang, slow down or flap.
 *
 * @example
 * import { FastCheck } from "effect"
 * import { Arbitraries } from "@understudy/core/testing"
 *
 * const [event] = FastCheck.sample(Arbitraries.event(["primary"], "1m", 10), { numRuns: 1, seed: 1 })
 *
 * console.log(event?.at, event?.of) // => 1m [ 'primary' ]
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const event = (
  tiers: ReadonlyArray<string>,
  at: string,
  minutes: number
): FastCheck.Arbitrary<EventFile> =>
  FastCheck.record({
    of: FastCheck.subarray([...tiers], { minLength: 1 }),
    minutes: FastCheck.integer({ min: 1, max: minutes }),
    what: FastCheck.oneof(
      FastCheck.constantFrom(...mendable, "hang").map((kind) => ({ failures: { [kind]: 1 } })),
      FastCheck.constantFrom(...mendable, "hang").map((kind) => ({ failures: { [kind]: 0.5 } })),
      FastCheck.integer({ min: 2, max: 60 }).map((slower) => ({ slower }))
    ),
    flaps: FastCheck.option(FastCheck.integer({ min: 5, max: 55 }), { nil: undefined })
  }).map(({ flaps, minutes, of, what }) => ({
    at,
    for: `${minutes}m`,
    of,
    ...what,
    ...(flaps === undefined ? {} : { every: "1m", down: `${flaps}s` })
  }))

/**
 * Scripts of a quarter of an hour, one request per second, with up to three events that affect the tiers.
 *
 * @example
 * import { FastCheck } from "effect"
 * import { Arbitraries } from "@understudy/core/testing"
 *
 * const [script] = FastCheck.sample(Arbitraries.outage(["primary", "standby"]), { numRuns: 1, seed: 1 })
 *
 * console.log(script?.for) // => 15m
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const outage = (tiers: ReadonlyArray<string>): FastCheck.Arbitrary<ScriptFile> =>
  FastCheck.array(
    FastCheck.nat(10).chain((minute) => event(tiers, `${minute}m`, 5)),
    { minLength: 1, maxLength: 3 }
  ).map((events) => ({ for: "15m", load: { rate: 1, arrivals: "even" }, events }))
