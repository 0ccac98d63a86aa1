import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import type { Simulation } from "@understudy/core/testing"
import { Cli } from "@understudy/gateway"
import { Effect } from "effect"
import { ask } from "../support/caller.ts"
import { gateway } from "../support/gateway.ts"
import { answer, type Behaviour, fails, reset, silence, type Wall, wall } from "../support/wall.ts"

/** What the simulator says of a file under a script. */
const simulated = (policy: string, script: string): Effect.Effect<Simulation.Report> =>
  Effect.gen(function* () {
    const dir = mkdtempSync(join(tmpdir(), "understudy-"))
    const [policyFile, scriptFile] = [join(dir, "policy.yaml"), join(dir, "script.yaml")]
    writeFileSync(policyFile, policy)
    writeFileSync(scriptFile, script)
    const lines: Array<string> = []
    const terminal = { env: {}, isTty: false, print: (line: string) => void lines.push(line) }
    yield* Effect.orDie(Cli.run(["simulate", policyFile, "--outage", scriptFile, "--json"], terminal))
    rmSync(dir, { recursive: true })
    return JSON.parse(lines.join("\n"))
  })

/** What requests that come at these times were served by, of a gateway. */
const served = (url: string, count: number, every: number) =>
  Effect.gen(function* () {
    const answers = yield* Effect.forEach(
      Array.from({ length: count }, (_, index) => index),
      (index) => Effect.delay(ask(url), index * every),
      { concurrency: "unbounded" }
    )
    return answers.map(({ headers }) => headers["x-understudy-tier"] ?? "none")
  })

const tiersOf = (walls: ReadonlyArray<Wall>, tier: string): string =>
  [
    "providers:",
    ...walls.map(({ url }, index) => `  p${index}: { kind: openai, baseUrl: "${url}" }`),
    "routes:",
    "  chat:",
    "    deadline: 4s",
    "    tiers:",
    ...walls.map((_, index) => `      - { name: t${index}, provider: p${index}, model: m${index}, ${tier} }`)
  ].join("\n")

/** One turn of a script, and the same of a real upstream. */
const turns: Readonly<Record<string, Behaviour>> = {
  ok: answer(),
  "503": fails(503),
  "401": fails(401),
  "404": fails(404),
  "413": fails(413),
  connection: reset,
  hang: silence
}

describe("the simulator and a live gateway", () => {
  it.scopedLive(
    "agree request by request on who served it, where nothing is left to chance",
    () =>
      Effect.gen(function* () {
        const walls = yield* Effect.all([wall, wall, wall])
        // No request comes within 300 ms of the end of a breaker's time, whether it began at once or after a hang.
        const policy = tiersOf(
          walls,
          "timeout: 600ms, retry: { times: 1, base: 1ms, max: 1ms, jitter: none }, breaker: { consecutive: 3, openFor: 1.7s, jitter: 0 }"
        )
        const scripts = [
          [
            "ok",
            "503",
            "ok",
            "503",
            "503",
            "503",
            "hang",
            "503",
            "ok",
            "connection",
            "ok",
            "401",
            "ok",
            "413",
            "ok"
          ],
          ["503", "503", "ok", "hang", "ok", "404", "ok", "503", "ok"],
          ["ok", "connection", "ok", "ok", "503", "503", "ok"]
        ]
        // Longer than what is asked of any of them.
        const long = scripts.map((words) => [...words, ...words, ...words, ...words])
        walls.forEach(({ script }, index) => {
          script(...long[index]!.map((word) => turns[word]!))
        })
        const upstreams = long.map(
          (words, index) => `  t${index}: { latency: 1ms, calls: [${turnsText(words)}] }`
        )
        const script = `for: 18s\nload: { rate: 1, arrivals: even }\nupstreams:\n${upstreams.join("\n")}`
        const { url } = yield* gateway(policy)
        const live = yield* served(url, 18, 1_000)
        const { tiers } = yield* simulated(policy, script)
        assert.deepStrictEqual(
          tiers.map(({ attempts, served }) => ({ attempts, served })),
          walls.map(({ received }, index) => ({
            attempts: received.length,
            served: live.filter((tier) => tier === `t${index}`).length
          }))
        )
        assert.isTrue(tiers.every(({ served }) => served > 0))
      }),
    60_000
  )

  it.scopedLive(
    "agree on shares where chance decides, within five standard deviations",
    () =>
      Effect.gen(function* () {
        const walls = yield* Effect.all([wall, wall])
        const policy = tiersOf(
          walls,
          "retry: { times: 1, base: 1ms, max: 1ms }, breaker: { consecutive: 100 }"
        )
        // A generator of its own, that knows nothing of the simulator's.
        let state = 12_345
        const chance = () => {
          state = (state * 1_103_515_245 + 12_345) % 2 ** 31
          return state / 2 ** 31
        }
        walls[0]?.script((response, request) => (chance() < 0.4 ? fails(503) : answer())(response, request))
        const requests = 400
        const { url } = yield* gateway(policy)
        const live = yield* served(url, requests, 10)
        const script =
          "for: 400s\nload: { rate: 1, arrivals: even }\nupstreams: { t0: { failures: { 503: 0.4 } } }"
        const { endings, tiers } = yield* simulated(policy, script)
        assert.strictEqual(endings.served, requests)
        const share = 1 - 0.4 ** 2
        const tolerance = 5 * Math.sqrt(share * (1 - share) * requests)
        for (const count of [live.filter((tier) => tier === "t0").length, tiers[0]?.served ?? 0]) {
          assert.approximately(count, share * requests, tolerance)
        }
        assert.isFalse(live.includes("none"))
      }),
    60_000
  )
})

const turnsText = (words: ReadonlyArray<string>): string =>
  words.map((word) => (word === "ok" || word === "hang" ? word : `{ fails: ${word}, after: 1ms }`)).join(", ")
