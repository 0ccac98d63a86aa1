import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Either, FastCheck, Schema } from "effect"
import { Fallback, Policy } from "../src/index.ts"
import { Arbitraries, Script, Simulation } from "../src/testing/index.ts"
import { law } from "./law.ts"
import { hedgedPolicies, policies } from "./policies.ts"

const seconds = (duration: Duration.Duration | undefined) => duration && Duration.toSeconds(duration)

const reach = (policy: Policy.PolicyFile, stream = false) =>
  Policy.reach(Either.getOrThrow(Policy.decode(policy)), { stream }).map(({ hanging, latest, retried }) =>
    [retried, hanging, latest].map(seconds)
  )

describe("reach", () => {
  const retry = { times: 2, base: "1s", factor: 2, max: "4s", maxRetryAfter: "0s" } as const
  const tier = { timeout: "20s", attemptTimeout: "5s", firstToken: "2s" } as const

  it("is a matter of the tiers above: what they wait at least, when they hang, and at most", () => {
    const tiers = [
      { name: "a", ...tier, retry: { ...retry, jitter: "none" } },
      { name: "b", ...tier, retry: { ...retry, jitter: "equal" } },
      { name: "c", ...tier, retry }
    ] as const
    assert.deepStrictEqual(reach({ tiers }), [
      [0, 0, 0],
      [3, 5, 18],
      [4.5, 10, 36]
    ])
    assert.deepStrictEqual(reach({ tiers }, true)[2], [4.5, 4, 18])
  })

  it("is over with the deadline, and with maxTiers but for breakers", () => {
    const tiers = [
      { name: "a", ...tier, retry },
      { name: "b", ...tier, retry, attemptTimeout: "2s" },
      { name: "c", ...tier, retry }
    ] as const
    assert.deepStrictEqual(reach({ deadline: "7s", tiers })[2], [0, undefined, 7])
    assert.deepStrictEqual(reach({ deadline: "8s", tiers })[2], [0, 7, 8])
    assert.deepStrictEqual(reach({ maxTiers: 2, tiers })[2], [0, undefined, 18])
  })

  it("is sooner where a tier is asked beside those above, and only for whole answers", () => {
    const tiers = [
      { name: "a", ...tier, retry, hedge: { after: "1s" } },
      { name: "b", ...tier, retry: { ...retry, jitter: "none" }, hedge: { after: "2s" } },
      { name: "c", ...tier, retry }
    ] as const
    assert.deepStrictEqual(reach({ tiers }), [
      [0, 0, 0],
      [0, 1, 1],
      [2, 3, 3]
    ])
    assert.deepStrictEqual(reach({ tiers }, true)[2], [3, 4, 18])
    const decoded = Either.getOrThrow(Policy.decode({ tiers }))
    assert.strictEqual(seconds(Policy.worstCase(decoded).duration), 21)
    assert.strictEqual(seconds(Policy.worstCase(decoded, { stream: true }).duration), 27)
    // A budget that is empty lets no tier be asked beside another.
    assert.strictEqual(seconds(Policy.worstCase(decoded, { budget: true }).duration), 54)
    assert.deepStrictEqual(
      Policy.reach(decoded, { budget: true }).map(({ hanging, latest, retried }) =>
        [retried, hanging, latest].map(seconds)
      ),
      [
        [0, 0, 0],
        [0, 5, 18],
        [2, 10, 36]
      ]
    )
  })

  it("takes the tries of what hangs where these are tried again", () => {
    const tiers = [
      { name: "a", ...tier, retry: { ...retry, jitter: "none", onTimeout: true } },
      { name: "b" }
    ] as const
    assert.deepStrictEqual(reach({ tiers })[1]?.[1], 18)
  })

  const script = FastCheck.oneof(
    { weight: 4, arbitrary: FastCheck.array(Arbitraries.turn, { minLength: 1, maxLength: 6 }) },
    { weight: 1, arbitrary: FastCheck.constant(["hang"] as const) }
  )
  const scripts = FastCheck.array(script, { minLength: 4, maxLength: 4 })

  /** Why each tier of one run was come to, and when. */
  const comings = (policy: Policy.Policy, turns: ReadonlyArray<unknown>) => {
    const script = Schema.decodeUnknownSync(Script.Script)({
      for: "1ms",
      load: { rate: 1, arrivals: "even" },
      upstreams: Object.fromEntries(policy.tiers.map(({ name }, index) => [name, { calls: turns[index] }]))
    })
    const calls: Array<{ readonly tier: string; readonly at: number }> = []
    let ended: Simulation.Request | undefined
    Simulation.run(
      {
        make: ({ call }) =>
          Effect.map(Policy.compile(policy), (compiled) => {
            const asked = new Map(policy.tiers.map(({ name }) => [name, call(name)]))
            const noted = ({ name }: Policy.TierPolicy) =>
              Effect.zipRight(
                Effect.map(Clock.currentTimeMillis, (at) => calls.push({ tier: name, at })),
                asked.get(name)!
              )
            return Fallback.fromPolicy(compiled, noted, { classify: Simulation.classify })
          })
      },
      { script, onRequest: (request) => (ended = request) }
    )
    return { calls, ended: ended! }
  }

  const seen = { hanging: 0, retried: 0, whole: 0 }

  law(
    "law: no run comes to a tier later than it says, nor sooner where those above were tried to the end; some are as late",
    [FastCheck.oneof(policies, hedgedPolicies), scripts],
    (policy, turns) => {
      const { calls, ended } = comings(policy, turns)
      const tried = (name: string) => calls.filter(({ tier }) => tier === name).length
      for (const [index, { hanging, latest, name, retried }] of Policy.reach(policy).entries()) {
        const first = calls.find(({ tier }) => tier === name)
        if (first === undefined) continue
        assert.isAtMost(first.at, Duration.toMillis(latest) + 1e-3)
        const above = policy.tiers.slice(0, index)
        if (above.every(({ backoff, name }) => tried(name) === backoff.times + 1)) {
          assert.isAtLeast(first.at, Duration.toMillis(retried) - 1e-3)
          if (index > 0 && first.at - Duration.toMillis(retried) < 1e-3) seen.retried++
        }
        const hangs = above.every((_, tier) => turns[tier]?.every((turn) => turn === "hang"))
        if (index === 0 || !hangs || hanging === undefined) continue
        // Sooner where a breaker opens before the last try.
        assert.isAtMost(first.at, Duration.toMillis(hanging) + 1e-3)
        if (first.at > Duration.toMillis(hanging) - 1e-3) seen.hanging++
      }
      const { attempts, duration } = Policy.worstCase(policy)
      assert.isAtMost(ended.attempts, attempts)
      if (ended.ending === "unanswered") assert.isFalse(Duration.isFinite(duration))
      else assert.isAtMost(ended.endedAt, Duration.toMillis(duration) + 1e-3)
      if (Math.abs(ended.endedAt - Duration.toMillis(duration)) < 1e-3) seen.whole++
    }
  )

  it("the bounds of that law were reached in some of its cases", () => {
    assert.isAbove(seen.whole, 0)
    assert.isAbove(seen.retried, 0)
    assert.isAbove(seen.hanging, 0)
  })
})
