/**
 * Retry timing as data.
 *
 * A `Backoff` says how often a tier is retried and how long to wait before each retry. As plain data it can be printed,
 * read from a file and bounded before anything runs; {@link schedule} compiles it to a `Schedule` for use outside a
 * tier.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleInterval from "effect/ScheduleInterval"

/**
 * How a wait is randomized below its cap, so that callers that failed together do not retry together.
 *
 * With `cap = min(max, base · factor^(retry − 1))`:
 * - `none`: the cap itself
 * - `full`: uniform in `[0, cap)`
 * - `equal`: uniform in `[cap / 2, cap)`
 * - `decorrelated`: uniform in `[base, 3 · previous)`, at most `max`; `factor` plays no part
 *
 * The cap is applied before the jitter, so no wait is longer than `max`. Source: "Exponential Backoff And Jitter", AWS
 * Architecture Blog.
 *
 * @since 0.1.0
 * @category models
 */
export type Jitter = "none" | "full" | "equal" | "decorrelated"

/**
 * How often and when a tier is retried, as data.
 *
 * @since 0.1.0
 * @category models
 */
export interface Backoff {
  /** The tries after the first: `times: 2` is at most three attempts. */
  readonly times: number
  readonly base: Duration.Duration
  readonly factor: number
  /** No wait of this backoff is longer. */
  readonly max: Duration.Duration
  readonly jitter: Jitter
  /** Replaces all other fields: see {@link fromSchedule}. */
  readonly schedule?: Schedule.Schedule<unknown> | undefined
}

const finite = (option: string, input: Duration.DurationInput): Duration.Duration => {
  const duration = Duration.decode(input)
  if (!Duration.isFinite(duration)) throw new RangeError(`Backoff: ${option} must be finite`)
  return duration
}

/**
 * Waits that grow by `factor` up to `max`.
 *
 * Defaults: `times: 2`, `base: 250 millis`, `factor: 2`, `max: 4 seconds`, `jitter: "full"`. Throws a
 * `RangeError` that names the option when one is out of range.
 *
 * @example
 * import { Duration } from "effect"
 * import { Backoff } from "@understudy/core"
 *
 * const backoff = Backoff.exponential({ times: 4, base: "1 second", max: "5 seconds" })
 *
 * console.log([1, 2, 3, 4].map((retry) => Duration.toSeconds(Backoff.largest(backoff, retry)))) // => [ 1, 2, 4, 5 ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const exponential = (options?: {
  readonly times?: number | undefined
  readonly base?: Duration.DurationInput | undefined
  readonly factor?: number | undefined
  readonly max?: Duration.DurationInput | undefined
  readonly jitter?: Jitter | undefined
}): Backoff => {
  const { times = 2, base = "250 millis", factor = 2, max = "4 seconds", jitter = "full" } = options ?? {}
  if (!(Number.isInteger(times) && times >= 0)) {
    throw new RangeError(`Backoff: times must be an integer of 0 or more, got ${times}`)
  }
  if (!(factor >= 1 && Number.isFinite(factor))) {
    throw new RangeError(`Backoff: factor must be a finite number of 1 or more, got ${factor}`)
  }
  return { times, base: finite("base", base), factor, max: finite("max", max), jitter }
}

/**
 * The same wait before every retry; with a jitter, the wait is its cap.
 *
 * Defaults: `times: 2`, `jitter: "none"`.
 *
 * @example
 * import { Backoff } from "@understudy/core"
 *
 * console.log(Backoff.constant({ delay: "100 millis", times: 5 }).times) // => 5
 *
 * @since 0.1.0
 * @category constructors
 */
export const constant = (options: {
  readonly delay: Duration.DurationInput
  readonly times?: number | undefined
  readonly jitter?: "none" | "full" | "equal" | undefined
}): Backoff =>
  exponential({
    times: options.times,
    base: options.delay,
    factor: 1,
    max: options.delay,
    jitter: options.jitter ?? "none"
  })

/**
 * No retry at all: one attempt.
 *
 * @example
 * import { Backoff } from "@understudy/core"
 *
 * console.log(Backoff.none.times) // => 0
 *
 * @since 0.1.0
 * @category constructors
 */
export const none: Backoff = exponential({ times: 0 })

/**
 * Uses any `Schedule`, for timing that cannot be expressed as data. It is stepped with the attempt's error after every
 * attempt whose outcome says retry, and the retries end when it does.
 *
 * Its bounds are unknown: its retries and their waits count as infinite, also in `Policy.worstCase`. A deadline, a
 * breaker, a budget and a longer `Retry-After` apply as with any other backoff.
 *
 * @example
 * import { Effect, Schedule } from "effect"
 * import { Backoff, Tier } from "@understudy/core"
 *
 * let calls = 0
 * const flaky = Effect.suspend(() => (++calls < 4 ? Effect.fail("busy") : Effect.succeed("done")))
 * const backoff = Backoff.fromSchedule(Schedule.fibonacci("1 millis").pipe(Schedule.intersect(Schedule.recurs(5))))
 *
 * console.log(await Effect.runPromise(Tier.make({ name: "primary", effect: flaky, backoff })), calls) // => done 4
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSchedule = (schedule: Schedule.Schedule<unknown>): Backoff => ({
  times: Number.POSITIVE_INFINITY,
  base: Duration.infinity,
  factor: 1,
  max: Duration.infinity,
  jitter: "none",
  schedule
})

/**
 * The longest possible wait before a retry; retries count from 1. Finite for any retry number.
 *
 * @example
 * import { Duration } from "effect"
 * import { Backoff } from "@understudy/core"
 *
 * console.log(Duration.toMillis(Backoff.largest(Backoff.exponential(), 1_000_000))) // => 4000
 *
 * @since 0.1.0
 * @category getters
 */
export const largest = (self: Backoff, retry: number): Duration.Duration => Duration.millis(cap(self, retry))

/**
 * Draws the wait before a retry from `Random`; retries count from 1. `previous` is the previous wait, used only by
 * `decorrelated` (`base` for the first).
 *
 * @example
 * import { Duration, Effect, Random } from "effect"
 * import { Backoff } from "@understudy/core"
 *
 * const backoff = Backoff.exponential({ jitter: "equal" })
 * const wait = Backoff.delay(backoff, 2, backoff.base).pipe(Effect.withRandom(Random.fixed([0.5])))
 *
 * console.log(Duration.toMillis(Effect.runSync(wait))) // => 375
 *
 * @since 0.1.0
 * @category sampling
 */
export const delay = (
  self: Backoff,
  retry: number,
  previous: Duration.Duration
): Effect.Effect<Duration.Duration> =>
  Effect.map(Random.next, (random) =>
    Duration.millis(sample(self, retry, random, Duration.toMillis(previous)))
  )

/**
 * The schedule with exactly these waits, ending after `times` of them; its output is the wait.
 *
 * @example
 * import { Effect } from "effect"
 * import { Backoff } from "@understudy/core"
 *
 * let calls = 0
 * const flaky = Effect.suspend(() => (++calls < 3 ? Effect.fail("busy") : Effect.succeed("done")))
 * const backoff = Backoff.constant({ delay: "1 millis", times: 2 })
 *
 * console.log(await Effect.runPromise(Effect.retry(flaky, Backoff.schedule(backoff)))) // => done
 *
 * @since 0.1.0
 * @category conversions
 */
export const schedule = (self: Backoff): Schedule.Schedule<Duration.Duration> =>
  self.schedule === undefined ? compiled(self) : Schedule.delays(self.schedule)

const compiled = (self: Backoff): Schedule.Schedule<Duration.Duration> =>
  Schedule.makeWithState({ retry: 1, previous: self.base }, (now, _, state) =>
    state.retry > self.times
      ? Effect.succeed([state, state.previous, ScheduleDecision.done] as const)
      : Effect.map(
          delay(self, state.retry, state.previous),
          (wait) =>
            [
              { retry: state.retry + 1, previous: wait },
              wait,
              ScheduleDecision.continueWith(ScheduleInterval.after(now + Duration.toMillis(wait)))
            ] as const
        )
  )

const cap = (self: Backoff, retry: number): number => {
  if (self.schedule !== undefined) return Number.POSITIVE_INFINITY
  const growth = self.jitter === "decorrelated" ? 3 ** retry : self.factor ** (retry - 1)
  // Finite for any retry: 0 · Infinity would be NaN.
  const wait = Duration.toMillis(self.base) * Math.min(growth, Number.MAX_VALUE)
  return Math.min(Duration.toMillis(self.max), wait)
}

const sample = (self: Backoff, retry: number, random: number, previous: number): number => {
  const highest = cap(self, retry)
  switch (self.jitter) {
    case "none":
      return highest
    case "full":
      return random * highest
    case "equal":
      return highest / 2 + (random * highest) / 2
    case "decorrelated": {
      const base = Duration.toMillis(self.base)
      return Math.min(highest, base + random * Math.max(0, 3 * previous - base))
    }
  }
}
