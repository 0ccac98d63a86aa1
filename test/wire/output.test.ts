import { existsSync, openSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat } from "../support/gateway.ts"
import { freePort } from "../support/ports.ts"
import { fileOf, program, started } from "../support/program.ts"
import { wall } from "../support/wall.ts"
import { two } from "../support/workers.ts"

const timeout = 60_000
const complaint = (code: string) => new RegExp(`^understudy: the log cannot be written \\(${code}\\); .+\\n$`)

/** A disk without room, which only Linux has. */
const full = "/dev/full"

describe("a gateway whose log cannot be written", () => {
  for (const [name, args] of [
    ["where its reader has gone", []],
    ["with workers", two]
  ] as const) {
    it.scopedLive(
      `${name} serves on, and says so once`,
      () =>
        Effect.gen(function* () {
          const only = yield* wall
          const { complaints, deafen, stop, url } = yield* program(chat([only.url]), {}, args)
          deafen()
          const statuses = Effect.map(Effect.replicateEffect(ask(url), 4), (answers) =>
            answers.map(({ status }) => status)
          )
          assert.deepStrictEqual(yield* statuses, [200, 200, 200, 200])
          yield* eventually(() => complaints().endsWith("\n"))
          assert.deepStrictEqual(yield* statuses, [200, 200, 200, 200])
          assert.strictEqual(yield* Effect.promise(() => stop()), 0)
          assert.match(complaints(), complaint("EPIPE"))
        }),
      timeout
    )
  }

  it.scopedLive.skipIf(!existsSync(full))(
    "where the disk is full, from its first line on, does so too",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const port = yield* freePort
        const args = ["serve", fileOf(chat([only.url])), "--port", `${port}`, "--log", "json"]
        const { ended, signal } = yield* started(args, {}, openSync(full, "w"))
        const url = `http://127.0.0.1:${port}`
        yield* Effect.repeat(get(url, "/health/live"), { until: ({ status }) => status === 200 })
        assert.strictEqual((yield* ask(url)).status, 200)
        signal("SIGTERM")
        const { code, stderr } = yield* ended
        assert.strictEqual(code, 0)
        assert.match(stderr, complaint("ENOSPC"))
      }),
    timeout
  )
})

describe("a command whose output cannot be written", () => {
  it.scopedLive(
    "where its reader has gone ends without a word",
    () =>
      Effect.gen(function* () {
        const { deafen, ended } = yield* started(["schema"])
        deafen()
        assert.deepStrictEqual(yield* ended, { code: 141, stdout: "", stderr: "" })
      }),
    timeout
  )

  it.scopedLive.skipIf(!existsSync(full))(
    "where the disk is full exits with 1, and says so in one line",
    () =>
      Effect.gen(function* () {
        const { ended } = yield* started(["schema"], {}, openSync(full, "w"))
        const { code, stderr } = yield* ended
        assert.strictEqual(code, 1)
        assert.match(stderr, /^understudy: cannot write what it prints \(ENOSPC\); .+\n$/)
      }),
    timeout
  )
})
