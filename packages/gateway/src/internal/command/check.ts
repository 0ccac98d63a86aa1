import * as Effect from "effect/Effect"
import { command, load, single } from "./command.ts"

export const check = command({
  name: "check",
  files: "[FILE]",
  summary: "validate the file and print its policies with all defaults",
  details: `Mistakes are reported as file:line:column key: reason; remedy.
Settings that do not have their apparent effect are printed with their policy, each with a remedy.`,
  fails: "the file cannot be used",
  flags: { json: { type: "boolean", about: "print JSON" } },
  run: ({ files, values }, terminal) =>
    Effect.gen(function* () {
      const source = yield* load(yield* single(files), terminal)
      const { report } = yield* Effect.promise(() => import("./later.ts"))
      terminal.print(report(source, values.json))
    })
})
