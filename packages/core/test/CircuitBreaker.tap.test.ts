import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Stream, TestClock } from "effect"
import { Attempt, Backoff, CircuitBreaker, Fallback, FallbackStream, Outcome, Tier } from "../src/index.ts"
import { down, options } from "./breakers.ts"
import { connected, endings, recorded } from "./scripted.ts"

const { execute } = CircuitBreaker

describe("CircuitBreaker.tapReport", () => {
  it.effect("hears each report before its reporter goes on", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(options)
      const heard: Array<unknown> = []
      const tapped = CircuitBreaker.tapReport(breaker, (transition, outcome) =>
        Effect.delay(
          Effect.sync(() => heard.push([transition?.to, outcome._tag])),
          "1 second"
        )
      )
      const call = yield* Effect.fork(execute(Effect.succeed("answer"), tapped))
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual([heard, call.unsafePoll()], [[], null])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.await(call), Exit.succeed("answer"))
      const { permit } = yield* tapped.admit
      const report = yield* Effect.fork(tapped.report(permit, Outcome.failure()))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(report), { key: "k", to: "Open" })
      assert.deepStrictEqual(heard, [
        [undefined, "Success"],
        ["Open", "Failure"]
      ])
      assert.strictEqual((yield* breaker.state)._tag, "Open")
    })
  )

  const bug = new Error("bug")

  for (const [how, f] of [
    ["dies", () => Effect.die(bug)],
    [
      "throws",
      () => {
        throw bug
      }
    ]
  ] as const) {
    it.effect(`what ${how} there ends the run, and what had ended before is told all the same`, () =>
      Effect.gen(function* () {
        const breaker = CircuitBreaker.tapReport(yield* CircuitBreaker.make(options), f)
        const log: Array<string> = []
        const speaks = Stream.concat(Stream.make("Hel"), Stream.never)
        const standby = Tier.make({ name: "b", effect: Effect.die("not asked") })
        for (const [attempt, run] of [
          ["failure", Fallback.orElse(Tier.make({ name: "a", effect: down, breaker }), standby)],
          ["success", Tier.make({ name: "a", effect: Effect.succeed("answer"), breaker })],
          [
            "success",
            Stream.runDrain(FallbackStream.tier({ name: "a", stream: connected(log, "a", speaks), breaker }))
          ]
        ] as const) {
          const { effect, events } = recorded<unknown, unknown, never>(run)
          assert.deepStrictEqual(yield* Effect.exit(effect), Exit.die(bug))
          assert.deepStrictEqual(
            endings(events).filter((event) => event !== "BreakerChanged"),
            [attempt, "TierEnded", "failure"]
          )
          assert.deepInclude(events.at(-1), { errorType: "defect" })
          yield* breaker.reset
        }
        assert.deepStrictEqual(log, ["open a", "close a"])
      })
    )

    it.effect(`so does what ${how} when a stream that had begun breaks off`, () =>
      Effect.gen(function* () {
        const breaker = CircuitBreaker.tapReport(yield* CircuitBreaker.make(options), (_, { _tag }) =>
          _tag === "Failure" ? f() : Effect.void
        )
        const transcript = { empty: "", add: (sent: string, text: string) => sent + text }
        const breaks = FallbackStream.tier({
          name: "a",
          stream: Stream.concat(Stream.make("Hel"), Stream.fail("reset")),
          breaker,
          transcript
        })
        const goesOn = FallbackStream.tier({
          name: "b",
          stream: Stream.never,
          transcript,
          resume: () => Stream.make("lo")
        })
        for (const stream of [breaks, breaks.pipe(FallbackStream.orElse(goesOn))]) {
          const { effect, events } = recorded(Stream.runDrain(stream))
          assert.deepStrictEqual(yield* Effect.exit(effect), Exit.die(bug))
          assert.deepStrictEqual(endings(events), ["failure", "TierEnded", "failure"])
          assert.deepInclude(events.at(-1), { errorType: "defect" })
          yield* breaker.reset
        }
      })
    )
  }

  it.effect("a caller that leaves meanwhile has nothing more started, neither another tier nor a retry", () =>
    Effect.gen(function* () {
      const breaker = CircuitBreaker.tapReport(
        yield* CircuitBreaker.make({ ...options, trip: CircuitBreaker.consecutive(9) }),
        () => Effect.sleep("1 second")
      )
      const transcript = { empty: "", add: (sent: string, text: string) => sent + text }
      let asked = 0
      const asks = Effect.sync(() => {
        asked++
      })
      const a = { name: "a", breaker, backoff: Backoff.constant({ delay: 0, times: 1 }), retryTimeouts: true }
      const says = (name: string, stream: Stream.Stream<string, string>) =>
        FallbackStream.tier({
          name,
          breaker,
          stream,
          transcript,
          resume: () => Stream.drain(Stream.fromEffect(asks))
        })
      const runs: ReadonlyArray<readonly [at: Duration.DurationInput, Effect.Effect<unknown, unknown>]> = [
        [
          "500 millis",
          Fallback.orElse(
            Tier.make({ ...a, backoff: Backoff.none, effect: down }),
            Tier.make({ name: "b", effect: asks })
          )
        ],
        ["500 millis", Tier.make({ ...a, effect: Effect.suspend(() => (asked++ === 0 ? down : asks)) })],
        [
          "1500 millis",
          Stream.runDrain(
            says("a", Stream.concat(Stream.make("Hel"), Stream.fail("reset"))).pipe(
              FallbackStream.orElse(says("b", Stream.never))
            )
          )
        ]
      ]
      for (const [index, [leavesAt, run]] of runs.entries()) {
        asked = 0
        const { effect, events } = recorded(run)
        const caller = yield* Effect.fork(effect)
        yield* TestClock.adjust(leavesAt)
        caller.unsafeInterruptAsFork(caller.id())
        yield* TestClock.adjust("3 seconds")
        assert.isTrue(Exit.isInterrupted(yield* Fiber.await(caller)))
        assert.strictEqual(asked, index === 1 ? 1 : 0)
        assert.deepStrictEqual(endings(events).slice(0, 2), ["failure", "TierEnded"])
        assert.lengthOf(events, 3)
      }
    })
  )

  it.effect("tells what it tells to the listener of the run that reports, or to the one around", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const hears = (name: string) => (event: Attempt.Event) => {
        heard.push(`${name}: ${event.run} ${event._tag}`)
      }
      const breaker = yield* CircuitBreaker.make(options)
      const tapped = CircuitBreaker.tapReport(breaker, () =>
        Effect.map(Attempt.Listener, (listener) =>
          listener?.({
            _tag: "TierRefused",
            run: "elsewhere",
            refusal: { tier: "q", labels: {}, retryAfter: Duration.zero }
          })
        )
      )
      const run = Fallback.served(Tier.make({ name: "p", effect: down, breaker: tapped }), {
        listener: hears("its own")
      })
      const around = Effect.provideService(Attempt.Listener, hears("around"))
      yield* around(Effect.exit(run))
      assert.deepStrictEqual(heard.splice(0), [
        "its own: elsewhere TierRefused",
        "its own: p BreakerChanged",
        "its own: p AttemptEnded",
        "its own: p TierEnded",
        "its own: p RunEnded"
      ])
      yield* breaker.reset
      yield* around(Effect.exit(execute(down, tapped)))
      assert.deepStrictEqual(heard, ["around: elsewhere TierRefused"])
    })
  )

  it.effect("also where it is tapped twice, and what is reported is a success that is taken back", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const listener = (event: Attempt.Event) => {
        if (event._tag === "TierRefused") heard.push(event.run)
      }
      const tells = (name: string) => (_: unknown, outcome: Outcome.Outcome) =>
        Effect.map(Attempt.Listener, (listener) =>
          listener?.({
            _tag: "TierRefused",
            run: `${name}: ${outcome._tag}`,
            refusal: { tier: "q", labels: {}, retryAfter: Duration.zero }
          })
        )
      const inner = CircuitBreaker.tapReport(yield* CircuitBreaker.make(options), tells("inner"))
      const breaker = CircuitBreaker.tapReport(inner, tells("outer"))
      const breaks = Stream.concat(Stream.make("Hel"), Stream.fail("reset"))
      const tier = FallbackStream.tier({ name: "p", stream: breaks, breaker })
      const served = FallbackStream.served(tier, { listener })
      yield* Effect.exit(Effect.scoped(Effect.flatMap(served, ({ value }) => Stream.runDrain(value))))
      assert.deepStrictEqual(heard, ["inner: Success", "outer: Success", "inner: Failure", "outer: Failure"])
    })
  )
})
