import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, ExecutionPlan, Exit, Option, Schedule } from "effect"
import { CircuitBreaker, Fallback, Outcome, Tier } from "../src/index.ts"
import { recorder } from "./laws/recorder.ts"
import { type Act, callersFault, classify, errorOf, nextTier, type Refused, retryable } from "./scripted.ts"
import { ask, every, model, type Script, sideBySide, tier, twice } from "./sideBySide.ts"

describe("where ExecutionPlan and tiers differ: who is asked, and when", () => {
  it.effect(
    "a later step sleeps its own schedule before its first attempt; a later tier starts at once",
    () =>
      Effect.gen(function* () {
        const [p, t] = twice([retryable], [retryable])
        const plan = ExecutionPlan.make(
          { provide: model(p.a), attempts: 2, schedule: Schedule.spaced("1 second") },
          { provide: model(p.b), attempts: 3, schedule: Schedule.spaced("5 seconds") }
        )
        yield* sideBySide(
          Effect.withExecutionPlan(ask, plan),
          tier("a", t.a, { backoff: every("1 second", 1) }).pipe(
            Fallback.orElse(tier("b", t.b, { backoff: every("5 seconds", 2) }))
          )
        )
        assert.deepStrictEqual(p.calls, [
          [0, 1000],
          [6000, 11_000, 16_000]
        ])
        assert.deepStrictEqual(t.calls, [
          [0, 1000],
          [1000, 6000, 11_000]
        ])
      })
  )

  it.effect(
    "an error ends a plan only if every later step rules it out too; an outcome that aborts ends the run",
    () =>
      Effect.gen(function* () {
        const [p, t] = twice([callersFault])
        const [ruledOut] = twice([callersFault])
        const mayGoOn = { while: ({ outcome }: Refused) => outcome._tag === "Failure" }
        const plan = ({ a, b }: typeof p, later?: typeof mayGoOn) =>
          Effect.withExecutionPlan(
            ask,
            ExecutionPlan.make(
              { provide: model(a), attempts: 3, ...mayGoOn },
              { provide: model(b), ...later }
            )
          )
        const [planned, run] = yield* sideBySide(
          plan(p),
          tier("a", t.a, { backoff: every("1 second", 2) }).pipe(Fallback.orElse(tier("b", t.b)))
        )
        assert.deepStrictEqual([planned, p.calls], [Exit.succeed("b"), [[0], [0]]])
        assert.deepStrictEqual([errorOf(run)._tag, t.calls], ["Refused", [[0], []]])
        yield* Effect.flip(plan(ruledOut, mayGoOn))
        assert.deepStrictEqual(ruledOut.b.calls, [])
      })
  )

  it.effect("a later step's `while` is asked about the step before; a classifier judges its own tier", () =>
    Effect.gen(function* () {
      const [p, t] = twice([retryable], [{ ok: "b" }])
      const asked: Array<string> = []
      const plan = ExecutionPlan.make(
        { provide: model(p.a) },
        {
          provide: model(p.b),
          while: (error: Refused) => {
            asked.push(error._tag)
            return false
          }
        }
      )
      const never = { classify: () => Outcome.failure({ next: "abort" }) }
      const [planned, run] = yield* sideBySide(
        Effect.withExecutionPlan(ask, plan),
        tier("a", t.a).pipe(Fallback.orElse(tier("b", t.b, never)))
      )
      assert.deepStrictEqual([errorOf(planned)._tag, asked, p.calls], ["Refused", ["Refused"], [[0], []]])
      assert.deepStrictEqual([run, t.calls], [Exit.succeed("b"), [[0], [0]]])
    })
  )

  it.effect("a plan asks a dead step in every run; a breaker remembers", () =>
    Effect.gen(function* () {
      const [p, t] = twice([nextTier])
      const plan = ExecutionPlan.make({ provide: model(p.a) }, { provide: model(p.b) })
      const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(3) })
      const tiers = tier("a", t.a, { breaker }).pipe(Fallback.orElse(tier("b", t.b)))
      yield* Effect.replicateEffect(Effect.withExecutionPlan(ask, plan), 10)
      yield* Effect.replicateEffect(tiers, 10)
      assert.deepStrictEqual([p.a.calls.length, t.a.calls.length], [10, 3])
    })
  )

  it.effect("Retry-After is for a plan's schedule to know of; a tier waits it out, or leaves at once", () =>
    Effect.gen(function* () {
      const hint = (seconds: number): Act => ({
        fail: Outcome.failure({ retryAfter: Duration.seconds(seconds) })
      })
      const [p, t] = twice([hint(3), hint(600)])
      const [taught] = twice([hint(3), hint(600)])
      const hintOf = ({ outcome }: Refused) =>
        (outcome._tag === "Failure" && outcome.retryAfter) || Duration.zero
      const spaced = Schedule.spaced("1 second")
      const heedful = Schedule.intersect(spaced, Schedule.identity<Refused>()).pipe(
        Schedule.modifyDelay(([, error], wait) => Duration.max(wait, hintOf(error))),
        Schedule.whileInput((error: Refused) => Duration.lessThanOrEqualTo(hintOf(error), "5 seconds"))
      )
      const plan = ({ a, b }: typeof p, schedule: Schedule.Schedule<unknown, Refused>) =>
        Effect.withExecutionPlan(
          ask,
          ExecutionPlan.make({ provide: model(a), attempts: 3, schedule }, { provide: model(b) })
        )
      yield* sideBySide(
        Effect.zip(plan(p, spaced), plan(taught, heedful), { concurrent: true }),
        tier("a", t.a, { backoff: every("1 second", 2) }).pipe(Fallback.orElse(tier("b", t.b)))
      )
      assert.deepStrictEqual(p.calls, [[0, 1000, 2000], [2000]])
      assert.deepStrictEqual(taught.calls, [[0, 3000], [3000]])
      assert.deepStrictEqual(t.calls, [[0, 3000], [3000]])
    })
  )
})

describe("where ExecutionPlan and tiers differ: time, and what is left to see", () => {
  it.effect("a step that hangs hangs the plan; a tier is given up in time, and the next one asked", () =>
    Effect.gen(function* () {
      const [p, t] = twice(["hang"])
      const plan = ExecutionPlan.make({ provide: model(p.a) }, { provide: model(p.b) })
      const hour = Effect.timeoutOption("1 hour")
      const bounded = tier("a", t.a, { timeout: "20 seconds" }).pipe(Fallback.orElse(tier("b", t.b)))
      const exits = yield* sideBySide(hour(Effect.withExecutionPlan(ask, plan)), bounded)
      assert.deepStrictEqual(exits, [Exit.succeed(Option.none()), Exit.succeed("b")])
      assert.deepStrictEqual(
        [p.calls, t.calls],
        [
          [[0], []],
          [[0], [20_000]]
        ]
      )
    })
  )

  it.effect(
    "a timeout in the program bounds an attempt of both, but is the same for each of a plan's steps",
    () =>
      Effect.gen(function* () {
        const [p, t] = twice(["hang"], [{ ok: "b", after: "8 seconds" }])
        const plan = ExecutionPlan.make({ provide: model(p.a) }, { provide: model(p.b) })
        const patient = (name: string, script: Script, attemptTimeout: Duration.DurationInput) =>
          Tier.make({ name, effect: ask, classify, attemptTimeout }).pipe(Tier.provide(model(script)))
        const [planned, run] = yield* sideBySide(
          ask.pipe(Effect.timeout("5 seconds"), Effect.withExecutionPlan(plan)),
          patient("a", t.a, "5 seconds").pipe(Fallback.orElse(patient("b", t.b, "10 seconds")))
        )
        assert.deepStrictEqual(
          [p.calls, t.calls],
          [
            [[0], [5000]],
            [[0], [5000]]
          ]
        )
        assert.deepStrictEqual([errorOf(planned)._tag, run], ["TimeoutException", Exit.succeed("b")])
      })
  )

  it.effect("a plan fails with the last error alone; AllTiersFailed has every attempt with its cause", () =>
    Effect.gen(function* () {
      const [p, t] = twice([retryable, nextTier], [nextTier])
      const plan = ExecutionPlan.make({ provide: model(p.a), attempts: 2 }, { provide: model(p.b) })
      const [planned, run] = yield* sideBySide(
        Effect.withExecutionPlan(ask, plan),
        tier("a", t.a, { backoff: every("1 second", 1) }).pipe(Fallback.orElse(tier("b", t.b)))
      )
      assert.strictEqual(errorOf(planned)._tag, "Refused")
      const error = errorOf(run)
      assert(error._tag === "AllTiersFailed")
      assert.deepStrictEqual(
        error.attempts.map(({ cause, number, tier }) => [tier, number, cause?._tag]),
        [
          ["a", 1, "Fail"],
          ["a", 2, "Fail"],
          ["b", 1, "Fail"]
        ]
      )
    })
  )

  it.effect("a plan leaves no trace of its attempts; of ours each is a span", () =>
    Effect.gen(function* () {
      const [p, t] = twice([retryable])
      const [plan, tiers] = [recorder(), recorder()]
      yield* sideBySide(
        ask.pipe(
          Effect.withExecutionPlan(
            ExecutionPlan.make({ provide: model(p.a), attempts: 2 }, { provide: model(p.b) })
          ),
          Effect.withTracer(plan.tracer)
        ),
        tier("a", t.a, { backoff: every(0, 1) }).pipe(
          Fallback.orElse(tier("b", t.b)),
          Fallback.named("chat"),
          Effect.withTracer(tiers.tracer)
        )
      )
      assert.deepStrictEqual(plan.spans, [])
      assert.deepStrictEqual(
        tiers.spans.map(({ name }) => name),
        ["fallback chat", "tier a", "attempt", "attempt", "tier b", "attempt"]
      )
    })
  )
})
