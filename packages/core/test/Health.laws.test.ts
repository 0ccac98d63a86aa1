import { assert, describe } from "@effect/vitest"
import { Duration, FastCheck } from "effect"
import { type Attempt, Health } from "../src/index.ts"
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

/** As it is when another process has it. */
const sent = <A>(data: A): A => structuredClone(data)

describe("Health", () => {
  law(
    "counts what a model counts that forgets nothing",
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

  law("a quantile is within 1 % of the latency of its rank", [answers], (history) => {
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
    "an alert is what a model says that looks at every moment",
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
    "looking changes nothing",
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
    "what it has said stays as it was, whatever it hears then",
    [histories(20), histories(20), alerts],
    (history, more, alert) => {
      const health = underClock([alert])
      for (const heard of history) health.hear(heard)
      const said = [health.snapshot(), health.alerts(), health.part(), health.watched()]
      const kept = sent(said)
      for (const heard of more) health.hear(heard)
      assert.deepStrictEqual(sent(said), kept)
    }
  )

  law(
    "what several have heard is together what one would have that had heard it all",
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
})
