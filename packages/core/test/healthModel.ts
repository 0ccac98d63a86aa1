import { Clock, Duration, Effect, FastCheck } from "effect"
import { type Attempt, Health } from "../src/index.ts"

/** One thing that a health hears, and how long after the one before. */
export interface Heard {
  readonly after: number
  readonly event: Attempt.Event
}

export const window = 1_000
const slice = window / 20

const labels = FastCheck.constantFrom({ model: "large" }, { model: "small" }, {})
const place = { run: FastCheck.constantFrom("chat", "mail"), tier: FastCheck.constantFrom("a", "b"), labels }

const attempts: FastCheck.Arbitrary<Attempt.Event> = FastCheck.record({
  ...place,
  outcome: FastCheck.constantFrom(
    "success" as const,
    "success" as const,
    "failure" as const,
    "timeout" as const,
    "ignored" as const,
    "interrupted" as const
  ),
  next: FastCheck.constantFrom("retry" as const, "nextTier" as const, "abort" as const, undefined),
  duration: FastCheck.oneof(
    FastCheck.double({ min: 1, max: 50, noNaN: true }),
    FastCheck.double({ min: 1, max: 86_400_000, noNaN: true })
  ).map(Duration.millis),
  firstToken: FastCheck.option(FastCheck.integer({ min: 1, max: 900 }).map(Duration.millis), {
    nil: undefined
  })
}).map(({ run, ...attempt }) => ({
  _tag: "AttemptEnded",
  run,
  attempt: {
    number: 1,
    errorType: undefined,
    cause: undefined,
    attributes: {},
    pace: undefined,
    usage: undefined,
    waited: Duration.zero,
    retryAfter: undefined,
    span: undefined,
    ...attempt
  }
}))

/** Answers of one tier, soon one after another. */
export const answers: FastCheck.Arbitrary<ReadonlyArray<Heard>> = FastCheck.array(
  FastCheck.record({ after: FastCheck.nat(8), event: attempts }),
  { minLength: 1, maxLength: 120, size: "max" }
).map((history) =>
  history.map(({ after, event }) => ({
    after,
    event:
      event._tag === "AttemptEnded"
        ? { ...event, run: "chat", attempt: { ...event.attempt, tier: "a", labels: {}, outcome: "success" } }
        : event
  }))
)

const refusals: FastCheck.Arbitrary<Attempt.Event> = FastCheck.record(place).map(({ run, ...refusal }) => ({
  _tag: "TierRefused",
  run,
  refusal: { ...refusal, retryAfter: Duration.zero }
}))

const ends: FastCheck.Arbitrary<Attempt.Event> = FastCheck.record({
  ...place,
  outcome: FastCheck.constantFrom(
    "success" as const,
    "failure" as const,
    "rejected" as const,
    "cancelled" as const
  ),
  answered: FastCheck.boolean(),
  fallback: FastCheck.boolean()
}).map(({ answered, fallback, labels, outcome, run, tier }) => ({
  _tag: "RunEnded",
  run,
  outcome,
  servedBy: answered ? tier : undefined,
  labels: answered ? labels : undefined,
  fallback: answered && fallback,
  fallbackReason: undefined,
  errorType: undefined,
  attempts: 1,
  duration: Duration.zero,
  span: undefined
}))

export const histories = (max: number): FastCheck.Arbitrary<ReadonlyArray<Heard>> =>
  FastCheck.array(
    FastCheck.record({
      after: FastCheck.oneof(
        FastCheck.constant(0),
        FastCheck.integer({ min: 0, max: 40 }),
        FastCheck.constantFrom(slice, window - slice, window, window + slice),
        FastCheck.integer({ min: 0, max: 3 * window })
      ),
      event: FastCheck.oneof({ weight: 3, arbitrary: attempts }, refusals, ends)
    }),
    { maxLength: max }
  )

/** A health whose clock is moved by hand. */
export const underClock = (alerts: ReadonlyArray<Health.Alert> = []) => {
  let now = 0
  const clock: Clock.Clock = {
    ...Clock.make(),
    unsafeCurrentTimeNanos: () => BigInt(now) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(now) * 1_000_000n)
  }
  const run = <A>(effect: Effect.Effect<A>): A => Effect.runSync(Effect.withClock(effect, clock))
  const health = run(Health.make({ over: Duration.millis(window), alerts }))
  return {
    wait: (millis: number) => {
      now += millis
    },
    hear: (heard: Heard) => {
      now += heard.after
      health.listener(heard.event)
    },
    run,
    snapshot: () => run(health.snapshot),
    alerts: () => run(health.alerts),
    part: () => run(health.part),
    watched: () => run(health.watched)
  }
}

/** Everything that was ever heard, with its time: the model forgets nothing and counts anew every time. */
export const remembered = (history: ReadonlyArray<Heard>) => {
  let now = 0
  return history.map(({ after, event }) => {
    now += after
    return { at: now, event }
  })
}

type Remembered = ReturnType<typeof remembered>

export const within = (all: Remembered, now: number): Remembered =>
  all.filter(({ at }) => at <= now && Math.floor(at / slice) > Math.floor(now / slice) - 20)

/** `true` for a run that the tier served, `false` for one that it missed. */
export const verdicts = (
  all: Remembered,
  isOf: (run: string, tier: string, labels: Attempt.Labels) => boolean
) =>
  all.flatMap(({ event }) => {
    if (event._tag === "TierRefused") {
      return isOf(event.run, event.refusal.tier, event.refusal.labels) ? [false] : []
    }
    if (event._tag !== "AttemptEnded" || !isOf(event.run, event.attempt.tier, event.attempt.labels)) return []
    const { next, outcome } = event.attempt
    if (outcome === "success") return [true]
    return outcome === "ignored" || outcome === "interrupted" || next === "retry" ? [] : [false]
  })

export const naiveAlert = (alert: Health.Alert, all: Remembered, now: number): boolean => {
  const isOf = (run: string, tier: string) =>
    tier === alert.tier && (alert.run === undefined || alert.run === run)
  let firing = false
  const judge = (heard: Remembered) => {
    const found = verdicts(heard, isOf)
    const rate = found.filter(Boolean).length / found.length
    if (found.length === 0) firing = false
    else if (found.length >= alert.atLeast) {
      firing = rate < (firing ? 1 - (1 - alert.successBelow) / 2 : alert.successBelow)
    }
  }
  let index = 0
  for (let boundary = 0; boundary <= now; boundary += slice) {
    const before = all.slice(0, index)
    judge(within(before, boundary))
    for (; index < all.length && all[index]!.at < boundary + slice; index++) {
      if (all[index]!.at <= now) judge(within(all.slice(0, index + 1), all[index]!.at))
    }
  }
  return firing
}

export const byRank = (latencies: ReadonlyArray<number>, share: number): number =>
  latencies.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * latencies.length - 1e-9) - 1)]!

export const alerts = FastCheck.record({
  run: FastCheck.constantFrom("chat", undefined),
  tier: FastCheck.constantFrom("a", "b"),
  // Halves and quarters, so that the model may reckon in another order.
  successBelow: FastCheck.constantFrom(0, 0.25, 0.5, 0.75, 1),
  over: FastCheck.constant(Duration.millis(window)),
  atLeast: FastCheck.integer({ min: 1, max: 4 })
})
