import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Config from "../../Config.ts"
import type { ListenError } from "../../Server.ts"
import { suggest } from "../file/nearest.ts"
import { sandboxPolicy } from "../file/sandboxPolicy.ts"
import type { WorkerError } from "../workers/parent.ts"

/**
 * The command line is invalid. The message is one line with the remedy.
 *
 * @example
 * import { Effect } from "effect"
 * import { Cli } from "@understudy/gateway"
 *
 * const terminal: Cli.Terminal = { env: {}, isTty: false, print: console.log }
 * const error = await Effect.runPromise(Effect.flip(Cli.run(["serv"], terminal)))
 *
 * console.log(error.message) // => unknown command "serv"; did you mean "serve"?
 *
 * @since 0.1.0
 * @category errors
 */
export class UsageError extends Data.TaggedError("UsageError")<{
  readonly reason: string
  readonly remedy?: string
}> {
  override get message(): string {
    return `${this.reason}; ${this.remedy ?? "see understudy --help"}`
  }
}

/**
 * What a command needs from its process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly isTty: boolean
  readonly print: (line: string) => void
  /** Calls the listener whenever the process is told to reload its file. Default: never. */
  readonly onHangup?: ((listener: () => void) => void) | undefined
  /** Called with an effect that returns the number of requests in flight, once serving starts. Default: ignored. */
  readonly onServing?: ((underWay: Effect.Effect<number>) => void) | undefined
  /** Shows the progress of a long operation, replacing the last text. Default: not shown. */
  readonly progress?: ((text: string) => void) | undefined
}

/**
 * The command succeeded, but found tiers that do not answer.
 *
 * @example
 * import { Cli } from "@understudy/gateway"
 *
 * console.log(new Cli.UnansweredError({ failed: 1, of: 3 }).message) // => 1 of 3 tiers did not answer
 *
 * @since 0.1.0
 * @category errors
 */
export class UnansweredError extends Data.TaggedError("UnansweredError")<{
  readonly failed: number
  readonly of: number
}> {
  override get message(): string {
    return `${this.failed} of ${this.of} tiers did not answer`
  }
}

/**
 * What a command can fail with. The message of each is one line.
 *
 * @since 0.1.0
 * @category errors
 */
export type CommandError = UsageError | UnansweredError | Config.ConfigError | ListenError | WorkerError

/** A flag of the command line, starting with `--`. */
interface Flag {
  readonly type: "string" | "boolean"
  readonly multiple?: boolean
  /** The placeholder of its value in the help. */
  readonly value?: string
  readonly about: string
}

type Flags = Readonly<Record<string, Flag>>

type Values<F extends Flags> = {
  readonly [K in keyof F]: F[K]["type"] extends "boolean"
    ? boolean
    : F[K]["multiple"] extends true
      ? ReadonlyArray<string>
      : string | undefined
}

export interface Command {
  readonly name: string
  /** What follows the name: `[FILE]`, `[FILE…]` for several. */
  readonly files: string
  readonly summary: string
  /** Additional text of its help. */
  readonly details?: string
  /** When it exits with code 1, besides an invalid command line. */
  readonly fails: string
  readonly flags: Flags
  readonly run: (
    line: { readonly files: ReadonlyArray<string>; readonly values: Values<Flags> },
    terminal: Terminal
  ) => Effect.Effect<void, CommandError>
}

/** Makes a command, whose `run` gets the values of its own flags. */
export const command = <const F extends Flags>(
  options: Omit<Command, "flags" | "run"> & {
    readonly flags: F
    readonly run: (
      line: { readonly files: ReadonlyArray<string>; readonly values: Values<F> },
      terminal: Terminal
    ) => Effect.Effect<void, CommandError>
  }
): Command => options as unknown as Command

/** Runs the command named by the command line. */
export const dispatch = (
  commands: ReadonlyArray<Command>,
  { help, version }: { readonly help: () => string; readonly version: string },
  args: ReadonlyArray<string>,
  terminal: Terminal
): Effect.Effect<void, CommandError> =>
  Effect.gen(function* () {
    const { positionals, values } = yield* parse(commands, args)
    const [name, ...files] = positionals
    if (values["version"] === true) return terminal.print(version)
    const about = name === "help" ? files[0] : name
    if (about === undefined) return terminal.print(help())
    const command = commands.find((command) => command.name === about)
    if (command === undefined) {
      const known = commands.map(({ name }) => name)
      return yield* new UsageError({ reason: `unknown command "${about}"`, remedy: suggest(about, known) })
    }
    if (values["help"] === true || name === "help") return terminal.print(explain(command))
    const foreign = Object.keys(values).find((flag) => !Object.hasOwn(command.flags, flag))
    if (foreign !== undefined) {
      return yield* new UsageError({ reason: `--${foreign} is nothing that ${name} knows` })
    }
    const defaults = Object.entries(command.flags).map(([flag, { multiple, type }]) => [
      flag,
      multiple ? [] : type === "boolean" ? false : undefined
    ])
    return yield* command.run({ files, values: { ...Object.fromEntries(defaults), ...values } }, terminal)
  })

const parse = (commands: ReadonlyArray<Command>, args: ReadonlyArray<string>) =>
  Effect.tap(parsed(commands, args), ({ positionals, values }) => {
    const [flag] = Object.entries(values).find(([, value]) => [value].flat().some(isBlank)) ?? []
    if (flag !== undefined) return new UsageError({ reason: `--${flag} is empty`, remedy: giveOrLeaveOut })
    // A shell's variable that is not set, in quotes.
    return positionals.some(isBlank)
      ? new UsageError({ reason: "an argument is empty", remedy: giveOrLeaveOut })
      : Effect.void
  })

const isBlank = (value: unknown): boolean => typeof value === "string" && value.trim() === ""

const giveOrLeaveOut = "give it a value, or leave it out"

const parsed = (commands: ReadonlyArray<Command>, args: ReadonlyArray<string>) =>
  Effect.try({
    try: () =>
      parseArgs({
        args: [...args],
        allowPositionals: true,
        options: {
          ...Object.fromEntries(
            commands.flatMap(({ flags }) =>
              Object.entries(flags).map(([flag, { multiple = false, type }]) => [flag, { multiple, type }])
            )
          ),
          help: { type: "boolean", short: "h" },
          version: { type: "boolean" }
        }
      }),
    catch: (error) =>
      new UsageError({ reason: error instanceof Error ? error.message.split(/\.\s/)[0]! : String(error) })
  })

const lines = (rows: ReadonlyArray<readonly [string, string]>): string => {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}   ${right}`.trimEnd()).join("\n")
}

const flagText = (flag: string, { value }: Flag): string =>
  `--${flag}${value === undefined ? "" : ` ${value}`}`

/** The help of one command. */
const explain = ({ details, fails, files, flags, name, summary }: Command): string => {
  const rows = Object.entries(flags).map(([flag, about]) => [flagText(flag, about), about.about] as const)
  return [
    `${["understudy", name, files].join(" ").trim()}: ${summary}`,
    ...(rows.length === 0 ? [] : [lines(rows)]),
    ...(files.startsWith("[FILE") ? [withoutFile] : []),
    ...(details === undefined ? [] : [details]),
    `Exit code 1, and one line on stderr, where ${fails}.`
  ].join("\n\n")
}

const withoutFile =
  "Without FILE: understudy.yaml here, else an embedded policy that needs no network and no key."

/** The lines of the help about commands, and about their flags. */
export const describe = (commands: ReadonlyArray<Command>): string => {
  const named = commands.map(
    ({ files, name, summary }) => [`understudy ${name} ${files}`.trim(), summary] as const
  )
  const flags = commands.flatMap(({ flags, name }) =>
    Object.entries(flags).map(([flag, about]) => [flagText(flag, about), `${name}: ${about.about}`] as const)
  )
  return `${lines(named)}
  understudy help COMMAND

${withoutFile}

${lines([...flags, ["--version, --help", ""]])}`
}

/** The single file of a command, or the default one. */
export const single = (files: ReadonlyArray<string>): Effect.Effect<string | undefined, UsageError> =>
  files.length > 1
    ? new UsageError({ reason: `unexpected argument "${files[1]}"` })
    : Effect.succeed(files[0] ?? (existsSync("understudy.yaml") ? "understudy.yaml" : undefined))

export interface Source {
  readonly name: string
  readonly config: Config.Config
  /** The file as it was written. */
  readonly text: string
}

/** Loads a file; without one, the sandbox policy. */
export const load = (
  path: string | undefined,
  { env }: Terminal
): Effect.Effect<Source, Config.ConfigError> =>
  Effect.gen(function* () {
    const name = path ?? "the embedded sandbox policy"
    const text = path === undefined ? sandboxPolicy : yield* Config.textOf(path)
    return { name, text, config: yield* Config.parse(text, path ?? "sandbox", env) }
  })

/** Writes an output file. */
export const writeText = (path: string, text: string): Effect.Effect<void, UsageError> =>
  Effect.tryPromise({
    try: () => writeFile(path, text),
    catch: () =>
      new UsageError({ reason: `cannot write ${path}`, remedy: "check the folder and who may write to it" })
  })
