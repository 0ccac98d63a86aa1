import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, HashMap, Logger, LogLevel } from "effect"
import { Attempt, Backoff, CircuitBreaker, Fallback, Log, Outcome, Tier } from "../src/index.ts"
import { timed } from "./scripted.ts"

class Busy extends Data.TaggedError("Busy")<{ readonly status: number }> {}

const details: Log.Details = {
  error: (fields, error) => {
    fields["status"] = error instanceof Busy ? error.status : undefined
  },
  usage: (fields, usage) => {
    fields["output_tokens"] = usage?.["output_tokens"]
  }
}

/** What a program logs: each line's level, message and annotations. */
const logged = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const lines: Array<readonly [string, unknown, Record<string, unknown>]> = []
    const logger = Logger.make(({ annotations, logLevel, message }) => {
      const { span_id: _, trace_id: __, ...fields } = Object.fromEntries(HashMap.toEntries(annotations))
      lines.push([logLevel.label, Array.isArray(message) ? message[0] : message, fields])
    })
    yield* timed(Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)))
    return lines
  })

const run = Effect.map(
  CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(2), openFor: "20 seconds", jitter: 0 }),
  (breaker) =>
    Fallback.named(
      Fallback.orElse(
        Tier.make({
          name: "a",
          labels: { model: "large" },
          effect: Effect.delay(new Busy({ status: 503 }), "2 seconds"),
          classify: () => Outcome.failure({ errorType: "overloaded" }),
          backoff: Backoff.constant({ delay: "1 second", times: 3 }),
          breaker
        }),
        Tier.make({ name: "b", effect: Effect.as(Attempt.recordUsage({ output_tokens: 2 }), "answer") })
      ),
      "chat"
    )
)

const failed = (attempt: number, waited_ms: number) => [
  "WARN",
  "attempt",
  {
    route: "chat",
    tier: "a",
    model: "large",
    attempt,
    status: 503,
    outcome: "failure",
    error_type: "overloaded",
    waited_ms,
    latency_ms: 2_000
  }
]

const breaker = [
  "WARN",
  "breaker",
  { route: "chat", tier: "a", model: "large", from: "closed", to: "open", reason: "consecutive" }
]

const answered = [
  "INFO",
  "attempt",
  { route: "chat", tier: "b", attempt: 1, outcome: "success", output_tokens: 2, waited_ms: 0, latency_ms: 0 }
]

const ended = [
  "INFO",
  "run",
  {
    route: "chat",
    tier: "b",
    outcome: "success",
    latency_ms: 5_000,
    served_by: "b",
    attempts: 3,
    fallback: true
  }
]

describe("Log.layer", () => {
  it.effect("logs every event of a run once, in order, through the program's logger", () =>
    Effect.gen(function* () {
      const lines = yield* logged(Effect.provide(Effect.flatten(run), Log.layer({ details })))
      assert.deepStrictEqual(lines, [failed(1, 0), breaker, failed(2, 1_000), answered, ended] as never)
    })
  )

  it.effect("says nothing of errors and usage where nobody says what is to be said of them", () =>
    Effect.gen(function* () {
      const lines = yield* logged(Effect.provide(Effect.flatten(run), Log.layer()))
      const known = [
        ...Object.keys(failed(1, 0)[2]!),
        ...Object.keys(answered[2]!),
        ...Object.keys(ended[2]!)
      ]
      const unknown = ["status", "output_tokens"]
      assert.sameMembers(
        [...new Set(lines.flatMap(([, , fields]) => Object.keys(fields)))],
        [...new Set([...known, "from", "to", "reason"])].filter((field) => !unknown.includes(field))
      )
    })
  )

  it.effect("leaves the attempts out where they are not wanted", () =>
    Effect.gen(function* () {
      const lines = yield* logged(Effect.provide(Effect.flatten(run), Log.layer({ attempts: false })))
      assert.deepStrictEqual(lines, [breaker, ended] as never)
    })
  )

  it.effect("has the annotations and the least level of the fiber that the run is in", () =>
    Effect.gen(function* () {
      const lines = yield* Effect.flatten(run).pipe(
        Effect.annotateLogs("request_id", "req_1"),
        Logger.withMinimumLogLevel(LogLevel.Warning),
        Effect.provide(Log.layer()),
        logged
      )
      assert.deepStrictEqual(
        lines.map(([, message, { request_id }]) => [message, request_id]),
        [
          ["attempt", "req_1"],
          ["breaker", "req_1"],
          ["attempt", "req_1"]
        ]
      )
    })
  )

  it.effect("loses no line to whoever listened before and throws", () =>
    Effect.gen(function* () {
      const lines = yield* Effect.flatten(run).pipe(
        Effect.provide(Log.layer({ details })),
        Effect.provideService(Attempt.Listener, () => {
          throw new Error("bug")
        }),
        logged
      )
      assert.strictEqual(lines.length, 5)
    })
  )

  it.effect("keeps whoever listened before", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      yield* Effect.flatten(run).pipe(
        Effect.provide(Log.layer()),
        Effect.provideService(Attempt.Listener, ({ _tag }) => heard.push(_tag)),
        logged
      )
      assert.deepStrictEqual(heard, [
        "AttemptEnded",
        "BreakerChanged",
        "AttemptEnded",
        "TierEnded",
        "AttemptEnded",
        "TierEnded",
        "RunEnded"
      ])
    })
  )
})

describe("Log.write", () => {
  it.effect("has no control characters, whatever tiers are called", () =>
    Effect.gen(function* () {
      const heard: Array<Log.Line> = []
      const name = "a\nb\u001b[2J\u009b\u2028c"
      yield* Effect.exit(
        Tier.make({
          name,
          labels: { model: name },
          effect: Effect.fail("down"),
          classify: () => Outcome.failure({ errorType: name })
        }).pipe(
          Fallback.named(name),
          Effect.provideService(
            Attempt.Listener,
            (event) => event._tag !== "TierEnded" && heard.push(Log.write({}, event))
          )
        )
      )
      assert.deepStrictEqual(
        heard.map((fields) => [fields["route"], fields["tier"], fields["model"], fields["error_type"]]),
        [
          ["ab[2Jc", "ab[2Jc", "ab[2Jc", "ab[2Jc"],
          ["ab[2Jc", undefined, undefined, "ab[2Jc"]
        ]
      )
    })
  )
})
