import { assert, describe, it } from "@effect/vitest"
import { Attempt } from "@understudy/core"
import { Duration, Effect, Fiber, Stream, TestClock, type Tracer } from "effect"
import { recordedSpans } from "../support/spans.ts"
import { request, route } from "../support/tracedRun.ts"

const lasted = ({ status }: Tracer.Span): number =>
  status._tag === "Ended" ? Number(status.endTime - status.startTime) / 1e6 : Number.NaN

type Asks = (made: Effect.Effect.Success<ReturnType<typeof route>>) => Effect.Effect<unknown, unknown>

const completes: Asks = ({ complete }) => complete(request())
const streams: Asks = ({ stream }) => Stream.runDrain(stream(request({}, true)))
const twice: Asks = ({ complete }) =>
  Effect.all([Effect.exit(complete(request())), Effect.delay(complete(request()), "500 millis")], {
    concurrency: 2
  })

const retry = { times: 1, base: "1s", jitter: "none" }

/** What is asked of a route, when the caller leaves, and the ends of tiers: tier, attempts, what it came to, milliseconds. */
type Case = readonly [
  what: string,
  made: ReturnType<typeof route>,
  asks: Asks,
  ends: ReadonlyArray<string>,
  leaves?: Duration.DurationInput
]

const cases: ReadonlyArray<Case> = [
  ["one that answers", route(["ok"]), completes, ["primary 1 success 100"]],
  [
    "one that answers when it is asked again",
    route([{ status: 500 }, "ok"], { tier: { retry } }),
    completes,
    ["primary 2 success 1200"]
  ],
  [
    "one that is given up, and the next one",
    route([{ status: 500 }], { tier: { retry } }),
    completes,
    ["primary 2 server_error 1200", "standby 1 success 100"]
  ],
  [
    "one whose breaker refuses when it is to be asked again",
    route([{ status: 500 }], { tier: { retry, breaker: { consecutive: 2, openFor: "1m" } } }),
    twice,
    [
      "primary 1 server_error 100",
      "standby 1 success 100",
      "primary 1 server_error 1100",
      "standby 1 success 100"
    ]
  ],
  [
    "one that its caller leaves while it waits",
    route([{ status: 500 }], { tier: { retry } }),
    completes,
    ["primary 1 server_error 600"],
    "600 millis"
  ],
  ["one that its caller leaves", route(["hang"]), completes, ["primary 1 interrupted 3000"], "3 seconds"],
  ["a stream", route(["ok"]), streams, ["primary 1 success 200"]],
  [
    "a stream that is gone on with",
    route([{ breaks: "reset", after: 3 }], { continue: "restart" }),
    streams,
    ["primary 1 connection 130", "standby 1 success 200"]
  ]
]

describe("the end of a tier is heard once, and is that of its span", () => {
  for (const [what, made, asks, expected, leaves = "1 hour"] of cases) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const spans = recordedSpans()
        const ends: Array<Attempt.TierEnded> = []
        const fiber = yield* Effect.flatMap(made, asks).pipe(
          Effect.exit,
          Effect.provideService(Attempt.Listener, (event) => event._tag === "TierEnded" && ends.push(event)),
          Effect.withTracer(spans.tracer),
          Effect.fork
        )
        yield* TestClock.adjust(leaves)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(
          ends.map(({ duration, last: { errorType, number, outcome, tier } }) =>
            [tier, number, errorType ?? outcome, Duration.toMillis(duration)].join(" ")
          ),
          expected
        )
        const told = ends.map(({ duration, last, span }) => [
          span?.spanId,
          last.errorType,
          Duration.toMillis(duration)
        ])
        const shown = ["chat large", "chat small"]
          .flatMap((name) => spans.named(name))
          .map((span) => [span.spanId, span.attributes.get("error.type"), lasted(span)])
        assert.sameDeepMembers(told, shown)
      })
    )
  }
})

it.effect("the pace of a stream is that of what its provider says", () =>
  Effect.gen(function* () {
    const paces: Array<Attempt.Pace | undefined> = []
    const hear = (event: Attempt.Event) => event._tag === "AttemptEnded" && paces.push(event.attempt.pace)
    const made = Effect.provideService(Attempt.Listener, hear)
    const streamed = Effect.flatMap(route(["ok"]), streams)
    const whole = Effect.flatMap(route(["ok"]), completes)
    const fiber = yield* Effect.fork(made(Effect.zipRight(whole, streamed)))
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(fiber)
    const [none, pace] = paces
    // Ten words, ten milliseconds one after the other, and the end with the last of them.
    assert.isUndefined(none)
    assert.deepStrictEqual([pace?.counts.filter((count) => count > 0), pace?.seconds], [[10], 0.09])
  })
)
