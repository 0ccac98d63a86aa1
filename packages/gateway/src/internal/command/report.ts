import { stat } from "node:fs/promises"
import * as Effect from "effect/Effect"
import { percent } from "../drawing/percent.ts"
import { command, type Terminal, UsageError, writeText } from "./command.ts"

export const report = command({
  name: "report",
  files: "[LOG…]",
  summary: "summarize JSON logs of serve; - or none reads standard input",
  fails: "a log cannot be read, or OUT cannot be written",
  flags: {
    json: { type: "boolean", about: "print JSON" },
    html: { type: "string", value: "OUT", about: "also write a page with plots" }
  },
  run: ({ files, values }, terminal) =>
    Effect.gen(function* () {
      const { page, review, Tally, text } = yield* Effect.promise(() => import("./later.ts"))
      const tally = new Tally()
      const sources = files.length === 0 ? ["-"] : files
      const sizes = yield* Effect.forEach(sources, (path) => sizeOf(path))
      const tell = progressOf(terminal, sizes)
      for (const path of sources) yield* readInto(tally, path, tell)
      terminal.progress?.("")
      tally.end()
      const found = review(tally)
      terminal.print(values.json ? JSON.stringify(found, null, 2) : text(found))
      if (values.html !== undefined) yield* writeText(values.html, page(found))
    })
})

/** Infinite for a pipe, whose size is unknown. */
const sizeOf = (path: string): Effect.Effect<number, UsageError> =>
  path === "-"
    ? process.stdin.isTTY === true
      ? new UsageError({ reason: "there is no log to read", remedy: "name a file, or pipe one in" })
      : Effect.succeed(Number.POSITIVE_INFINITY)
    : Effect.map(
        Effect.tryPromise({ try: () => stat(path), catch: () => unreadable(path) }),
        ({ size }) => size
      )

const readInto = (
  tally: { readonly add: (text: string) => void; readonly skip: () => void },
  path: string,
  tell: (bytes: number) => void
): Effect.Effect<void, UsageError> =>
  Effect.tryPromise({
    try: async () => {
      const { eachLine, open } = await import("./later.ts")
      const source = path === "-" ? process.stdin : open(path)
      await eachLine(source, { line: (text) => tally.add(text), tooLong: () => tally.skip(), read: tell })
    },
    catch: () => unreadable(path)
  })

const unreadable = (path: string): UsageError =>
  new UsageError({
    reason: `cannot read ${path === "-" ? "what is piped in" : path}`,
    remedy: "check that it is a log, or one that gzip has packed whole, and who may read it"
  })

/** Shows progress once it has taken two seconds. */
const progressOf = ({ progress }: Terminal, sizes: ReadonlyArray<number>): ((bytes: number) => void) => {
  const begun = Date.now()
  const all = sizes.reduce((sum, size) => sum + size, 0)
  let read = 0
  let told = begun + 1_800
  return (bytes) => {
    read += bytes
    const now = Date.now()
    if (progress === undefined || now - told < 200) return
    told = now
    progress(Number.isFinite(all) ? `read ${percent(read / all)}` : `read ${Math.round(read / 1e6)} MB`)
  }
}
