import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Cli } from "@understudy/gateway"
import { Effect } from "effect"

const docs = join(import.meta.dirname, "../../docs")
const guide = readFileSync(join(docs, "laboratory.md"), "utf8")

const blocks = (language: string): ReadonlyArray<string> =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map((match) => match[1]!)

/** What a command line of the guide prints; `| head -n` and `| tail -n` are the only shell that there is. */
const printed = (line: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.suspend(() => {
    const [command = "", cut] = line.split(" | ")
    const lines: Array<string> = []
    const env = { OPENAI_API_KEY: "sk-1", ANTHROPIC_API_KEY: "sk-2" }
    const terminal = { env, isTty: false, print: (text: string) => void lines.push(...text.split("\n")) }
    const [, end, count] = /^(head|tail) -(\d+)$/.exec(cut ?? "") ?? []
    const shown = () =>
      end === undefined ? lines : end === "head" ? lines.slice(0, Number(count)) : lines.slice(-Number(count))
    return Effect.map(Effect.orDie(Cli.run(command.split(" ").slice(1), terminal)), shown)
  })

describe("the guide to the laboratory", () => {
  it.scopedLive(
    "has files that are read, commands that print what it says, and the picture that they draw",
    () =>
      Effect.gen(function* () {
        const before = process.cwd()
        const dir = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "understudy-"))),
          (dir) =>
            Effect.sync(() => {
              process.chdir(before)
              rmSync(dir, { recursive: true })
            })
        )
        process.chdir(dir)
        for (const block of blocks("yaml")) {
          const [, name] = /^# (\S+\.yaml)$/m.exec(block) ?? []
          if (name !== undefined) writeFileSync(name, block)
        }
        for (const block of blocks("console")) {
          const [command = "", ...expected] = block.trimEnd().split("\n")
          assert.deepStrictEqual(yield* printed(command.replace(/^\$ /, "")), expected, command)
        }
        assert.strictEqual(
          readFileSync("laboratory.svg", "utf8"),
          readFileSync(join(docs, "laboratory.svg"), "utf8")
        )
      }),
    60_000
  )
})
