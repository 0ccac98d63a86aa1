import { spawnSync } from "node:child_process"
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import type { StatusPage } from "@understudy/gateway"
import { Effect } from "effect"
import { bundle } from "../../scripts/lib/bundle.mjs"
import { ask, call, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { command } from "../support/program.ts"
import { answer, fails, silence, wall } from "../support/wall.ts"

const dir = mkdtempSync(join(tmpdir(), "understudy-report-"))
const sample = join(import.meta.dirname, "../../docs/sample.log")

/** A file with this in it. */
const file = (name: string, content: string | Buffer): string => {
  writeFileSync(join(dir, name), content)
  return join(dir, name)
}

/** What `report` prints, which ends well. */
const reported = (...args: ReadonlyArray<string>) =>
  Effect.map(command(["report", ...args]), ({ code, stderr, stdout }) => {
    assert.deepStrictEqual([code, stderr], [0, ""])
    return stdout
  })

describe("understudy report", () => {
  it.scopedLive("finds in the log what the gateway says of itself", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const { log, url } = yield* gateway(
        chat([first.url, second.url], {
          tier: "retry: { times: 1, base: 1ms, max: 1ms }, breaker: { consecutive: 4, openFor: 1m }"
        })
      )
      const ended = (runs: number) =>
        eventually(() => log.filter(({ message }) => message === "run").length === runs)
      first.script(answer(), fails(503), answer(), fails(400), silence)
      for (let run = 0; run < 3; run++) yield* ask(url)
      const { leave } = yield* call(url)
      yield* eventually(() => first.received.length === 5)
      leave()
      yield* ended(4)
      first.script(fails(503))
      for (let run = 0; run < 4; run++) yield* ask(url)
      yield* ended(8)
      const { routes }: StatusPage.Status = JSON.parse((yield* get(url, "/status")).text)
      const found = JSON.parse(
        yield* reported("--json", file("gateway.log", log.map((line) => JSON.stringify(line)).join("\n")))
      )
      const [route] = routes
      const tiers = ({ due, served, tier }: { due: number; served: number; tier: string }) => [
        tier,
        due,
        served
      ]
      assert.deepStrictEqual(found.tiers.map(tiers), route?.tiers.map(tiers))
      assert.deepInclude(found.routes[0], {
        runs: 8,
        rejected: 1,
        cancelled: 1,
        success_rate: route?.success_rate,
        fallbacks: route?.fallbacks,
        fallback_rate: route?.fallback_rate
      })
      assert.isAbove(found.tiers[0].refused, 0)
      assert.deepStrictEqual(
        found.breakers.map(({ opened, tier }: Record<string, unknown>) => [tier, opened]),
        [["tier1", 1]]
      )
    })
  )

  it.effect("reads files, packed ones and what is piped in, and says the same of the same", () =>
    Effect.gen(function* () {
      const text = readFileSync(sample)
      const expected = yield* reported(sample, "--html", join(dir, "one.html"))
      const half = text.indexOf("\n", text.length / 2) + 1
      const [a, b] = [text.subarray(0, half), text.subarray(half)]
      const packed = Buffer.concat([gzipSync(a), gzipSync(b)])
      assert.strictEqual(
        yield* reported(file("packed.gz", packed), "--html", join(dir, "two.html")),
        expected
      )
      assert.strictEqual(yield* reported(file("a.gz", gzipSync(a)), file("b.log", b)), expected)
      const main = yield* Effect.promise(() => bundle())
      for (const args of [[], ["-"]]) {
        const { stdout } = spawnSync(process.execPath, [main, "report", ...args], {
          input: packed,
          encoding: "utf8"
        })
        assert.strictEqual(stdout, expected)
      }
      const [one, two] = ["one.html", "two.html"].map((name) => readFileSync(join(dir, name), "utf8"))
      assert.strictEqual(one, two)
      assert.include(one, "<svg")
      assert.notMatch(one ?? "", /<script|(?:src|href)=|url\(|@import/)
    })
  )

  it.effect("refuses in one line what cannot be read, and where nothing can be written", () =>
    Effect.gen(function* () {
      const torn = file("torn.gz", gzipSync(readFileSync(sample)).subarray(0, 200))
      for (const [args, reason] of [
        [["nowhere.log"], "cannot read nowhere.log"],
        [[sample, dir], `cannot read ${dir}`],
        [[torn], `cannot read ${torn}`],
        [[sample, "--html", join(dir, "no/where.html")], `cannot write ${join(dir, "no/where.html")}`]
      ] as const) {
        const { code, stderr } = yield* command(["report", ...args])
        assert.strictEqual(code, 1)
        assert.match(stderr, /^understudy: [^\n]+; check [^\n]+\n$/)
        assert.include(stderr, reason)
      }
    })
  )

  it.effect(
    "takes the memory of a part, not of the whole",
    () =>
      Effect.gen(function* () {
        const lines = readFileSync(sample, "utf8").trimEnd().split("\n")
        const path = file("long.log", "")
        // Other requests each time, and one line that no memory should hold.
        for (let copy = 0; copy < 20; copy++) {
          const copies = Array.from({ length: 60 }, (_, index) =>
            lines.map((line) => line.replace(/"req_/, `"req_${copy}_${index}_`)).join("\n")
          )
          appendFileSync(path, `${copies.join("\n")}\n`)
        }
        appendFileSync(path, `{"message":"${"x".repeat(30_000_000)}"}\n`)
        const { code, stderr, stdout } = yield* command(["report", "--json", path], {
          NODE_OPTIONS: "--max-old-space-size=36"
        })
        assert.deepStrictEqual([code, stderr], [0, ""])
        const [once] = JSON.parse(yield* reported("--json", sample)).routes
        const { lines: counted, routes } = JSON.parse(stdout)
        assert.deepStrictEqual(counted, { ours: 1_200 * lines.length, synthetic: 0, foreign: 0, broken: 1 })
        assert.strictEqual(routes[0].runs, 1_200 * once.runs)
      }),
    60_000
  )

  it.effect("the guide shows what it prints", () =>
    Effect.gen(function* () {
      const guide = readFileSync(join(import.meta.dirname, "../../docs/report.md"), "utf8")
      const shown = /^```\n(\d{4}-[\s\S]*?)^```$/m.exec(guide)?.[1]
      assert.strictEqual(yield* reported(sample), shown)
    })
  )
})
