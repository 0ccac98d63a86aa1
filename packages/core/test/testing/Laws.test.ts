import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck, Schema } from "effect"
import { Fallback, Policy, Tier } from "../../src/index.ts"
import { Arbitraries, Laws, Script, Simulation } from "../../src/testing/index.ts"

const policyOf = (policy: Policy.PolicyFile): Simulation.Subject =>
  Simulation.policy(Either.getOrThrow(Policy.decode(policy)))

/** Why a law does not hold. */
const broken = (subject: Simulation.Subject, law: Laws.Law, numRuns = 200): string => {
  try {
    Laws.assert(subject, law, { numRuns, seed: 5 })
  } catch (error) {
    return String(error)
  }
  return "it holds"
}

const three = (timeout: string, deadline: string): Policy.PolicyFile => ({
  deadline,
  tiers: [{ name: "primary", timeout }, { name: "standby", timeout }, { name: "baseline" }]
})

describe("laws", () => {
  it("hold of a policy that keeps them", () => {
    const subject = policyOf(three("8s", "20s"))
    for (const law of [
      Laws.neverLongerThan("20 seconds"),
      Laws.neverMoreCallsThan(9),
      Laws.reaches("baseline"),
      Laws.reaches("standby"),
      Laws.reaches("primary", { dead: ["baseline"] })
    ]) {
      assert.strictEqual(broken(subject, law, 60), "it holds", law.name)
    }
  })

  it("a name that no tier has is refused", () => {
    for (const law of [
      Laws.reaches("basline"),
      Laws.reaches("primary", { dead: ["basline"] }),
      Laws.backOn("basline", { within: "1 minute" })
    ]) {
      assert.include(
        broken(policyOf(three("8s", "20s")), law),
        'the script names "basline", and no tier has that name'
      )
    }
  })

  it("find the deadline that is too short for the last tier, and the smallest outage that shows it", () => {
    const message = broken(policyOf(three("15s", "20s")), Laws.reaches("baseline"))
    assert.match(message, /^Error: baseline is reached when those above it are dead: a request failed$/m)
    assert.include(message, "primary: { latency: 100ms, failures: { hang: 1 } }")
    assert.include(message, "standby: { latency: 100ms, failures: { hang: 1 } }")
  })

  it("find who waits longer, and who asks too often", () => {
    const subject = policyOf({
      deadline: "40s",
      tiers: [{ name: "primary", timeout: "30s" }, { name: "standby" }]
    })
    assert.match(broken(subject, Laws.neverLongerThan("25 seconds")), /a request took (2[5-9]|3\d|40)/)
    assert.match(broken(subject, Laws.neverMoreCallsThan(5)), /a request became 6 calls/)
  })

  it("find a breaker that does not look for a recovery", () => {
    const subject = policyOf({
      tiers: [
        { name: "primary", retry: { times: 0 }, breaker: { openFor: "2m", maxOpenFor: "1h" } },
        { name: "standby" }
      ]
    })
    const message = broken(subject, Laws.backOn("primary", { within: "30 seconds" }), 20)
    assert.match(message, /a request 3\ds after it was served by standby/)
    // The smallest: one minute, and no flapping.
    assert.match(message, /- { at: 10s, for: 1m, of: \[primary\], failures: { overloaded: 1 } }/)
  })

  it("find what nothing ends", () => {
    const subject = {
      make: ({ call }: Simulation.World) => Effect.succeed(Tier.make({ name: "only", effect: call("only") }))
    }
    assert.include(broken(subject, Laws.neverLongerThan("1 hour")), "a request never ended")
  })

  it("are said again by the seed and the path of their error, and by the script that it prints", () => {
    const subject = policyOf(three("15s", "20s"))
    const law = Laws.reaches("baseline")
    const message = broken(subject, law)
    const [, seed, path] = /{ seed: (-?\d+), path: "(.+)" }/.exec(message) ?? []
    assert.throws(
      () => Laws.assert(subject, law, { numRuns: 200, seed: Number(seed), path: path ?? "" }),
      "a request failed"
    )
  })

  it("are properties of plain FastCheck too, of a law of one's own", () => {
    const law: Laws.Law = {
      name: "nobody is served by the standby",
      scripts: Arbitraries.outage,
      broken: ({ servedBy }) => (servedBy === "standby" ? "somebody is" : undefined)
    }
    const both = (call: Simulation.World["call"]) =>
      Tier.make({ name: "primary", effect: call("primary"), attemptTimeout: "5 seconds" }).pipe(
        Fallback.orElse(Tier.make({ name: "standby", effect: call("standby") }))
      )
    const subject: Simulation.Subject = { make: ({ call }) => Effect.succeed(both(call)) }
    const details = FastCheck.check(Laws.property(subject, law), { numRuns: 50, seed: 1 })
    assert.isTrue(details.failed)
    assert.strictEqual(details.counterexample?.[0].events?.length, 1)
  })
})

describe("arbitraries", () => {
  it("make scripts that can be read, as they are and as they are printed", () => {
    const decode = Schema.decodeUnknownSync(Script.Script)
    for (const arbitrary of [Arbitraries.calls, Arbitraries.outage]) {
      for (const script of FastCheck.sample(arbitrary(["primary", "on/off: 1"]), { numRuns: 100, seed: 3 })) {
        decode(script)
        assert.notInclude(Script.render(script), "[object")
      }
    }
  })
})
