import { assert, describe, it } from "@effect/vitest"
import { Cause, Chunk, Duration, Effect, Either, Exit, Stream, TestClock } from "effect"
import {
  type Attempt,
  Backoff,
  CircuitBreaker,
  Fallback,
  FallbackStream,
  Outcome,
  Policy,
  Tier
} from "../src/index.ts"
import {
  type Act,
  classify,
  nextTier,
  type Refused,
  recorded,
  retryable,
  scripted,
  timed
} from "./scripted.ts"

const policy = Either.getOrThrow(
  Policy.decode({
    deadline: "20s",
    maxTiers: 2,
    tiers: [
      {
        name: "a",
        timeout: "10s",
        attemptTimeout: "3s",
        firstToken: "2s",
        retry: { times: 2, base: "1s", jitter: "none", maxRetryAfter: "2s", onTimeout: true },
        breaker: { consecutive: 4, jitter: 0 }
      },
      { name: "b", timeout: "5s", retry: { times: 1, base: "2s", jitter: "none" } },
      { name: "c" }
    ]
  })
)

type Scripts = { readonly [tier: string]: ReturnType<typeof scripted> }

const composedByHand = (scripts: Scripts, breakers: ReadonlyArray<CircuitBreaker.CircuitBreaker>) => {
  const [a, b, c] = policy.tiers.map(({ name }) => ({ name, effect: scripts[name]!.effect, classify }))
  const wait = (times: number, base: Duration.DurationInput) =>
    Backoff.exponential({ times, base, jitter: "none" })
  return Tier.make({
    ...a!,
    timeout: "10 seconds",
    attemptTimeout: "3 seconds",
    backoff: wait(2, "1 second"),
    maxRetryAfter: "2 seconds",
    retryTimeouts: true,
    breaker: breakers[0]
  }).pipe(
    Fallback.orElse(
      Tier.make({
        ...b!,
        timeout: "5 seconds",
        attemptTimeout: "5 seconds",
        backoff: wait(1, "2 seconds"),
        breaker: breakers[1]
      })
    ),
    Fallback.orElse(
      Tier.make({
        ...c!,
        timeout: "30 seconds",
        attemptTimeout: "30 seconds",
        backoff: Backoff.exponential(),
        breaker: breakers[2]
      })
    ),
    Fallback.within("20 seconds"),
    Fallback.atMost(2)
  )
}

/** What is to be seen of a run. */
const seen = (run: Fallback.Fallback<string, Refused, never>) => {
  const { effect, events } = recorded(timed(Effect.exit(Fallback.served(run))))
  return Effect.map(effect, ({ elapsed, exit }) => ({
    elapsed,
    ending: Exit.flatten(exit).pipe(
      Exit.mapBoth({
        onSuccess: ({ tier, value }) => [tier, value],
        onFailure: ({ message, _tag }) => [_tag, message]
      })
    ),
    events: events.map((event) =>
      event._tag === "AttemptEnded"
        ? { ...event, attempt: { ...event.attempt, cause: undefined, span: undefined } }
        : event._tag === "RunEnded"
          ? { ...event, span: undefined }
          : event._tag === "TierEnded"
            ? { ...event, last: { ...event.last, cause: undefined, span: undefined }, span: undefined }
            : event._tag === "BreakerChanged"
              ? { ...event, transition: { ...event.transition, at: undefined } }
              : event
    )
  }))
}

const hint = (millis: number): Act => ({ fail: Outcome.failure({ retryAfter: Duration.millis(millis) }) })

describe("Policy.compile", () => {
  const stories: ReadonlyArray<readonly [string, { readonly [tier: string]: ReadonlyArray<Act> }]> = [
    ["the first tier answers", { a: [{ ok: "a", after: "1 second" }] }],
    ["retries, then the next tier", { a: [retryable], b: [{ ok: "b" }] }],
    ["timeouts are retried, and the tier's timeout ends them", { a: ["hang"], b: ["hang"] }],
    ["no third tier", { a: [nextTier], b: [nextTier], c: [{ ok: "c" }] }],
    ["the deadline ends it", { a: ["hang"], b: [retryable, "hang"] }]
  ]

  for (const [title, acts] of stories) {
    it.effect(`runs as the same tiers composed by hand: ${title}`, () =>
      Effect.gen(function* () {
        const scripts = () =>
          Object.fromEntries(policy.tiers.map(({ name }) => [name, scripted(acts[name] ?? [nextTier])]))
        const breakers = yield* Effect.forEach(policy.tiers, ({ breaker, name }) =>
          CircuitBreaker.make({ ...breaker, key: `a/${name}` })
        )
        const [own, hands] = [scripts(), scripts()]
        const compiled = yield* Policy.compile(policy)
        for (let run = 0; run < 3; run++) {
          const byHand = yield* seen(composedByHand(hands, breakers))
          const fromPolicy = yield* seen(
            Fallback.fromPolicy(compiled, ({ name }) => own[name]!.effect, { classify })
          )
          assert.deepStrictEqual(fromPolicy, byHand)
        }
      })
    )
  }

  it.effect("a hint up to maxRetryAfter is waited for, a longer one opens the breaker", () =>
    Effect.gen(function* () {
      const compiled = yield* Policy.compile(policy)
      const a = scripted([hint(2_000), hint(2_001), { ok: "a" }])
      const run = Fallback.fromPolicy(
        compiled,
        (tier) => (tier.name === "a" ? a.effect : Effect.succeed("b")),
        { classify }
      )
      const { exit } = yield* timed(run)
      assert.deepStrictEqual(exit, Exit.succeed("b"))
      assert.deepStrictEqual(a.calls, [0, 2_000])
      assert.strictEqual((yield* compiled.tiers[0].breaker.state)._tag, "Open")
    })
  )

  it.effect("the breakers are the memory of all its runs, of whole answers and of streams", () =>
    Effect.gen(function* () {
      const single = Either.getOrThrow(
        Policy.decode({
          tiers: [{ name: "a", retry: { times: 0 }, breaker: { consecutive: 2, openFor: "5s" } }]
        })
      )
      const compiled = yield* Policy.compile(single, { name: "chat" })
      assert.strictEqual(compiled.tiers[0].breaker.key, "chat/a")
      assert.isTrue(yield* compiled.available)
      yield* Effect.exit(Fallback.fromPolicy(compiled, () => Effect.fail("down")))
      yield* Effect.exit(Stream.runDrain(FallbackStream.fromPolicy(compiled, () => Stream.fail("down"))))
      assert.isFalse(yield* compiled.available)
      const error = yield* Effect.flip(Fallback.fromPolicy(compiled, () => Effect.succeed("up")))
      assert.strictEqual(error.message, "the circuit of every tier is open")
      yield* TestClock.adjust("6 seconds")
      assert.isTrue(yield* compiled.available)
      const answer = yield* Stream.runCollect(
        FallbackStream.fromPolicy(compiled, () => Stream.make("u", "p"))
      )
      assert.deepStrictEqual(Chunk.toArray(answer), ["u", "p"])
    })
  )

  it.effect("an isolated breaker lets nothing through, one that only observes everything", () =>
    Effect.gen(function* () {
      const observed = Either.getOrThrow(
        Policy.decode({
          tiers: [{ name: "a", retry: { times: 0 }, breaker: { consecutive: 1, observeOnly: true } }]
        })
      )
      const [strict, lenient] = [yield* Policy.compile(policy), yield* Policy.compile(observed)]
      yield* Effect.scoped(
        Effect.gen(function* () {
          for (const { breaker } of strict.tiers) yield* breaker.isolate
          assert.isFalse(yield* strict.available)
        })
      )
      assert.isTrue(yield* strict.available)
      yield* Effect.exit(Fallback.fromPolicy(lenient, () => Effect.fail("down")))
      assert.isTrue(yield* lenient.available)
    })
  )

  it.effect("a stream is bounded to its commit point by firstToken, and judged with its tier", () =>
    Effect.gen(function* () {
      const compiled = yield* Policy.compile(policy)
      const judged: Array<string> = []
      const { effect, events } = recorded(
        timed(
          Stream.runCollect(
            FallbackStream.fromPolicy(
              compiled,
              ({ name }) =>
                name === "a" ? Stream.make("").pipe(Stream.concat(Stream.never)) : Stream.make(""),
              {
                isContent: (text) => text !== "",
                classify: (error, tier) => {
                  judged.push(`${tier.name} ${error._tag}`)
                  return Outcome.failure({ next: "nextTier" })
                }
              }
            )
          )
        )
      )
      const { elapsed } = yield* effect
      // Three attempts of two seconds, and waits of one and of two.
      assert.strictEqual(elapsed, 9_000)
      assert.deepStrictEqual([...new Set(judged)], ["b EmptyStream"])
      assert.deepStrictEqual(
        events.flatMap((event) => (event._tag === "AttemptEnded" ? [event.attempt.outcome] : [])),
        ["timeout", "timeout", "timeout", "failure"]
      )
    })
  )

  it.effect("names, labels, spans, breakers and budgets of the tiers are asked for once", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const ask =
        <A>(what: string, answer: (tier: Policy.TierPolicy) => A) =>
        (tier: Policy.TierPolicy) => {
          asked.push(`${what} ${tier.name}`)
          return answer(tier)
        }
      const shared = yield* CircuitBreaker.make({ key: "shared" })
      const compiled = yield* Policy.compile(policy, {
        name: "chat",
        labels: ask("labels", ({ name }) => ({ model: `model of ${name}` })),
        span: ask("span", ({ name }) => ({ name: `span of ${name}`, attributes: { first: name === "a" } })),
        breaker: ask("breaker", ({ name }) => (name === "c" ? undefined : shared))
      })
      assert.strictEqual(asked.length, 9)
      const [a, b, c] = compiled.tiers.map(({ breaker }) => breaker)
      assert.isTrue(a === shared && b === shared && c !== shared)

      const { effect, events } = recorded(
        Fallback.fromPolicy(
          compiled,
          ({ name }) => (name === "a" ? Effect.fail("down") : Effect.succeed("b")),
          { classify: () => Outcome.failure({ next: "nextTier" }) }
        )
      )
      yield* Effect.withSpan(effect, "root")
      const attempts = events.flatMap(
        (event): ReadonlyArray<Attempt.Attempt<unknown>> =>
          event._tag === "AttemptEnded" ? [event.attempt] : []
      )
      assert.deepStrictEqual(
        attempts.map(({ labels }) => labels),
        [{ model: "model of a" }, { model: "model of b" }]
      )
      assert.isTrue(events.every(({ run }) => run === "chat"))
      assert.strictEqual(asked.length, 9)
    })
  )

  it.effect(
    "the effect of a tier is made when it is asked and not before, and a throw there is a defect",
    () =>
      Effect.gen(function* () {
        const compiled = yield* Policy.compile(policy)
        const made: Array<string> = []
        yield* Fallback.fromPolicy(compiled, ({ name }) => {
          made.push(name)
          return Effect.succeed(name)
        })
        assert.deepStrictEqual(made, ["a"])
        const exit = yield* Effect.exit(
          Fallback.fromPolicy(compiled, (): Effect.Effect<string> => {
            throw new Error("bug")
          })
        )
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
        const torn = yield* Effect.exit(
          Stream.runDrain(
            FallbackStream.fromPolicy(compiled, (): Stream.Stream<string> => {
              throw new Error("bug")
            })
          )
        )
        assert.isTrue(Exit.isFailure(torn) && Cause.isDie(torn.cause))
      })
  )

  it.effect("it can be composed further, and keeps its own bounds", () =>
    Effect.gen(function* () {
      const compiled = yield* Policy.compile({
        ...policy,
        tiers: [{ ...policy.tiers[0], retryTimeouts: false }, policy.tiers[1]!]
      })
      const last = Tier.make({ name: "last", effect: Effect.succeed("last") })
      const run = Fallback.fromPolicy(compiled, () => Effect.never).pipe(Fallback.orElse(last))
      const { elapsed, exit } = yield* timed(run)
      assert.deepStrictEqual([exit, elapsed], [Exit.succeed("last"), 8_000])
    })
  )

  it("a maxTiers written in code is checked as well", () => {
    const compile = (maxTiers: number) => Policy.compile({ ...policy, maxTiers })
    assert.strictEqual(Effect.runSync(compile(1)).policy.maxTiers, 1)
    for (const maxTiers of [0, 1.5, Number.NaN]) {
      assert.throws(() => compile(maxTiers), `maxTiers must be an integer of 1 or more, got ${maxTiers}`)
    }
  })
})
