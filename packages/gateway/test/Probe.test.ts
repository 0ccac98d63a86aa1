import { assert, describe, it } from "@effect/vitest"
import type * as Attempt from "@understudy/core/Attempt"
import * as Policy from "@understudy/core/Policy"
import { Route, Sandbox } from "@understudy/http"
import { Array as Arr, Duration, Effect, Random, Schema, TestClock } from "effect"
import type * as Log from "../src/Log.ts"
import * as Probe from "../src/Probe.ts"

/** A route of tiers that do as their scripts say. */
const route = (
  scripts: Readonly<Record<string, NonNullable<Sandbox.Options["script"]>>>,
  embeddings?: string
) => {
  const names = Arr.map(Object.keys(scripts) as [string, ...Array<string>], (name) => ({
    name,
    timeout: "10s",
    breaker: { consecutive: 1, openFor: "90s", jitter: 0 }
  }))
  const policy = Schema.decodeSync(Policy.Policy)({ tiers: [names[0], ...names.slice(1)] })
  return Route.make("chat", {
    ...policy,
    tiers: Arr.map(policy.tiers, (tier) => ({
      ...tier,
      provider: Sandbox.make({ name: tier.name, latency: "1 second", script: scripts[tier.name] }),
      model: "m",
      embeddings
    }))
  })
}

const answer = { body: new Uint8Array(), usage: undefined }

const outcome = ({ error_type, message, outcome, status }: Log.Entry) => [
  message,
  outcome,
  status,
  error_type
]

const check = (target: Probe.Target, onEvent?: Parameters<typeof Probe.once>[2]) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(Probe.once(target, 8, onEvent))
    yield* TestClock.adjust("10 seconds")
    return outcome(yield* fiber)
  })

describe("Probe", () => {
  it.effect("says on every span of a check that it is synthetic", () =>
    Effect.gen(function* () {
      const made = yield* route({ lead: ["ok"] })
      const marks: Array<unknown> = []
      const note = Effect.map(Effect.currentSpan, (span) => {
        marks.push(span.attributes.get("understudy.synthetic"))
      })
      const tier = made.tiers[0]
      const provider = { ...tier.provider, complete: () => Effect.as(Effect.orDie(note), answer) }
      yield* Probe.once({ route: made, tier: { ...tier, provider } }, 8)
      assert.deepStrictEqual(marks, [true])
    })
  )

  it.effect("once is one attempt of that tier alone, which no breaker hears of unless it is told to", () =>
    Effect.gen(function* () {
      const made = yield* route({ lead: [{ status: 503 }, "ok"], standby: ["hang"] })
      const [lead, standby] = Probe.targets([made], false)
      const events: Array<Attempt.Event["_tag"]> = []
      assert.deepStrictEqual(yield* check(lead!, (_, { _tag }) => events.push(_tag)), [
        "attempt",
        "failure",
        503,
        "overloaded"
      ])
      assert.deepStrictEqual(events, ["AttemptEnded", "TierEnded", "RunEnded"])
      assert.deepStrictEqual(yield* check(lead!), ["attempt", "success", 200, undefined])
      assert.deepStrictEqual((yield* check(standby!))[1], "timeout")
      const states = yield* Effect.forEach(made.breakers, ({ breaker }) => breaker.state)
      assert.deepStrictEqual(
        states.map(({ _tag }) => _tag),
        ["Closed", "Closed"]
      )
    })
  )

  it.effect("with its breaker it is counted, refused, and at last the probe that closes it", () =>
    Effect.gen(function* () {
      const made = yield* route({ lead: [{ status: 503 }, "ok"] })
      const [lead] = Probe.targets([made], true)
      assert.strictEqual((yield* check(lead!))[1], "failure")
      assert.isFalse(yield* made.available)
      assert.strictEqual((yield* check(lead!))[0], "refused")
      yield* TestClock.adjust("90 seconds")
      assert.strictEqual((yield* check(lead!))[1], "success")
      assert.strictEqual((yield* made.breakers[0].breaker.state)._tag, "Closed")
    })
  )

  it.effect("asks a tier of embeddings for those", () =>
    Effect.gen(function* () {
      const [target] = Probe.targets([yield* route({ lead: ["ok"] }, "small")], false)
      assert.deepStrictEqual(yield* check(target!), ["attempt", "success", 200, undefined])
    })
  )

  it.effect("watches every tier at its interval, each at another time, four at once and no more", () =>
    Effect.gen(function* () {
      const scripts = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`t${n}`, ["ok"] as const]))
      const targets = Probe.targets([yield* route(scripts)], false)
      const at: Record<string, Array<number>> = {}
      const clock = yield* Effect.clock
      const probe = { every: Duration.minutes(1), maxTokens: 8, breakers: false }
      const watching = yield* Effect.fork(
        Effect.withRandom(
          Probe.watch(probe, targets, {
            event: () => {},
            result: ({ tier }) => {
              at[String(tier)] = [...(at[String(tier)] ?? []), clock.unsafeCurrentTimeMillis() / 1000]
            }
          }),
          Random.make("probe")
        )
      )
      yield* TestClock.adjust("10 minutes")
      yield* watching.interruptAsFork(watching.id())
      const firsts = new Set(Object.values(at).map(([first]) => first))
      assert.strictEqual(firsts.size, 9)
      for (const [tier, times] of Object.entries(at)) {
        assert.isAtMost(times[0]!, 64, tier)
        for (const [index, time] of times.slice(1).entries()) {
          assert.isAtLeast(time - times[index]!, 54)
          assert.isAtMost(time - times[index]!, 70)
        }
      }
      const all = Object.values(at).flat()
      for (const time of all) assert.isAtMost(all.filter((other) => Math.abs(other - time) < 0.5).length, 4)
    })
  )
})
