import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FastCheck, Fiber, Stream, TestClock } from "effect"
import { Attempt, Backoff, CircuitBreaker, Fallback, FallbackStream, Health, Tier } from "../src/index.ts"
import {
  alerts,
  answers,
  byRank,
  histories,
  naiveAlert,
  remembered,
  underClock,
  verdicts,
  window,
  within
} from "./healthModel.ts"
import { law } from "./law.ts"
import { callersFault, classify, nextTier, retryable, scripted } from "./scripted.ts"

/** As it is when another process has it. */
const sent = <A>(data: A): A => structuredClone(data)

describe("Health", () => {
  law(
    "law: counts what a model counts that forgets nothing",
    [histories(30), FastCheck.nat(2 * window)],
    (history, later) => {
      const health = underClock()
      for (const heard of history) health.hear(heard)
      health.wait(later)
      const all = remembered(history)
      const live = within(all, (all.at(-1)?.at ?? 0) + later)
      const { models, runs, tiers } = health.snapshot()
      const ends = live.flatMap(({ event }) => (event._tag === "RunEnded" ? [event] : []))
      const latencies = (isOf: (attempt: Attempt.Attempt<unknown>, run: string) => boolean) =>
        live.flatMap(({ event }) =>
          event._tag === "AttemptEnded" &&
          event.attempt.outcome === "success" &&
          isOf(event.attempt, event.run)
            ? [Duration.toMillis(event.attempt.firstToken ?? event.attempt.duration)]
            : []
        )
      const check = (
        stats: Health.Stats,
        found: ReadonlyArray<boolean>,
        ends: ReadonlyArray<Attempt.RunEnded>,
        isServed: (end: Attempt.RunEnded) => boolean,
        seen: ReadonlyArray<number>
      ) => {
        assert.strictEqual(stats.due, found.length)
        assert.strictEqual(stats.served, found.filter(Boolean).length)
        assert.strictEqual(stats.successRate, found.length === 0 ? undefined : stats.served / found.length)
        const answered = ends.filter(({ servedBy }) => servedBy !== undefined)
        const fallbacks = answered.filter((end) => end.fallback && isServed(end)).length
        assert.strictEqual(stats.fallbacks, fallbacks)
        assert.strictEqual(
          stats.fallbackRate,
          answered.length === 0 ? undefined : fallbacks / answered.length
        )
        if (seen.length === 0) return assert.isUndefined(stats.latency)
        for (const [percentile, share] of [
          ["p50", 0.5],
          ["p95", 0.95],
          ["p99", 0.99]
        ] as const) {
          const exact = byRank(seen, share)
          const read = Duration.toMillis(stats.latency?.[percentile] ?? 0)
          assert.isAtMost(Math.abs(read - exact), exact * 0.01 + 1e-6)
        }
      }
      for (const { labels, run, tier, ...stats } of tiers) {
        const isOf = (r: string, t: string, l: Attempt.Labels) =>
          r === run && t === tier && l["model"] === labels["model"]
        check(
          stats,
          verdicts(live, isOf),
          ends.filter((end) => end.run === run),
          (end) => isOf(end.run, end.servedBy ?? "", end.labels ?? {}),
          latencies((attempt, run) => isOf(run, attempt.tier, attempt.labels))
        )
      }
      for (const { model, ...stats } of models) {
        const names = new Set(tiers.filter(({ labels }) => labels["model"] === model).map(({ run }) => run))
        check(
          stats,
          verdicts(live, (_, __, labels) => labels["model"] === model),
          ends.filter(({ run }) => names.has(run)),
          (end) => end.labels?.["model"] === model,
          latencies(({ labels }) => labels["model"] === model)
        )
      }
      for (const { run, due, served, fallbacks, fallbackRate } of runs) {
        const own = ends.filter((end) => end.run === run)
        assert.strictEqual(due, own.filter(({ outcome }) => /success|failure/.test(outcome)).length)
        assert.strictEqual(served, own.filter(({ outcome }) => outcome === "success").length)
        const answered = own.filter(({ servedBy }) => servedBy !== undefined).length
        assert.strictEqual(fallbackRate, answered === 0 ? undefined : fallbacks / answered)
      }
      // What the model has something to say of is there.
      const counted = tiers.reduce((sum, { due }) => sum + due, 0)
      assert.strictEqual(counted, verdicts(live, () => true).length)
      assert.strictEqual(runs.length, new Set(ends.map(({ run }) => run)).size)
    }
  )

  law("law: a quantile is within 1 % of the latency of its rank", [answers], (history) => {
    const health = underClock()
    for (const heard of history) health.hear(heard)
    const all = remembered(history)
    const seen = within(all, all.at(-1)?.at ?? 0).flatMap(({ event }) =>
      event._tag === "AttemptEnded"
        ? [Duration.toMillis(event.attempt.firstToken ?? event.attempt.duration)]
        : []
    )
    const [tier] = health.snapshot().tiers
    for (const [percentile, percent] of [
      ["p50", 50],
      ["p95", 95],
      ["p99", 99]
    ] as const) {
      const exact = byRank(seen, percent / 100)
      const read = Duration.toMillis(tier?.latency?.[percentile] ?? 0)
      assert.isAtMost(Math.abs(read - exact), exact * 0.01 + 1e-6)
    }
  })

  law(
    "law: an alert is what a model says that looks at every moment",
    [histories(15), alerts, FastCheck.nat(2 * window)],
    (history, alert, later) => {
      const health = underClock([alert])
      for (const heard of history) health.hear(heard)
      health.wait(later)
      const all = remembered(history)
      const now = (all.at(-1)?.at ?? 0) + later
      assert.strictEqual(health.alerts()[0]?.firing, naiveAlert(alert, all, now))
    }
  )

  law(
    "law: looking changes nothing",
    [histories(20), alerts, FastCheck.infiniteStream(FastCheck.boolean())],
    (history, alert, looks) => {
      const [watched, left] = [underClock([alert]), underClock([alert])]
      for (const heard of history) {
        watched.hear(heard)
        if (looks.next().value) watched.snapshot()
        if (looks.next().value) watched.alerts()
        left.hear(heard)
      }
      assert.deepStrictEqual(watched.snapshot(), left.snapshot())
      assert.deepStrictEqual(watched.alerts(), left.alerts())
    }
  )

  law(
    "law: what several have heard is together what one would have that had heard it all",
    [histories(30), alerts, FastCheck.infiniteStream(FastCheck.nat(2)), FastCheck.nat(2 * window)],
    (history, alert, whose, later) => {
      const alone = underClock([alert])
      const several = [underClock([alert]), underClock([alert]), underClock([alert])]
      for (const heard of history) {
        const chosen = whose.next().value
        alone.hear(heard)
        for (const [index, one] of several.entries()) {
          if (index === chosen) one.hear(heard)
          else one.wait(heard.after)
        }
      }
      for (const one of [alone, ...several]) one.wait(later)
      const [first, second, third] = several.map((one) => sent(one.part()))
      assert.deepStrictEqual(alone.run(Health.together([first!, second!, third!])), alone.snapshot())
      const seen = several.flatMap((one) => sent(one.watched()))
      const [now] = alone.alerts()
      // Between the two bounds it depends on how it came there.
      for (const firing of [true, false]) {
        const [judged] = alone.run(Health.judge([alert], seen, [{ ...now!, firing }]))
        assert.deepStrictEqual({ ...judged, firing: now?.firing }, { ...now })
        const low = now!.due > 0 && now!.served / now!.due < alert.successBelow
        const high = now!.due === 0 || now!.served / now!.due >= (alert.successBelow + 1) / 2
        const enough = now!.due >= alert.atLeast
        assert.strictEqual(judged?.firing, now!.due > 0 && (enough ? low || (firing && !high) : firing))
      }
    }
  )

  const ask = (health: Health.Health, fallback: Fallback.Fallback<string, unknown, never>) =>
    Effect.exit(Effect.provideService(fallback, Attempt.Listener, health.listener))

  const ratesOf = (snapshot: Health.Snapshot) =>
    Object.fromEntries(snapshot.tiers.map(({ due, served, tier }) => [tier, `${served}/${due}`]))

  it.effect(
    "a retried attempt is no run of its own, and a refusal by an open breaker counts against the tier",
    () =>
      Effect.gen(function* () {
        const health = yield* Health.make()
        const breaker = yield* CircuitBreaker.make({ key: "a", trip: CircuitBreaker.consecutive(3) })
        const a = scripted([retryable, { ok: "a" }, retryable])
        const run = Tier.make({
          name: "a",
          effect: a.effect,
          classify,
          breaker,
          backoff: Backoff.constant({ delay: 0, times: 1 })
        }).pipe(
          Fallback.orElse(Tier.make({ name: "b", effect: Effect.succeed("b"), labels: { model: "small" } })),
          Fallback.named("chat")
        )
        // Served at the second attempt; missed after two; missed after one, the breaker being open; refused.
        for (let call = 0; call < 4; call++) yield* ask(health, run)
        const snapshot = yield* health.snapshot
        assert.deepStrictEqual(ratesOf(snapshot), { a: "1/4", b: "3/3" })
        const [chat] = snapshot.runs
        assert.deepStrictEqual(
          [chat?.run, chat?.served, chat?.fallbacks, chat?.fallbackRate],
          ["chat", 4, 3, 0.75]
        )
        assert.deepStrictEqual(
          snapshot.models.map(({ fallbackRate, model }) => [model, fallbackRate]),
          [["small", 0.75]]
        )
      })
  )

  it.effect(
    "a caller's mistake or leaving counts for neither side, though a tier that gave up before has missed",
    () =>
      Effect.gen(function* () {
        const health = yield* Health.make()
        const below = (last: Effect.Effect<string, unknown>) =>
          Tier.make({ name: "a", effect: scripted([nextTier]).effect, classify }).pipe(
            Fallback.orElse(Tier.make({ name: "b", effect: last, classify: classify as never }))
          )
        yield* ask(health, below(scripted([callersFault]).effect))
        const leaving = yield* Effect.fork(ask(health, below(Effect.never)))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(leaving)
        const snapshot = yield* health.snapshot
        assert.deepStrictEqual(ratesOf(snapshot), { a: "0/2" })
        assert.deepStrictEqual(
          snapshot.runs.map(({ due, successRate }) => [due, successRate]),
          [[0, undefined]]
        )
      })
  )

  it.effect("a tier that ran out of its time has missed, whichever bound it was", () =>
    Effect.gen(function* () {
      const health = yield* Health.make()
      const hung = { name: "a", effect: Effect.never }
      const runs = [
        Tier.make({ ...hung, attemptTimeout: "1 second" }),
        Tier.make({ ...hung, timeout: "1 second" }),
        Tier.make(hung).pipe(Fallback.within("1 second"))
      ]
      for (const run of runs) {
        yield* Effect.fork(ask(health, run))
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(ratesOf(yield* health.snapshot), { a: "0/3" })
    })
  )

  it.effect(
    "the latency of a stream is that of its first content, and one that breaks off was not served",
    () =>
      Effect.gen(function* () {
        const health = yield* Health.make()
        const stream = (end: Stream.Stream<string, string>) =>
          FallbackStream.tier({
            name: "a",
            stream: Stream.concat(Stream.fromEffect(Effect.delay(Effect.succeed("Hi"), "2 seconds")), end)
          }).pipe(Stream.runDrain, Effect.exit, Effect.provideService(Attempt.Listener, health.listener))
        for (const end of [
          Stream.fromEffect(Effect.delay(Effect.succeed("!"), "1 minute")),
          Stream.fail("reset")
        ]) {
          yield* Effect.fork(stream(end))
          yield* TestClock.adjust("62 seconds")
        }
        const [a] = (yield* health.snapshot).tiers
        assert.deepStrictEqual([a?.due, a?.served], [2, 1])
        assert.closeTo(Duration.toMillis(a?.latency?.p50 ?? 0), 2_000, 20)
      })
  )

  it.effect("the alert waits for its sample, and clears only when things are clearly better", () =>
    Effect.gen(function* () {
      const alert = Health.alert({ tier: "a", successBelow: 0.8, over: "1 minute", atLeast: 10 })
      const health = yield* Health.make({ alerts: [alert] })
      const served = Tier.make({ name: "a", effect: Effect.succeed("a") })
      const missed = Tier.make({ name: "a", effect: Effect.fail("down") })
      const after = (run: typeof served | typeof missed, times: number) =>
        Effect.gen(function* () {
          for (let call = 0; call < times; call++) yield* ask(health, run)
          return (yield* health.alerts)[0]
        })
      assert.isFalse((yield* after(missed, 9))?.firing)
      assert.isTrue((yield* after(missed, 1))?.firing)
      // 40 of 50 is not below, 80 of 90 not clearly above, 90 of 100 is.
      assert.isTrue((yield* after(served, 40))?.firing)
      assert.isTrue((yield* after(served, 49))?.firing)
      const cleared = yield* after(served, 1)
      assert.deepStrictEqual(cleared, { alert, firing: false, due: 100, served: 90, successRate: 0.9 })
      assert.isFalse((yield* after(missed, 10))?.firing)
      assert.isTrue((yield* after(missed, 5))?.firing)
      yield* TestClock.adjust("50 seconds")
      assert.isTrue((yield* health.alerts)[0]?.firing)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual((yield* health.alerts)[0], {
        alert,
        firing: false,
        due: 0,
        served: 0,
        successRate: undefined
      })
    })
  )

  it.effect("an alert forgets slice by slice", () =>
    Effect.gen(function* () {
      const alert = Health.alert({ tier: "a", over: "1 minute", atLeast: 1 })
      const health = yield* Health.make({ alerts: [alert] })
      const status = Effect.map(health.alerts, ([status]) => [status?.firing, status?.served, status?.due])
      yield* ask(health, Tier.make({ name: "a", effect: Effect.fail("down") }))
      yield* TestClock.adjust("30 seconds")
      yield* ask(health, Tier.make({ name: "a", effect: Effect.succeed("a") }))
      assert.deepStrictEqual(yield* status, [true, 1, 2])
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* status, [false, 1, 1])
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* status, [false, 0, 0])
    })
  )

  it.each([
    ["tiers", { _tag: "TierRefused", refusal: { tier: "a", labels: {}, retryAfter: Duration.zero } }],
    [
      "runs",
      {
        _tag: "RunEnded",
        outcome: "success",
        servedBy: "a",
        labels: {},
        fallback: false,
        fallbackReason: undefined,
        errorType: undefined,
        attempts: 1,
        duration: Duration.zero,
        span: undefined
      }
    ]
  ] as const)("what it keeps of %s is bounded, whatever it is told", (what, event) => {
    const health = underClock()
    const hear = (run: string) => health.hear({ after: 0, event: { ...event, run } })
    for (let run = 0; run < 1_500; run++) hear(`run ${run}`)
    assert.deepStrictEqual([health.snapshot()[what].length, health.snapshot().uncounted], [1_000, 500])
    hear("run 1")
    assert.strictEqual(health.snapshot().uncounted, 500)
    health.wait(window)
    assert.strictEqual(health.snapshot()[what].length, 0)
    hear("new")
    assert.deepStrictEqual(
      health.snapshot()[what].map(({ run }) => run),
      ["new"]
    )
  })

  it("options out of range are refused with their name", () => {
    assert.throws(
      () => Health.make({ over: 0 }),
      "Health: over must be finite and longer than nothing, got 0"
    )
    assert.throws(() => Health.make({ over: "Infinity" as never }), /./)
    assert.throws(
      () => Health.alert({ tier: "a", over: Duration.infinity }),
      /Health.alert: over must be finite/
    )
    assert.throws(
      () => Health.alert({ tier: "a", successBelow: 1.1 }),
      /successBelow must be between 0 and 1/
    )
    assert.throws(
      () => Health.alert({ tier: "a", atLeast: 0 }),
      /atLeast must be an integer of 1 or more, got 0/
    )
  })
})
