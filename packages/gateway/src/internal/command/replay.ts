import * as Effect from "effect/Effect"
import * as Config from "../../Config.ts"
import { many } from "../drawing/figures.ts"
import { command, UsageError } from "./command.ts"

export const replay = command({
  name: "replay",
  files: "LOG",
  summary: "turn a JSON log of serve into a script for simulate",
  fails: "the log cannot be read, or has no run of the route",
  flags: { route: { type: "string", value: "NAME", about: "default: the one in the log's first line" } },
  run: ({ files: [log, ...more], values }, terminal) =>
    Effect.gen(function* () {
      if (log === undefined) return yield* new UsageError({ reason: "replay takes the file of a log" })
      if (more.length > 0) return yield* new UsageError({ reason: `unexpected argument "${more[0]}"` })
      const { replay, Script } = yield* Effect.promise(() => import("./later.ts"))
      const recording = replay(yield* Config.textOf(log), values.route)
      if (recording === undefined) {
        const of = values.route === undefined ? "" : ` of "${values.route}"`
        return yield* new UsageError({
          reason: `${log} has no run${of}`,
          remedy: "give the lines that serve --log json prints"
        })
      }
      const { attempts, runs, script, skipped } = recording
      terminal.print(
        `# Of ${log}: ${many(runs, "run")}, ${many(attempts, "attempt")}${skipped === 0 ? "" : `; other lines: ${skipped}`}.\n${Script.render(script).trimEnd()}`
      )
    })
})
