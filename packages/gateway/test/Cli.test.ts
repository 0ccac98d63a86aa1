import { execFileSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Cli } from "../src/index.ts"

/** What a command line prints, or why it does not. */
const said = (...args: ReadonlyArray<string>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const terminal = { env: {}, isTty: false, print: (line: string) => void lines.push(line) }
    return Effect.match(Cli.run(args, terminal), {
      onFailure: ({ message }) => message,
      onSuccess: () => lines.join("\n")
    })
  })

describe("the command line", () => {
  it.effect("says what there is", () =>
    Effect.gen(function* () {
      const help = yield* said("--help")
      for (const command of ["serve", "check"]) assert.include(help, `understudy ${command} [FILE]`)
      assert.strictEqual(yield* said(), help)
      assert.match(yield* said("check", "--version"), /^\d+\.\d+\.\d+$/)
    })
  )

  it.effect("teaches one command", () =>
    Effect.gen(function* () {
      const help = yield* said("help", "serve")
      assert.match(
        help,
        /^understudy serve \[FILE\]: .*\n\n {2}--port N {2,}.*\n(.*\n)*\nWithout FILE: .*\n\nSIGHUP /
      )
      assert.notInclude(help, "understudy check")
      assert.strictEqual(yield* said("serve", "--help"), help)
      assert.strictEqual(yield* said("help"), yield* said())
      assert.include(yield* said("help", "srve"), 'did you mean "serve"?')
    })
  )

  it.effect("says of every command that takes the file what it takes without one", () =>
    Effect.gen(function* () {
      const named = [...(yield* said("--help")).matchAll(/^ {2}understudy (\w+)( \[FILE\S*)?/gm)]
      for (const [, name = "", file] of named) {
        const help = yield* said("help", name)
        assert.strictEqual(help.includes("\n\nWithout FILE: "), file !== undefined, name)
        assert.notInclude(help, "...", "of several it says so with …")
      }
      assert.includeMembers(
        named.filter(([, , file]) => file !== undefined).map(([, name]) => name),
        ["serve", "simulate"]
      )
    })
  )

  it.effect("says of every command when it fails", () =>
    Effect.gen(function* () {
      const named = [...(yield* said("--help")).matchAll(/^ {2}understudy (\w+)/gm)].map(([, name]) => name)
      for (const name of named.filter((name) => name !== "help")) {
        assert.match(yield* said("help", name ?? ""), /\n\nExit code 1, and one line on stderr, .*\.$/, name)
      }
    })
  )

  it.effect("completes commands and flags", () =>
    Effect.gen(function* () {
      const bash = yield* said("completion", "bash")
      const completed = (...words: ReadonlyArray<string>) =>
        execFileSync(
          "bash",
          [
            "-c",
            `${bash}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _understudy; echo "\${COMPREPLY[@]}"`,
            "-",
            ...words
          ],
          {
            cwd: import.meta.dirname,
            encoding: "utf8"
          }
        ).trim()
      assert.strictEqual(completed("understudy", "se"), "serve")
      assert.strictEqual(completed("understudy", "serve", "--wa"), "--watch")
      assert.strictEqual(completed("understudy", "serve", "Cli.te"), "Cli.test.ts")
      assert.include(yield* said("completion", "zsh"), bash)
      assert.include(
        yield* said("completion", "fish"),
        "'__fish_seen_subcommand_from serve' -l watch -d 'reload the file"
      )
      for (const wrong of [[], ["csh"], ["bash", "zsh"], ["toString"]]) {
        assert.strictEqual(
          yield* said("completion", ...wrong),
          "completion takes bash, zsh or fish; see understudy --help"
        )
      }
    })
  )

  it.effect.each([
    [["check", "a.yaml", "b.yaml"], 'unexpected argument "b.yaml"'],
    [["check", "--port", "1"], "--port is nothing that check knows"],
    [["check", "--prot", "1"], "Unknown option '--prot'"],
    [["serve", "--port", "70000"], "--port takes a number from 0 to 65535"],
    [["serve", "--port", "0x50"], "--port takes a number from 0 to 65535"],
    [["serve", "--port", "-1"], "Option '--port' argument is ambiguous"],
    [["serve", "--workers", "1e1"], "--workers takes a number from 1 on, or auto"],
    [["serve", "--log", "xml"], "--log takes json or pretty"]
  ] as const)("refuses %j", ([args, reason]) =>
    Effect.map(said(...args), (message) => assert.strictEqual(message, `${reason}; see understudy --help`))
  )

  it.effect.each([
    [["serve", "--port", ""], "--port is empty"],
    [["serve", "--port= "], "--port is empty"],
    [["serve", "--workers="], "--workers is empty"],
    [["simulate", "--seed", ""], "--seed is empty"],
    [["serve", ""], "an argument is empty"],
    [["report", "log", " "], "an argument is empty"]
  ] as const)("takes no shell's variable that is not set for a value: %j", ([args, reason]) =>
    Effect.map(said(...args), (message) =>
      assert.strictEqual(message, `${reason}; give it a value, or leave it out`)
    )
  )

  it.effect("suggests the command that was meant", () =>
    Effect.map(said("chek"), (message) =>
      assert.strictEqual(message, 'unknown command "chek"; did you mean "check"?')
    )
  )

  it.effect("takes flags before the command too", () =>
    Effect.map(said("--json", "check"), (json) => assert.hasAllKeys(JSON.parse(json), ["chat"]))
  )
})
