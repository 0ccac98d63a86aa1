import { assert, describe, it } from "@effect/vitest"
import { Attempt, Backoff, CircuitBreaker, Fallback, FallbackStream, Outcome, Tier } from "@understudy/core"
import { Duration, Effect, Fiber, Stream, TestClock } from "effect"
import * as Metrics from "../src/Metrics.ts"

/** The points of a family, each as its labels' values and its value. */
const points = (metrics: Metrics.Metrics, name: string) =>
  Effect.map(metrics.read, (families) =>
    (families.find((family) => family.name === `understudy_${name}`)?.points ?? []).map((point) => [
      ...Object.values(point.labels),
      "value" in point ? point.value : point.counts.reduce((all, one) => all + one, 0)
    ])
  )

const tier = (
  name: string,
  effect: Effect.Effect<string, string>,
  options: Partial<Tier.Options<string>> = {}
) =>
  Tier.make({
    name,
    labels: { model: `m-${name}` },
    effect,
    classify: (errorType) => Outcome.failure({ errorType }),
    ...options
  })

const heard = <A, E>(metrics: Metrics.Metrics, run: Fallback.Fallback<A, E, never>) =>
  Effect.exit(Effect.provideService(Fallback.named(run, "chat"), Attempt.Listener, metrics.listener))

describe("Metrics", () => {
  it.effect("counts every attempt and run once, under what it came to", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.make
      const busy = tier("a", Effect.delay(Effect.fail("busy"), "3 seconds"), {
        backoff: Backoff.constant({ delay: "1 second", times: 1 })
      })
      const fiber = yield* Effect.fork(
        heard(metrics, Fallback.orElse(busy, tier("b", Effect.delay(Effect.succeed("answer"), "1 second"))))
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)

      assert.deepStrictEqual(yield* points(metrics, "requests"), [["chat", "b", "success", "true", 1]])
      assert.deepStrictEqual(yield* points(metrics, "attempts"), [
        ["chat", "a", "m-a", "failure", "busy", 2],
        ["chat", "b", "m-b", "success", "none", 1]
      ])
      assert.deepStrictEqual(yield* points(metrics, "tier_runs"), [
        ["chat", "a", "m-a", "true", 0],
        ["chat", "a", "m-a", "false", 1],
        ["chat", "b", "m-b", "true", 1],
        ["chat", "b", "m-b", "false", 0]
      ])
      assert.deepStrictEqual(yield* points(metrics, "fallbacks"), [["chat", "b", "m-b", "busy", 1]])

      const families = yield* metrics.read
      const durations = families.flatMap((family) =>
        family.type === "histogram"
          ? family.points.map(({ labels, sum }) => [family.name, labels["tier"], sum])
          : []
      )
      assert.deepStrictEqual(durations, [
        ["understudy_request_duration_seconds", undefined, 8],
        ["understudy_attempt_duration_seconds", "a", 6],
        ["understudy_attempt_duration_seconds", "b", 1],
        ["understudy_time_to_first_token_seconds", "a", 0],
        ["understudy_time_to_first_token_seconds", "b", 0]
      ])
    })
  )

  it.effect("puts a length of time into the bucket whose bound it does not exceed", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.make
      for (const length of ["10 millis", "11 millis", "81920 millis", "81921 millis"] as const) {
        const fiber = yield* Effect.fork(heard(metrics, tier("a", Effect.delay(Effect.succeed(""), length))))
        yield* TestClock.adjust(length)
        yield* Fiber.join(fiber)
      }
      const families = yield* metrics.read
      const family = families.find(({ name }) => name === "understudy_attempt_duration_seconds")
      assert(family?.type === "histogram")
      const seen = family.points[0]?.counts.flatMap((count, bucket) => (count === 0 ? [] : [[bucket, count]]))
      assert.deepStrictEqual(seen, [
        [0, 1],
        [1, 1],
        [13, 1],
        [14, 1]
      ])
    })
  )

  it.effect("keeps of each bucket the last span that somebody keeps, and no other", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.make
      const ended = (spanId: string, sampled: boolean) =>
        metrics.listener({
          _tag: "RunEnded",
          run: "chat",
          outcome: "success",
          servedBy: "a",
          labels: {},
          fallback: false,
          fallbackReason: undefined,
          errorType: undefined,
          attempts: 1,
          duration: Duration.seconds(1),
          span: { traceId: "trace", spanId, sampled }
        })
      yield* TestClock.adjust("5 seconds")
      ended("first", true)
      ended("second", true)
      ended("third", false)
      const families = yield* metrics.read
      const family = families.find(({ name }) => name === "understudy_request_duration_seconds")
      assert(family?.type === "histogram")
      assert.deepStrictEqual(
        family.points[0]?.exemplars.filter((exemplar) => exemplar !== undefined),
        [{ span: { traceId: "trace", spanId: "second", sampled: true }, value: 1, at: 5_000 }]
      )
    })
  )

  it.effect("measures the first token of a stream, and a caller that leaves it", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.make
      const stream = FallbackStream.tier({
        name: "a",
        stream: Stream.concat(Stream.fromEffect(Effect.delay(Effect.succeed(1), "2 seconds")), Stream.never)
      }).pipe(FallbackStream.named("chat"))
      const fiber = yield* Stream.runDrain(stream).pipe(
        Effect.provideService(Attempt.Listener, metrics.listener),
        Effect.fork
      )
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.interrupt(fiber)

      assert.deepStrictEqual(yield* points(metrics, "time_to_first_token_seconds"), [
        ["chat", "a", "none", 1]
      ])
      assert.deepStrictEqual(yield* points(metrics, "attempt_duration_seconds"), [
        ["chat", "a", "none", "interrupted", 1]
      ])
      assert.deepStrictEqual(yield* points(metrics, "requests"), [["chat", "a", "cancelled", "false", 1]])
      assert.deepStrictEqual(yield* points(metrics, "tier_runs"), [
        ["chat", "a", "none", "true", 0],
        ["chat", "a", "none", "false", 0]
      ])
    })
  )

  it.effect("says of streams alone how fast they came, by the bounds of the conventions", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.make
      const stream = Stream.fromIterable([2_000, 10, 20]).pipe(
        Stream.mapEffect((after) => Effect.delay(Effect.succeed(after), after))
      )
      const span = { attributes: { "gen_ai.operation.name": "chat" } }
      const run = Effect.zipRight(
        Stream.runDrain(FallbackStream.tier({ name: "a", stream, span })),
        tier("b", Effect.succeed("answer"), { span })
      )
      const fiber = yield* Effect.fork(Effect.provideService(run, Attempt.Listener, metrics.listener))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      const bounds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
      const told = (semconv: "latest" | "1.41") =>
        Effect.map(metrics.readGenAi(semconv), (families) =>
          families.flatMap((family) => {
            if (family.type !== "histogram" || !family.name.includes("chunk")) return []
            assert.deepStrictEqual([family.unit, family.bounds], ["seconds", bounds])
            return family.points.map(({ counts, labels, sum }) => [
              family.name,
              labels["understudy.tier"],
              counts.reduce((all, one) => all + one),
              sum
            ])
          })
        )
      assert.deepStrictEqual(yield* told("latest"), [
        ["gen_ai.client.inference.time_to_first_chunk", "a", 1, 2],
        ["gen_ai.client.inference.time_per_output_chunk", "a", 2, 0.03]
      ])
      assert.deepStrictEqual(yield* told("1.41"), [
        ["gen_ai.client.operation.time_to_first_chunk", "a", 1, 2],
        ["gen_ai.client.operation.time_per_output_chunk", "a", 2, 0.03]
      ])
    })
  )

  it.effect("says why the first tier did not serve: its error, its breaker, or that another was faster", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.make
      const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(1), jitter: 0 })
      const answer = tier("b", Effect.succeed("answer"))
      const ask = Fallback.orElse(tier("a", Effect.fail("busy"), { breaker }), answer)
      yield* heard(metrics, ask)
      yield* heard(metrics, ask)
      const slow = tier("a", Effect.never)
      const hedged = yield* Effect.fork(heard(metrics, Fallback.hedge(slow, answer, { after: "1 second" })))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(hedged)

      assert.deepStrictEqual(yield* points(metrics, "fallbacks"), [
        ["chat", "b", "m-b", "busy", 1],
        ["chat", "b", "m-b", "circuit_open", 1],
        ["chat", "b", "m-b", "hedge", 1]
      ])
      assert.deepStrictEqual(yield* points(metrics, "breaker_transitions"), [
        ["chat", "a", "closed", "open", "consecutive", 1]
      ])
      const states = yield* Metrics.breakerStates([{ run: "chat", tier: "a", breaker }])
      assert.deepStrictEqual(states.points, [{ labels: { route: "chat", tier: "a" }, value: 2 }])
    })
  )

  it.effect("counts as one operation what a run makes of one tier, and as used what every attempt used", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.make
      let call = 0
      const ask = Effect.suspend(() =>
        Effect.zipRight(
          Attempt.recordUsage({ input_tokens: 8, output_tokens: ++call }),
          call === 1 ? Effect.fail("busy") : Effect.succeed("answer")
        )
      )
      const again = tier("a", Effect.delay(ask, "3 seconds"), {
        backoff: Backoff.constant({ delay: "1 second", times: 1 }),
        span: { name: "chat m-a", attributes: { "gen_ai.operation.name": "chat" } }
      })
      const fiber = yield* Effect.fork(heard(metrics, again))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      const families = yield* metrics.readGenAi("latest")
      const measured = families.flatMap((family) =>
        family.points.map((point) => [
          family.name.replace("gen_ai.client.inference.", ""),
          "value" in point ? point.value : [point.counts.reduce((all, one) => all + one), point.sum]
        ])
      )
      assert.deepStrictEqual(measured, [
        ["duration", [1, 7]],
        ["usage.input_tokens", 16],
        ["usage.output_tokens", 3],
        ["operation.input_tokens", [1, 8]],
        ["operation.output_tokens", [1, 2]]
      ])
      assert.deepStrictEqual(yield* points(metrics, "tokens"), [
        ["chat", "a", "m-a", "input", 16],
        ["chat", "a", "m-a", "output", 3]
      ])
    })
  )

  it.effect("keeps synthetic checks apart under names of their own, but for what they do to a breaker", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.make
      const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(1) })
      const check = Fallback.named(tier("a", Effect.fail("busy"), { breaker }), "chat")
      yield* Effect.exit(Effect.provideService(check, Attempt.Listener, metrics.synthetic))

      assert.deepStrictEqual(yield* points(metrics, "attempts"), [])
      assert.deepStrictEqual(yield* points(metrics, "synthetic_attempts"), [
        ["chat", "a", "m-a", "failure", "busy", 1]
      ])
      assert.deepStrictEqual(yield* points(metrics, "synthetic_breaker_transitions"), [])
      assert.deepStrictEqual(yield* points(metrics, "breaker_transitions"), [
        ["chat", "a", "closed", "open", "consecutive", 1]
      ])
    })
  )

  it.effect("begins what is declared at nothing", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.make
      metrics.declare("chat", [
        { tier: "a", labels: { model: "m-a" } },
        { tier: "b", labels: { model: "m-b" } }
      ])

      assert.deepStrictEqual(yield* points(metrics, "requests"), [
        ["chat", "none", "failure", "false", 0],
        ["chat", "a", "success", "false", 0],
        ["chat", "b", "success", "true", 0]
      ])
      assert.deepStrictEqual(yield* points(metrics, "attempts"), [
        ["chat", "a", "m-a", "success", "none", 0],
        ["chat", "b", "m-b", "success", "none", 0]
      ])
    })
  )

  it.effect("is bounded however runs are named, and loses none of them", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.make
      const run = tier("a", Effect.succeed("answer"))
      for (let each = 0; each < 3_000; each++) {
        yield* Effect.provideService(Fallback.named(run, `run ${each}`), Attempt.Listener, metrics.listener)
      }
      const requests = yield* points(metrics, "requests")
      assert.isBelow(requests.length, 2_000)
      assert.isTrue(requests.some(([route]) => route === "_OTHER"))
      assert.strictEqual(
        requests.reduce((all, point) => all + Number(point.at(-1)), 0),
        3_000
      )
    })
  )

  it.effect(
    "shows what is observed while its scope is open and once after, all of a name as one family",
    () =>
      Effect.gen(function* () {
        const metrics = yield* Metrics.make
        let up = 1
        const gauge = (route: string, value: number) =>
          Effect.succeed({
            type: "gauge" as const,
            name: "understudy_up",
            help: "Up.",
            points: [{ labels: { route }, value }]
          })
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* metrics.observe(Effect.suspend(() => gauge("a", up)))
            yield* metrics.observe(gauge("b", 0))
            assert.deepStrictEqual(yield* points(metrics, "up"), [
              ["a", 1],
              ["b", 0]
            ])
            up = 2
          })
        )
        up = 3
        assert.sameDeepMembers(yield* points(metrics, "up"), [
          ["a", 2],
          ["b", 0]
        ])
        assert.deepStrictEqual(yield* points(metrics, "up"), [])

        yield* Effect.scoped(metrics.observe(gauge("a", 1)))
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* metrics.observe(gauge("a", 0))
            assert.deepStrictEqual(yield* points(metrics, "up"), [["a", 0]])
          })
        )
      })
  )

  it.effect("of several add up to what one says that hears it all; of gauges the largest counts", () =>
    Effect.gen(function* () {
      const [all, ...several] = [yield* Metrics.make, yield* Metrics.make, yield* Metrics.make]
      const runs = ["answer", "answer", "busy", "answer"].map((says) =>
        tier("a", says === "busy" ? Effect.fail(says) : Effect.delay(Effect.succeed(says), "3 seconds"))
      )
      for (const [index, run] of runs.entries()) {
        const listener = (event: Attempt.Event) => {
          for (const metrics of [all, several[index % 2]!]) metrics.listener(event)
        }
        const fiber = yield* Effect.fork(heard({ ...all, listener }, run))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
      }
      const gauge = (value: number): Metrics.Family => ({
        type: "gauge",
        name: "state",
        help: "",
        points: [{ labels: { tier: "a" }, value }]
      })
      const measured = (metrics: Metrics.Metrics, state: number) =>
        Effect.map(metrics.read, (families) => structuredClone([...families, gauge(state)]))
      const merged = Metrics.merge([yield* measured(several[0]!, 2), yield* measured(several[1]!, 1)])
      assert.deepStrictEqual(merged, yield* measured(all, 2))
    })
  )
})
