import * as Effect from "effect/Effect"
import { type Command, command, UsageError } from "./command.ts"

/** Completes these commands, their flags and files. */
export const completion = (commands: ReadonlyArray<Command>): Command =>
  command({
    name: "completion",
    files: "SHELL",
    summary: "print what bash, zsh or fish needs to complete commands and flags",
    details: `For the shells that you start from now on:

  understudy completion bash >> ~/.bashrc
  understudy completion zsh >> ~/.zshrc
  understudy completion fish > ~/.config/fish/completions/understudy.fish`,
    fails: "SHELL is none of the three",
    flags: {},
    run: ({ files: [shell, ...more] }, terminal) =>
      shell === undefined || !Object.hasOwn(scripts, shell) || more.length > 0
        ? new UsageError({ reason: "completion takes bash, zsh or fish" })
        : Effect.sync(() => terminal.print(scripts[shell as keyof typeof scripts](commands)))
  })

const bash = (commands: ReadonlyArray<Command>): string => `_understudy() {
  local word=\${COMP_WORDS[COMP_CWORD]}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")} help" -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${commands.map(({ flags, name }) => `    ${name}) COMPREPLY=($(compgen -f -W "${flagsOf(flags).join(" ")}" -- "$word")) ;;`).join("\n")}
  esac
}
complete -o filenames -F _understudy understudy`

const flagsOf = (flags: Command["flags"]): ReadonlyArray<string> =>
  [...Object.keys(flags), "help"].map((flag) => `--${flag}`)

const fish = (commands: ReadonlyArray<Command>): string =>
  commands
    .flatMap(({ flags, name, summary }) => [
      `complete -c understudy -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
      ...Object.entries(flags).map(
        ([flag, { about, type }]) =>
          `complete -c understudy -n '__fish_seen_subcommand_from ${name}' -l ${flag}${type === "string" ? " -r" : ""} -d ${quoted(about)}`
      )
    ])
    .join("\n")

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`

const scripts = {
  bash,
  zsh: (commands: ReadonlyArray<Command>) => `autoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`,
  fish
}
