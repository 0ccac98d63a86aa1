import { assert, describe, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import { Fallback, Policy, Tier } from "../../src/index.ts"
import { Script, Simulation } from "../../src/testing/index.ts"

const policyOf = (policy: Policy.PolicyFile): Simulation.Subject =>
  Simulation.policy(Either.getOrThrow(Policy.decode(policy)))

const scriptOf = (script: Script.ScriptFile): Script.Script => Either.getOrThrow(Script.decode(script))

/** Requests at 0, 1, 2 … seconds. */
const everySecond = { rate: 1, arrivals: "even" } as const

const simulate = (
  policy: Policy.PolicyFile,
  script: Script.ScriptFile,
  options: Omit<Simulation.Options, "script"> = {}
): Simulation.Report & { readonly each: ReadonlyArray<Simulation.Request> } => {
  const each: Array<Simulation.Request> = []
  const onRequest = (request: Simulation.Request) => each.push(request)
  const report = Simulation.run(policyOf(policy), { script: scriptOf(script), onRequest, ...options })
  return { ...report, each }
}

const twoTiers = {
  tiers: [
    { name: "primary", retry: { times: 0 }, breaker: { consecutive: 3, openFor: "10s", jitter: 0 } },
    { name: "standby", retry: { times: 0 } }
  ]
} as const

describe("a simulation", () => {
  it("serves by the first tier, falls back in an outage, and is back when the breaker is", () => {
    const { breakers, each, tiers } = simulate(twoTiers, {
      for: "40s",
      load: everySecond,
      events: [{ at: "5s", for: "10s", of: "primary", failures: { connection: 1 } }]
    })
    const by = each.map(({ servedBy }) => (servedBy === "primary" ? "p" : "s")).join("")
    // Three failures, ten seconds of rest and one probe, which comes at the first request after them.
    assert.strictEqual(by, `${"p".repeat(5)}${"s".repeat(13)}${"p".repeat(22)}`)
    assert.deepStrictEqual(breakers, [
      { tier: "primary", state: "open", from: 7_050, until: 18_000 },
      { tier: "primary", state: "half-open", from: 18_000, until: 19_000 }
    ])
    assert.deepStrictEqual(
      tiers.map(({ attempts, errors, refusals, served }) => ({ attempts, errors, refusals, served })),
      [
        { attempts: 30, errors: { connection: 3 }, refusals: 10, served: 27 },
        { attempts: 13, errors: {}, refusals: 0, served: 13 }
      ]
    )
  })

  it("gives the same report for a seed, and another for another", () => {
    const script = {
      for: "1m",
      upstreams: {
        primary: { latency: { p50: "800ms", p95: "4s" }, failures: { overloaded: 0.2, hang: 0.01 } }
      }
    }
    const bytes = (seed: number) =>
      JSON.stringify(simulate({ tiers: [{ name: "primary" }] }, script, { seed }))
    assert.strictEqual(bytes(3), bytes(3))
    assert.notStrictEqual(bytes(3), bytes(4))
  })

  it("has a request meet under one policy what it meets under another", () => {
    const script = { for: "2m", upstreams: { primary: { failures: { server_error: 0.3 } } } }
    const served = (times: number) =>
      simulate(
        { tiers: [{ name: "primary", retry: { times, base: "1ms" }, breaker: { consecutive: 1000 } }] },
        script
      )
        .each.filter(({ ending }) => ending === "served")
        .map(({ at }) => at)
    const [without, withOne] = [served(0), served(1)]
    assert.isAbove(withOne.length, without.length)
    assert.isTrue(without.every((at) => withOne.includes(at)))
  })

  it("flaps: what comes back so often is down for so long each time", () => {
    const { each } = simulate(
      { tiers: [{ name: "primary", retry: { times: 0 }, breaker: { consecutive: 1000 } }] },
      {
        for: "50s",
        load: everySecond,
        events: [{ at: "10s", for: "25s", every: "10s", down: "3s", failures: { server_error: 1 } }]
      }
    )
    const failed = each.filter(({ ending }) => ending === "failed").map(({ at }) => at / 1_000)
    assert.deepStrictEqual(failed, [10, 11, 12, 20, 21, 22, 30, 31, 32])
  })

  it("knows who shares a fate: tiers by any of their names, and groups", () => {
    const subject = (also: (tier: Policy.TierPolicy) => ReadonlyArray<string>) =>
      Simulation.policy(Either.getOrThrow(Policy.decode(twoTiers)), { also })
    const script = scriptOf({
      for: "10s",
      load: everySecond,
      groups: { eu: ["azure", "mistral"] },
      events: [{ at: "0s", of: "eu", failures: { connection: 1 } }]
    })
    const one = Simulation.run(
      subject(({ name }) => (name === "primary" ? ["azure"] : ["mistral"])),
      { script }
    )
    assert.strictEqual(one.availability, 0)
    assert.throws(
      () =>
        Simulation.run(
          subject(({ name }) => (name === "primary" ? ["azure"] : [])),
          { script }
        ),
      'the script names "mistral", and no tier has that name'
    )
  })

  it("refuses what is beyond a limit until its time is over, and tells when that is", () => {
    const { each, tiers } = simulate(
      {
        tiers: [
          {
            name: "primary",
            retry: { times: 1, base: "0s", maxRetryAfter: "10s" },
            breaker: { consecutive: 1000 }
          }
        ]
      },
      {
        for: "20s",
        load: everySecond,
        upstreams: { primary: { latency: "10ms", limit: { calls: 5, per: "10s" } } }
      }
    )
    // The sixth to the tenth wait for the next ten seconds, and use them up.
    const asked = [...each].sort((one, other) => one.at - other.at)
    const waited = asked.slice(0, 10).map(({ at, endedAt }) => Math.round((endedAt - at) / 1000))
    assert.deepStrictEqual(waited, [0, 0, 0, 0, 0, 5, 4, 3, 2, 1])
    assert.isAbove(tiers[0]?.errors["rate_limited"] ?? 0, 5)
  })

  it("is slower the more there are, and breaks down where it refuses them", () => {
    const capacity = { calls: 10 }
    const slow = (rate: number, refuseAbove?: number) =>
      simulate(
        {
          deadline: "1h",
          tiers: [{ name: "primary", timeout: "1h", retry: { times: 0 }, breaker: { consecutive: 9999 } }]
        },
        {
          for: "1m",
          load: { rate, arrivals: "even" },
          upstreams: {
            primary: { capacity: refuseAbove === undefined ? capacity : { ...capacity, refuseAbove } }
          }
        }
      )
    assert.strictEqual(slow(8).latency?.max, 1_000)
    assert.isAbove(slow(20).latency?.max ?? 0, 2_000)
    assert.isAbove(slow(20, 12).tiers[0]?.errors["overloaded"] ?? 0, 100)
    assert.isAtMost(slow(20, 12).latency?.max ?? 0, 1_300)
  })

  it("lets callers leave, and does not count them as failures", () => {
    const { availability, each, endings } = simulate(twoTiers, {
      for: "10s",
      load: { ...everySecond, leave: { after: "3s" } },
      upstreams: { primary: { calls: ["ok", "hang"] } }
    })
    assert.deepStrictEqual(endings, { served: 5, failed: 0, left: 5, rejected: 0, unanswered: 0 })
    assert.strictEqual(availability, 1)
    assert.isTrue(each.every(({ at, endedAt, ending }) => ending === "served" || endedAt - at === 3_000))
    assert.isTrue(each.every(({ attempts }) => attempts === 1))
  })

  it("has the callers' client try again what the answer allows, and after its own timeout", () => {
    const client = { retries: 2, timeout: "2s" }
    const hung = simulate(
      { tiers: [{ name: "primary" }] },
      {
        for: "1s",
        load: { ...everySecond, client },
        upstreams: { primary: { calls: ["hang", "hang", "ok"] } }
      }
    ).each[0]
    assert.deepStrictEqual([hung?.ending, hung?.runs, hung?.attempts], ["served", 3, 3])
    const twice = { fails: "overloaded", retryAfter: "20s", times: 2 }
    const limited = simulate(
      { tiers: [{ name: "primary", breaker: { consecutive: 99, maxOpenFor: "1ms", openFor: "1ms" } }] },
      {
        for: "1s",
        load: { ...everySecond, client: { retries: 2 } },
        upstreams: { primary: { calls: [twice, "ok"] } }
      }
    ).each[0]
    assert.deepStrictEqual([limited?.ending, limited?.runs, limited?.endedAt], ["served", 3, 41_100])
    const failed = simulate(
      { tiers: [{ name: "primary", retry: { times: 0 } }] },
      { for: "1s", load: { ...everySecond, client }, upstreams: { primary: { calls: ["server_error"] } } }
    ).each[0]
    assert.deepStrictEqual([failed?.ending, failed?.runs], ["failed", 1])
  })

  it("tells a caller's mistake from a failure, and what would never end from both", () => {
    const { availability, endings } = simulate(twoTiers, {
      for: "4s",
      load: everySecond,
      upstreams: { primary: { calls: ["ok", "invalid_request"] } }
    })
    assert.deepStrictEqual([endings.rejected, endings.served, availability], [2, 2, 1])
    const endless = Simulation.run(
      { make: ({ call }) => Effect.succeed(Tier.make({ name: "only", effect: call("only") })) },
      { script: scriptOf({ for: "2s", load: everySecond, upstreams: { only: { calls: ["ok", "hang"] } } }) }
    )
    assert.deepStrictEqual(
      [endless.endings.unanswered, endless.endings.served, endless.availability],
      [1, 1, 0.5]
    )
  })

  it("pays for answers, and for those that nobody waits for any more", () => {
    const { cost } = simulate(
      { tiers: [{ name: "primary", attemptTimeout: "2s" }, { name: "standby" }] },
      {
        for: "3s",
        load: everySecond,
        upstreams: {
          primary: { calls: ["ok", { after: "9s" }, "auth"], price: 0.25 },
          standby: { price: 0.01 }
        }
      }
    )
    assert.strictEqual(cost, 0.52)
  })

  it("calls for help as the gateway would", () => {
    const { alerts } = simulate(
      { ...twoTiers, alert: { tier: "primary", over: "1m", atLeast: 10 } },
      {
        for: "10m",
        load: everySecond,
        events: [{ at: "2m", for: "2m", of: "primary", failures: { connection: 1 } }]
      }
    )
    assert.strictEqual(alerts.length, 1)
    assert.isAtLeast(alerts[0]?.from ?? 0, 120_000)
    assert.isAtMost(alerts[0]?.from ?? 0, 130_000)
    assert.isAbove(alerts[0]?.until ?? 0, 240_000)
  })

  it("tells a request where it came, in slices that add up", () => {
    const report = simulate(twoTiers, { for: "10m", load: { rate: 5 } }, { every: "1 minute" })
    assert.strictEqual(report.timeline.length, 10)
    assert.deepStrictEqual(
      report.timeline.map(({ at }) => at / 60_000),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    )
    assert.strictEqual(
      report.timeline.reduce((sum, { requests }) => sum + requests, 0),
      report.requests
    )
    assert.strictEqual(report.requests, report.each.length)
  })

  it("runs what is composed by hand", () => {
    const report = Simulation.run(
      {
        make: ({ call }) =>
          Effect.succeed(
            Tier.make({ name: "slow", effect: call("slow") }).pipe(
              Fallback.hedge(Tier.make({ name: "quick", effect: call("quick") }), { after: "500 millis" })
            )
          )
      },
      {
        script: scriptOf({
          for: "5s",
          load: everySecond,
          upstreams: { slow: { latency: "3s" }, quick: { latency: "200ms" } }
        })
      }
    )
    assert.deepStrictEqual(
      [report.latency?.max, report.tiers[1]?.served, report.attempts.perRequest],
      [700, 5, 2]
    )
  })

  it("lets others have their turn, and comes to the same", async () => {
    const script = scriptOf({ for: "10m", load: { rate: 8 } })
    const heard: Array<number> = []
    const report = await Effect.runPromise(
      Simulation.runEffect(policyOf(twoTiers), { script, onProgress: (share) => heard.push(share) })
    )
    assert.deepStrictEqual(report, Simulation.run(policyOf(twoTiers), { script }))
    assert.isAbove(heard.length, 2)
    assert.strictEqual(heard.at(-1), 1)
  })
})
