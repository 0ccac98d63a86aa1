import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundle } from "../../../scripts/lib/bundle.mjs"
import { commandsPage } from "../../../scripts/lib/commandsPage.mjs"
import { eventually } from "../../../test/support/eventually.ts"
import { chat } from "../../../test/support/gateway.ts"
import { command, fileOf } from "../../../test/support/program.ts"
import { silence, wall } from "../../../test/support/wall.ts"
import { commands } from "../src/internal/command/commands.ts"

describe("the guide to the commands", () => {
  it("is what the commands say", () => {
    const kept = readFileSync(join(import.meta.dirname, "../../../docs/commands.md"), "utf8")
    assert.strictEqual(kept, commandsPage(commands), "write it anew: npm run commands")
  })

  it.live(
    "says when a command ends with 1, and with how many lines on stderr",
    () =>
      Effect.gen(function* () {
        const broken = fileOf("providers: {}")
        const failing: Readonly<Record<string, ReadonlyArray<string>>> = {
          serve: [broken],
          check: [broken],
          probe: [
            fileOf(
              "{ providers: { p: { kind: openai, baseUrl: 'http://127.0.0.1:9' } }, routes: { r: { tiers: [ { name: t, provider: p, model: m } ] } } }"
            )
          ],
          simulate: ["--outage", broken],
          replay: [broken],
          rules: [broken],
          report: ["no.log"],
          schema: [broken],
          completion: ["csh"]
        }
        assert.hasAllKeys(
          failing,
          commands.map(({ name }) => name)
        )
        for (const [name, args] of Object.entries(failing)) {
          const { code, stderr } = yield* command([name, ...args])
          assert.strictEqual(code, 1, name)
          assert.match(stderr, /^understudy: .*\n$/, name)
        }
        for (const args of [["check"], ["rules"], ["help", "serve"], ["--version"]]) {
          const { code, stderr } = yield* command(args)
          assert.deepStrictEqual([code, stderr], [0, ""], args.join(" "))
        }
      }),
    // A dozen processes, and the bundle where there is none.
    60_000
  )

  it.scopedLive("says what a signal does to one that is not done", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(silence)
      const file = fileOf(chat([only.url]))
      const child = spawn(process.execPath, [yield* Effect.promise(bundle), "probe", file])
      let stderr = ""
      child.stderr.on("data", (chunk) => {
        stderr += chunk
      })
      const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
      yield* eventually(() => only.received.length === 1)
      child.kill("SIGTERM")
      assert.strictEqual(yield* Effect.promise(() => ended), 1)
      assert.strictEqual(stderr, "understudy: stopped by SIGTERM before it was done\n")
    })
  )
})
