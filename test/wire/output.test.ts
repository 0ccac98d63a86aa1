import { openSync } from "node:fs"
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

/** As good as a disk without room, which not every system has: nothing can be written to it. */
const unwritable = () => openSync(import.meta.filename, "r")

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

  it.scopedLive(
    "where not even its first line can be, does so too",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const port = yield* freePort
        const args = ["serve", fileOf(chat([only.url])), "--port", `${port}`, "--log", "json"]
        const { ended, signal } = yield* started(args, {}, unwritable())
        const url = `http://127.0.0.1:${port}`
        yield* Effect.repeat(get(url, "/health/live"), { until: ({ status }) => status === 200 })
        assert.strictEqual((yield* ask(url)).status, 200)
        signal("SIGTERM")
        const { code, stderr } = yield* ended
        assert.strictEqual(code, 0)
        assert.match(stderr, complaint("EBADF"))
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

  it.scopedLive(
    "where nothing can be written exits with 1, and says so in one line",
    () =>
      Effect.gen(function* () {
        const { ended } = yield* started(["schema"], {}, unwritable())
        const { code, stderr } = yield* ended
        assert.strictEqual(code, 1)
        assert.match(stderr, /^understudy: cannot write what it prints \(EBADF\); .+\n$/)
      }),
    timeout
  )
})
