import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Either, Exit, FastCheck, Stream } from "effect"
import { Fallback, FallbackStream, Outcome, Policy, RetryBudget } from "../src/index.ts"
import { law } from "./law.ts"
import { abandon, run, VirtualClock } from "./laws/virtual.ts"
import { hedgedPolicies } from "./policies.ts"
import { type Act, classify, scripted, timed } from "./scripted.ts"

const decode = (file: Policy.PolicyFile): Policy.Policy => Either.getOrThrow(Policy.decode(file))

const toSeconds = ({ attempts, duration, tiers }: Policy.WorstCase) => ({
  attempts,
  seconds: Duration.toSeconds(duration),
  tiers: tiers.map((tier) => [tier.name, tier.attempts, Duration.toSeconds(tier.duration)])
})

/** All choices of at most so many. */
const choices = <A>(all: ReadonlyArray<A>, most: number): ReadonlyArray<ReadonlyArray<A>> => {
  const [first, ...rest] = all
  if (first === undefined || most === 0) return [[]]
  return [...choices(rest, most), ...choices(rest, most - 1).map((chosen) => [first, ...chosen])]
}

/** One that will never have more than so many tokens. */
const budgetOf = (tokens: number): RetryBudget.RetryBudget => {
  const budget = RetryBudget.make({ max: tokens + 1, perSuccess: 0, minPerSecond: 0 })
  return Effect.runSync(Effect.tap(budget, ({ withdraw }) => withdraw))
}

const total = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0)

/** When the last of these tiers ends, each of which is started when the one before has been alone for long enough. */
const lastEnd = (tiers: ReadonlyArray<{ readonly spent: number; readonly alone: number }>): number => {
  let [start, end] = [0, 0]
  for (const { alone, spent } of tiers) {
    end = Math.max(end, start + spent)
    start += alone
  }
  return end
}

/** Every attempt fails at the last moment and every wait is as long as it can be, on the worst choice of tiers. */
const naive = (policy: Policy.Policy, { budget, stream }: Required<Policy.RunKind>) => {
  const tiers = policy.tiers.map((tier) => {
    const { backoff } = tier
    const [base, max] = [Duration.toMillis(backoff.base), Duration.toMillis(backoff.max)]
    const growth = backoff.jitter === "decorrelated" ? 3 : backoff.factor
    let wait = backoff.jitter === "decorrelated" ? 3 * base : base
    let spent = Duration.toMillis(stream ? tier.firstToken : tier.attemptTimeout)
    for (let retry = 1; retry <= backoff.times; retry++) {
      spent += Math.max(Math.min(max, wait), Duration.toMillis(tier.maxRetryAfter))
      spent += Duration.toMillis(stream ? tier.firstToken : tier.attemptTimeout)
      wait *= growth
    }
    spent = Math.min(spent, Duration.toMillis(tier.timeout))
    const alone = stream || budget || tier.hedge === undefined ? spent : Duration.toMillis(tier.hedge.after)
    return { attempts: backoff.times + 1, spent, alone: Math.min(spent, alone) }
  })
  const chosen = choices(tiers, policy.maxTiers ?? tiers.length)
  return {
    attempts: Math.max(...chosen.map((tiers) => total(tiers.map(({ attempts }) => attempts)))),
    tiers: tiers.map(({ spent }) => spent),
    spent: Math.min(Duration.toMillis(policy.deadline), Math.max(...chosen.map(lastEnd)))
  }
}

const near = (actual: Duration.Duration, expected: number) =>
  Duration.isFinite(actual)
    ? assert.closeTo(Duration.toMillis(actual), expected, 1e-6)
    : assert.strictEqual(expected, Number.POSITIVE_INFINITY)

describe("worstCase", () => {
  law(
    "law: it is the worst of all choices of tiers, each at its slowest",
    [hedgedPolicies, FastCheck.record({ budget: FastCheck.boolean(), stream: FastCheck.boolean() })],
    (policy, kind) => {
      const found = Policy.worstCase(policy, kind)
      const expected = naive(policy, kind)
      assert.strictEqual(found.attempts, expected.attempts)
      near(found.duration, expected.spent)
      for (const [index, tier] of found.tiers.entries()) {
        assert.strictEqual(tier.name, `tier ${index}`)
        near(tier.duration, expected.tiers[index]!)
      }
    }
  )

  const acts: FastCheck.Arbitrary<Act> = FastCheck.oneof(
    FastCheck.constantFrom("hang" as const, "hangUninterruptibly" as const),
    FastCheck.record({
      // Never a whole number: a tie with a bound could go either way.
      after: FastCheck.integer({ min: 0, max: 12_000 }).map((after) => Duration.millis(after + 0.5)),
      fail: FastCheck.record({
        next: FastCheck.constantFrom(
          "retry" as const,
          "retry" as const,
          "retry" as const,
          "nextTier" as const
        ),
        retryAfter: FastCheck.option(FastCheck.nat(6_000).map(Duration.millis), { nil: undefined })
      }).map(Outcome.failure)
    })
  )

  law(
    "L21: no run takes more attempts or more time, whatever its tiers do",
    [
      hedgedPolicies,
      FastCheck.array(FastCheck.array(acts, { minLength: 1, maxLength: 6 }), {
        minLength: 4,
        maxLength: 4
      }),
      FastCheck.boolean(),
      /** Of its budget, if it has one. */
      FastCheck.option(FastCheck.nat(3), { nil: undefined }),
      FastCheck.string()
    ],
    async (policy, scripts, stream, tokens, seed) => {
      const bound = Policy.worstCase(policy, { stream, budget: tokens !== undefined })
      const budget = tokens === undefined ? undefined : budgetOf(tokens)
      const tiers = new Map(
        policy.tiers.map(({ name }, index) => [name, scripted(scripts[index] ?? ["hang"])] as const)
      )
      const effectOf = (tier: Policy.TierPolicy) => tiers.get(tier.name)!.effect
      const program = Effect.flatMap(Policy.compile(policy, { budget: () => budget }), (compiled) =>
        stream
          ? Effect.scoped(
              FallbackStream.served(
                FallbackStream.fromPolicy(compiled, (tier) => Stream.fromEffect(effectOf(tier)), {
                  classify: (error) => (error._tag === "Refused" ? classify(error) : Outcome.failure())
                })
              )
            )
          : Effect.asVoid(Fallback.fromPolicy(compiled, effectOf, { classify }))
      )
      const { elapsed, exit, fiber } = await run<unknown, unknown>(program, {
        clock: new VirtualClock(),
        seed
      })
      for (const { letGo } of tiers.values()) Effect.runSync(letGo)
      await abandon(fiber)
      assert.isAtMost(total([...tiers.values()].map(({ calls }) => calls.length)), bound.attempts)
      // The clock counts nanoseconds.
      if (exit !== undefined) assert.isAtMost(elapsed, Duration.toMillis(bound.duration) + 1e-3)
      else assert.isFalse(Duration.isFinite(bound.duration))
      assert.isFalse(exit !== undefined && Exit.isFailure(exit) && Cause.isDie(exit.cause))
    }
  )

  it.effect("it is reached: every attempt hangs, and every wait is asked for at its longest", () =>
    Effect.gen(function* () {
      const retry = { times: 2, base: "1s", max: "4s", jitter: "none", maxRetryAfter: "3s" } as const
      const tier = { timeout: "1m", attemptTimeout: "4s", retry }
      const policy = decode({
        tiers: [
          { name: "a", ...tier },
          { name: "b", ...tier }
        ]
      })
      const slow: Act = { after: "3999 millis", fail: Outcome.failure({ retryAfter: Duration.seconds(3) }) }
      const compiled = yield* Policy.compile(policy)
      const { elapsed } = yield* timed(
        Fallback.fromPolicy(compiled, () => scripted([slow]).effect, { classify })
      )
      assert.deepStrictEqual(toSeconds(Policy.worstCase(policy)), {
        attempts: 6,
        seconds: 36,
        tiers: [
          ["a", 3, 18],
          ["b", 3, 18]
        ]
      })
      assert.strictEqual(elapsed, 36_000 - 6)
    })
  )

  it("timeout, deadline and maxTiers bound it", () => {
    const retry = { times: 1, base: "1s", jitter: "none", maxRetryAfter: "0s" } as const
    const tiers = [
      { name: "a", timeout: "5s", attemptTimeout: "4s", firstToken: "1s", retry },
      { name: "b", timeout: "20s", attemptTimeout: "4s", firstToken: "1s", retry },
      { name: "c", timeout: "6s", retry: { times: 0 } }
    ] as const
    const bounds = (policy: Omit<Policy.PolicyFile, "tiers">, stream = false) => {
      const { attempts, duration } = Policy.worstCase(decode({ ...policy, tiers }), { stream })
      return [attempts, Duration.toSeconds(duration)]
    }
    assert.deepStrictEqual(bounds({}), [5, 20])
    assert.deepStrictEqual(bounds({ maxTiers: 2 }), [4, 15])
    assert.deepStrictEqual(bounds({ maxTiers: 1 }), [2, 9])
    assert.deepStrictEqual(bounds({ deadline: "12s" }), [5, 12])
    assert.deepStrictEqual(bounds({}, true), [5, 12])
  })

  it("it is infinite where nothing bounds it", () => {
    const { tiers } = decode({ tiers: [{ name: "a" }] })
    const endless = { ...tiers[0], timeout: Duration.infinity, attemptTimeout: Duration.infinity }
    const policy = { deadline: Duration.infinity, maxTiers: undefined, tiers: [endless] as const }
    assert.isFalse(Duration.isFinite(Policy.worstCase(policy).duration))
    assert.isTrue(Duration.isFinite(Policy.worstCase(policy, { stream: true }).duration))
    assert.isTrue(Duration.isFinite(Policy.worstCase({ ...policy, deadline: Duration.seconds(9) }).duration))
  })

  it("any number of retries is summed at once", () => {
    const retry = { times: 1e12, base: "1s", max: "3s", maxRetryAfter: "0s" }
    const [tier] = decode({ tiers: [{ name: "a", attemptTimeout: "1s", retry }] }).tiers
    const policy = { deadline: Duration.infinity, maxTiers: undefined }
    const { duration } = Policy.worstCase({ ...policy, tiers: [{ ...tier, timeout: Duration.infinity }] })
    assert.strictEqual(Duration.toSeconds(duration), 1e12 + 1 + 1 + 2 + (1e12 - 2) * 3)
  })
})
