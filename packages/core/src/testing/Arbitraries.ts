/**
 * Arbitraries of what can befall a policy's tiers, for property tests. They make scripts as files write them: a
 * counterexample shrinks to the smallest outage, and can be printed and simulated.
 *
 * `FastCheck` is the one that comes with Effect: `import { FastCheck } from "effect"`.
 *
 * @since 0.1.0
 */
import * as FastCheck from "effect/FastCheck"
import type { EventFile, ScriptFile, TurnFile } from "./Script.ts"

/** Failures that another tier may mend, the mildest first. */
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

/** Never whole milliseconds: what ends at the very instant of a bound could go either way. */
const upTo = (millis: number): FastCheck.Arbitrary<string> =>
  FastCheck.nat(millis).map((time) => `${time + 0.5}ms`)

/**
 * What a call can meet with: an answer, a failure after whatever time and with whatever hint, or silence for ever.
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
 * Scripts of a few requests, a second apart, in which the calls of every tier meet with whatever there is: the worst
 * that can happen to one request is among them.
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
 * How some of these tiers can be out of order for a while, from `at` and at most for so many minutes: they fail, hang,
 * slow down or flap.
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
 * Scripts of a quarter of an hour, a request each second, in which up to three events befall the tiers.
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
