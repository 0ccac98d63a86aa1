import * as Effect from "effect/Effect"
import { report } from "../report.ts"
import { command, load, single } from "./command.ts"

export const check = command({
  name: "check",
  files: "[FILE]",
  summary: "validate the file and print its policies, defaults filled in",
  flags: { json: { type: "boolean", about: "print JSON" } },
  run: ({ files, values }, terminal) =>
    Effect.gen(function* () {
      const path = yield* single(files)
      terminal.print(report(yield* load(path, terminal), values.json))
    })
})
