import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import { Config } from "../src/index.ts"
import { report } from "../src/internal/check/report.ts"
import { sandboxPolicy } from "../src/internal/file/sandboxPolicy.ts"

const sourceOf = (text: string) => ({
  name: "understudy.yaml",
  config: Either.getOrThrow(Config.parse(text, "understudy.yaml", {}))
})

const risky = sourceOf(`
providers:
  one: { kind: sandbox }
routes:
  chat:
    deadline: 30s
    tiers:
      - { name: primary, provider: one, model: a, timeout: 20s, firstToken: 8s }
      - { name: standby, provider: one, model: b, timeout: 20s, firstToken: 8s }
      - { name: baseline, provider: one, model: c, timeout: 8s }
`)

describe("understudy check", () => {
  it("finds nothing in the policy that comes with it", () => {
    assert.notMatch(report(sourceOf(sandboxPolicy), false), /warning|error/)
  })

  it("prints the bounds of each tier, when it is come to, and what one request can become", () => {
    const lines = report(risky, false).split("\n")
    const cells = (tier: string) =>
      lines
        .find((line) => line.startsWith(`  ${tier} `) && /\d/.test(line))
        ?.trim()
        .split(/ {2,}/)
    assert.deepStrictEqual(cells("primary"), ["primary", "3", "20s", "at once"])
    assert.deepStrictEqual(cells("standby"), ["standby", "3", "20s", "at once to 20s", "after 20s"])
    assert.deepStrictEqual(cells("baseline"), ["baseline", "3", "8s", "at once to 30s", "never"])
    assert.deepStrictEqual(cells("in all"), ["in all", "9", "30s"])
    assert.match(lines.join("\n"), /at most 9 upstream calls, 27 where/)
  })

  it("says of each finding where it is and what to do", () => {
    const found = report(risky, false)
      .split("\n")
      .filter((line) => line.includes("warning"))
    assert.strictEqual(found.length, 1)
    assert.match(found[0] ?? "", /^ {2}warning baseline: .+; lengthen deadline or .+ \(unreachable-tier\)$/)
  })

  it("says the same as JSON", () => {
    const { chat } = JSON.parse(report(risky, true))
    assert.strictEqual(chat.policy.tiers[0].timeout, "20s")
    assert.deepStrictEqual(
      [chat.bounds.answer, chat.bounds.stream].map(({ attempts, duration, tiers }) => [
        attempts,
        duration,
        tiers[2].hanging,
        tiers[2].latest
      ]),
      [
        [9, "30s", null, "30s"],
        [9, "30s", "16s", "30s"]
      ]
    )
    assert.deepStrictEqual(
      chat.findings.map(({ rule, tier }: { rule: string; tier: string }) => [rule, tier]),
      [["unreachable-tier", "baseline"]]
    )
  })
})
