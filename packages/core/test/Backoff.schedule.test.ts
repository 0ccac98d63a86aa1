import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Either, FastCheck, Schedule } from "effect"
import { Backoff, CircuitBreaker, Fallback, Outcome, Policy, Tier } from "../src/index.ts"
import { law } from "./law.ts"
import * as virtual from "./laws/virtual.ts"
import { classify, retryable, scripted, tier, timed } from "./scripted.ts"

const { constantFrom, integer, nat, oneof, record } = FastCheck

const millis = integer({ min: 1, max: 3_000 }).map(Duration.millis)

const unbounded: FastCheck.Arbitrary<Schedule.Schedule<unknown>> = oneof(
  millis.map(Schedule.spaced),
  millis.map(Schedule.fixed),
  millis.map(Schedule.windowed),
  millis.map(Schedule.fibonacci),
  record({ base: millis, factor: constantFrom(1, 1.5, 2) }).map(({ base, factor }) =>
    Schedule.jittered(Schedule.exponential(base, factor))
  )
)

const schedules = record({ unbounded, times: nat(6), elapsed: integer({ min: 1, max: 10_000 }) }).map(
  ({ elapsed, times, unbounded }) =>
    unbounded.pipe(
      Schedule.intersect(Schedule.recurs(times)),
      Schedule.intersect(Schedule.recurUpTo(Duration.millis(elapsed)))
    )
)

/** When a failing effect is tried. */
const tries = async (
  retried: (failing: Effect.Effect<never, string>) => Effect.Effect<unknown, unknown>,
  takes: Duration.Duration
) => {
  const clock = new virtual.VirtualClock()
  const at: Array<number> = []
  const failing = Effect.gen(function* () {
    at.push(yield* Clock.currentTimeMillis)
    yield* Effect.sleep(takes)
    return yield* Effect.fail(`failure ${at.length}`)
  })
  const { elapsed } = await virtual.run(Effect.exit(retried(failing)), { clock, seed: 1 })
  return { at, elapsed }
}

describe("Backoff.fromSchedule", () => {
  law(
    "a tier is tried when `Effect.retry` tries its effect",
    [schedules, nat(2_000).map(Duration.millis)],
    async (schedule, takes) => {
      const backoff = Backoff.fromSchedule(schedule)
      assert.deepStrictEqual(
        await tries((effect) => Tier.make({ name: "a", effect, backoff }), takes),
        await tries((effect) => Effect.retry(effect, schedule), takes)
      )
    }
  )

  it.effect("it hears the error of each attempt", () =>
    Effect.gen(function* () {
      const heard: Array<unknown> = []
      const schedule = Schedule.recurs(2).pipe(
        Schedule.tapInput((error: unknown) => Effect.sync(() => heard.push(error)))
      )
      let calls = 0
      const effect = Effect.suspend(() => Effect.fail(`failure ${++calls}`))
      yield* Effect.flip(Tier.make({ name: "a", effect, backoff: Backoff.fromSchedule(schedule) }))
      assert.deepStrictEqual(heard, ["failure 1", "failure 2", "failure 3"])
    })
  )

  it.effect("what asks for a longer wait gets it; a deadline and a breaker end the retries", () =>
    Effect.gen(function* () {
      const often = Backoff.fromSchedule(Schedule.spaced("1 second"))
      const hinting = scripted([{ fail: Outcome.failure({ retryAfter: Duration.seconds(3) }) }, retryable])
      const opening = scripted([retryable])
      const breaker = yield* CircuitBreaker.make({ key: "b", trip: CircuitBreaker.consecutive(2) })
      const { elapsed } = yield* timed(
        Effect.exit(
          Tier.make({
            name: "a",
            effect: hinting.effect,
            classify,
            backoff: often,
            timeout: "5500 millis"
          }).pipe(Fallback.orElse(tier("b", opening, { backoff: often, breaker })))
        )
      )
      assert.deepStrictEqual(
        [hinting.calls, opening.calls, elapsed],
        [[0, 3000, 4000, 5000], [5000, 6000], 6000]
      )
    })
  )

  it("counts as infinite in what is known of a policy before", () => {
    const schedule = Schedule.spaced("1 second")
    const forEver = { times: Number.POSITIVE_INFINITY, base: Duration.infinity, max: Duration.infinity }
    assert.deepStrictEqual(Backoff.fromSchedule(schedule), {
      ...forEver,
      factor: 1,
      jitter: "none",
      schedule
    })
    const backoff = Backoff.fromSchedule(Schedule.recurs(1))
    const { tiers, ...policy } = Either.getOrThrow(Policy.decode({ deadline: "20s", tiers: [{ name: "a" }] }))
    const [tier] = tiers
    const { attempts, duration } = Policy.worstCase({ ...policy, tiers: [{ ...tier, backoff }] })
    assert.deepStrictEqual([attempts, Duration.toMillis(duration)], [Number.POSITIVE_INFINITY, 20_000])
    assert.isFalse(Duration.isFinite(Backoff.largest(backoff, 1)))
  })

  it("gives its schedule back, with its waits for what it puts out", () => {
    const schedule = Backoff.schedule(Backoff.fromSchedule(Schedule.spaced("2 seconds")))
    const [, out] = Effect.runSync(schedule.step(0, undefined, schedule.initial))
    assert.deepStrictEqual(out, Duration.seconds(2))
  })
})
