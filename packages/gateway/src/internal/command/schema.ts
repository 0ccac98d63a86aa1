import * as Effect from "effect/Effect"
import { command, UsageError } from "./command.ts"

export const schema = command({
  name: "schema",
  files: "",
  summary: "print the JSON Schema of the file, for editors that complete it",
  details: `For editors that use the YAML language server, this is the first line of a file:

  # yaml-language-server: $schema=./understudy.schema.json

  understudy schema > understudy.schema.json`,
  fails: "a file is passed",
  flags: {},
  run: ({ files }, terminal) =>
    files.length > 0
      ? new UsageError({ reason: `unexpected argument "${files[0]}"` })
      : Effect.map(
          Effect.promise(() => import("./later.ts")),
          ({ jsonSchema }) => terminal.print(JSON.stringify(jsonSchema(), null, 2))
        )
})
