import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import type { Simulation } from "@understudy/core/testing"
import { Effect } from "effect"
import { Cli } from "../../src/index.ts"

const policy = `
providers:
  openai: { kind: openai, baseUrl: "https://api.example.com/v1" }
  azure: { kind: azure, baseUrl: "https://x.example.com", apiVersion: "2024-10-21" }
routes:
  chat:
    tiers:
      - { name: primary, provider: openai, model: large, breaker: { consecutive: 3, openFor: 10s } }
      - { name: cheap, provider: openai, model: small }
      - { name: standby, provider: azure, model: large-eu }
  other:
    tiers: [{ name: only, provider: azure, model: large-eu }]
`

/** A folder with a policy and a script, and what commands in it print. */
const folder = (script: string) =>
  Effect.gen(function* () {
    const dir = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "understudy-"))),
      (dir) => Effect.sync(() => rmSync(dir, { recursive: true }))
    )
    const path = (name: string) => join(dir, name)
    writeFileSync(path("policy.yaml"), policy)
    writeFileSync(path("outage.yaml"), script)
    /** What a command line prints that names these files, or why it does not. */
    const run = (...args: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        const lines: Array<string> = []
        const terminal = { env: {}, isTty: false, print: (line: string) => void lines.push(line) }
        return Effect.match(Cli.run(args, terminal), {
          onFailure: ({ message }) => message.replaceAll(`${dir}/`, ""),
          onSuccess: () => lines.join("\n").replaceAll(`${dir}/`, "")
        })
      })
    const simulate = (...flags: ReadonlyArray<string>) =>
      run("simulate", path("policy.yaml"), "--outage", path("outage.yaml"), ...flags)
    const report = (...flags: ReadonlyArray<string>) =>
      Effect.map(simulate("--json", ...flags), (text): Simulation.Report => JSON.parse(text))
    return { path, report, run, simulate }
  })

const steady = "load: { rate: 1, arrivals: even }"

describe("understudy simulate", () => {
  it.scopedLive.each([
    ["evnts: []", "outage.yaml:1:1 evnts: unknown key", 'did you mean "events"?'],
    ["for: 10m\nload: { rate: fast }", "outage.yaml:2:15 load.rate: cannot use", "a number above 0"],
    [
      "upstreams:\n  opnai: {}",
      'outage.yaml:2:3 upstreams.opnai: unknown tier or provider "opnai"',
      '"openai"'
    ],
    [
      "events:\n  - { at: 1m, of: eu, slower: 2 }",
      'outage.yaml:2:19 events[0].of: unknown tier or provider "eu"',
      "primary"
    ],
    [
      "groups: { eu: [azzure] }",
      'outage.yaml:1:16 groups.eu[0]: unknown tier or provider "azzure"',
      '"azure"'
    ],
    ["events:\n  - { at: 1m }", "outage.yaml:2:5 events[0]: an event that changes nothing", "failures"],
    [
      "upstreams:\n  openai: { failures: { 5O3: 1 } }",
      "outage.yaml:2:25 upstreams.openai.failures.5O3: unknown key",
      '"503"'
    ],
    [
      "upstreams:\n  openai: { latency: quick }",
      "outage.yaml:2:22 upstreams.openai.latency: cannot use",
      "800ms"
    ],
    [
      "upstreams:\n  openai: { calls: [hangs] }",
      'outage.yaml:2:21 upstreams.openai.calls[0]: unknown turn "hangs"',
      '"hang"'
    ],
    [
      "upstreams:\n  openai: { latency: { p50: 1s } }",
      "outage.yaml:2:22 upstreams.openai.latency: a distribution of one",
      "p95"
    ]
  ] as const)("of %j says where it is wrong and what to do", ([script, place, remedy]) =>
    Effect.gen(function* () {
      const { simulate } = yield* folder(script)
      const message = yield* simulate()
      assert.include(message, place)
      assert.include(message, remedy)
      assert.strictEqual(message.split("\n").length, 1)
    })
  )

  it.scopedLive("refuses what it does not know, and a load that is none", () =>
    Effect.gen(function* () {
      const { path, simulate } = yield* folder(steady)
      assert.strictEqual(
        yield* simulate("--route", "chatt"),
        'no route "chatt" in policy.yaml; did you mean "chat"?'
      )
      assert.include(yield* simulate("--seed", "x"), "--seed takes an integer")
      assert.include(yield* simulate("--load", path("none.yaml")), "none.yaml: no such file; check the path")
      assert.include(yield* simulate("--svg", path("no/where.svg")), "cannot write")
    })
  )

  it.scopedLive("judges failures as the gateway does, and by credential", () =>
    Effect.gen(function* () {
      const { report } = yield* folder(`
for: 60s
${steady}
events: [{ at: 0s, for: 20s, of: openai, failures: { 401: 1 } }]
`)
      const { breakers, tiers } = yield* report()
      // A 401 is one of all tiers of its provider: the first, and that of the probe.
      assert.deepStrictEqual(tiers[0]?.errors, { auth: 2 })
      assert.deepStrictEqual(
        tiers.map(({ attempts }) => attempts > 0),
        [true, false, true]
      )
      assert.deepStrictEqual([...new Set(breakers.map(({ tier }) => tier))].sort(), ["cheap", "primary"])
    })
  )

  it.scopedLive("gives the same bytes for a seed, in all it writes, and others for another", () =>
    Effect.gen(function* () {
      const { path, simulate } = yield* folder("for: 2m\nupstreams: { openai: { failures: { 503: 0.3 } } }")
      const written = (...flags: ReadonlyArray<string>) =>
        Effect.map(simulate("--html", path("a.html"), "--svg", path("a.svg"), ...flags), (text) => [
          text,
          readFileSync(path("a.html"), "utf8"),
          readFileSync(path("a.svg"), "utf8")
        ])
      const first = yield* written("--seed", "7")
      assert.deepStrictEqual(yield* written("--seed", "7"), first)
      const other = yield* written("--seed", "8")
      assert.isTrue(other.every((text, index) => text !== first[index]))
    })
  )

  it.scopedLive("draws what happened, and nothing that could be markup is", () =>
    Effect.gen(function* () {
      const { path, simulate } = yield* folder(`
for: 2m
${steady}
events: [{ at: 30s, for: 30s, of: primary, failures: { 503: 1 } }]
`)
      const text = yield* simulate("--svg", path("a&b.svg"))
      assert.match(text, /primary +\d+ +[\d.]+ % +\d+ +\d+ overloaded/)
      const svg = readFileSync(path("a&b.svg"), "utf8")
      for (const said of ["503 100 %: primary, 30s to 1m", "answers a second"]) {
        assert.include(svg, said)
      }
      assert.match(svg, /primary open, 3\ds to/)
      assert.notMatch(svg, /undefined|NaN|Infinity/)
    })
  )

  it.scopedLive("takes another load, another route, and a bad half hour where no outage is given", () =>
    Effect.gen(function* () {
      const { path, report } = yield* folder(steady)
      assert.deepStrictEqual(
        (yield* report("--route", "other", "--load", "3")).tiers.map(({ tier }) => tier),
        ["only"]
      )
      writeFileSync(path("load.yaml"), "rate: 2\narrivals: even\n")
      assert.strictEqual((yield* report("--load", path("load.yaml"))).requests, 1_200)
    })
  )

  it.scopedLive("compares files, which need not be of the same tiers", () =>
    Effect.gen(function* () {
      const { path, run } = yield* folder(
        `for: 1m\n${steady}\nevents: [{ at: 0s, of: large, failures: { hang: 1 } }]`
      )
      writeFileSync(path("quick.yaml"), policy.replace("model: large,", "model: large, timeout: 2s,"))
      const args = ["simulate", path("policy.yaml"), path("quick.yaml"), "--outage", path("outage.yaml")]
      const rows = (yield* run(...args)).split("\n").slice(-2)
      assert.match(rows[0] ?? "", /^policy.yaml +100 % +0 +100 % .+ 31 s +[\d.]+$/)
      assert.match(rows[1] ?? "", /^quick.yaml +100 % +0 +100 % .+ 3 s +[\d.]+$/)
      assert.include(yield* run(...args, "--svg", path("a.svg")), "draw one file at a time")
    })
  )

  it.scopedLive("sweeps a parameter, and draws the curve", () =>
    Effect.gen(function* () {
      const { path, simulate } = yield* folder(
        `for: 10s\n${steady}\nupstreams: { openai: { calls: [hang] } }`
      )
      const sweep = (what: string) => simulate("--sweep", what, "--svg", path("a.svg"))
      const text = yield* sweep("routes.chat.tiers.primary.timeout=2s..12s")
      const longest = text
        .split("\n")
        .slice(3)
        .map((row) => row.trim().split(/ {2,}/)[7])
      assert.deepStrictEqual([longest[0], longest[10]], ["33 s", "43 s"])
      assert.include(readFileSync(path("a.svg"), "utf8"), ">12s</text>")
      assert.include(
        yield* sweep("routes.chat.tires.0.timeout=1s..2s"),
        "there is no routes.chat.tires.0.timeout"
      )
      assert.include(yield* sweep("routes.chat.tiers.0.timout=1s..2s"), 'did you mean "timeout"?')
    })
  )

  it.scopedLive("replays the gateway's own log", () =>
    Effect.gen(function* () {
      const { path, run } = yield* folder(steady)
      const line = { timestamp: "2026-01-01T00:00:09Z", message: "run", route: "chat", latency_ms: 900 }
      writeFileSync(path("log"), JSON.stringify(line))
      assert.strictEqual(
        yield* run("replay", path("log")),
        "# Of log: 1 run, 0 attempts.\nfor: 1m\nload: { rate: 0.0167 }\nevents: []"
      )
      assert.include(
        yield* run("replay", path("log"), "--route", "x"),
        'log has no run of "x"; give the lines'
      )
      assert.include(yield* run("replay"), "replay takes the file of a log")
    })
  )
})
