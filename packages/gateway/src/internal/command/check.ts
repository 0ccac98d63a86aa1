import * as Policy from "@understudy/core/Policy"
import * as Effect from "effect/Effect"
import { command, FlawedError, load, single } from "./command.ts"

export const check = command({
  name: "check",
  files: "[FILE]",
  summary: "validate the file and print its policies with all defaults",
  details: `Of what is wrong with a file it says file:line:column key: reason; remedy.`,
  fails: "the file cannot be used, or says what can never work",
  flags: { json: { type: "boolean", about: "print JSON" } },
  run: ({ files, values }, terminal) =>
    Effect.gen(function* () {
      const source = yield* load(yield* single(files), terminal)
      const { report } = yield* Effect.promise(() => import("./later.ts"))
      terminal.print(report(source, values.json))
      const flaws = Object.values(source.config.routes)
        .flatMap((policy) => Policy.lint(policy))
        .filter(({ severity }) => severity === "error").length
      if (flaws > 0) return yield* new FlawedError({ file: source.name, flaws })
    })
})
