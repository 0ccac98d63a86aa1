/**
 * The command `understudy`.
 *
 * @since 0.1.0
 */
import { existsSync } from "node:fs"
import { parseArgs } from "node:util"
import * as Telemetry from "@understudy/otel/Telemetry"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Config from "./Config.ts"
import * as Gateway from "./Gateway.ts"
import { report } from "./internal/report.ts"
import { sandboxPolicy } from "./internal/sandboxPolicy.ts"
import { version } from "./internal/version.ts"
import * as Log from "./Log.ts"
import type { ListenError } from "./Server.ts"

/**
 * The command line makes no sense. The message is one line with the remedy.
 *
 * @since 0.1.0
 * @category errors
 */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly reason: string }> {
  override get message(): string {
    return `${this.reason}; see understudy --help`
  }
}

/**
 * What the command needs of the process it runs in.
 *
 * @since 0.1.0
 * @category models
 */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly isTty: boolean
  readonly print: (line: string) => void
}

/**
 * Runs one command line, the arguments after the program's name. `serve` ends only when it is interrupted.
 *
 * @since 0.1.0
 * @category execution
 */
export const run = (
  args: ReadonlyArray<string>,
  terminal: Terminal
): Effect.Effect<void, UsageError | Config.ConfigError | ListenError> =>
  Effect.gen(function* () {
    const { positionals, values } = yield* parse(args)
    const [command, file, ...rest] = positionals
    if (values.version) return terminal.print(version)
    if (values.help || command === undefined) return terminal.print(help)
    if (rest.length > 0) return yield* new UsageError({ reason: `unexpected argument "${rest[0]}"` })
    switch (command) {
      case "serve":
        return yield* serve(yield* load(file, terminal), values, terminal)
      case "check":
        return terminal.print(report(yield* load(file, terminal), values.json))
      default:
        return yield* new UsageError({ reason: `unknown command "${command}"` })
    }
  })

const help = `understudy: an OpenAI-compatible gateway that keeps answering when a model does not

  understudy serve [FILE]   listen and serve the file's routes
  understudy check [FILE]   validate the file and print its policies, defaults filled in

Without FILE: understudy.yaml here, else an embedded policy that needs no network and no key.

  --port N        listen here instead of server.port; 0 for any free one
  --log FORMAT    json or pretty; default: pretty on a terminal
  --json          check: print JSON
  --version, --help

Traces are exported when the standard OTEL_* variables ask for it, for example
OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 for a Jaeger on this machine.`

const parse = (args: ReadonlyArray<string>) =>
  Effect.try({
    try: () =>
      parseArgs({
        args: [...args],
        allowPositionals: true,
        options: {
          port: { type: "string" },
          log: { type: "string" },
          json: { type: "boolean", default: false },
          help: { type: "boolean", short: "h", default: false },
          version: { type: "boolean", default: false }
        }
      }),
    catch: (error) =>
      new UsageError({ reason: error instanceof Error ? error.message.split(". ")[0]! : String(error) })
  })

interface Source {
  readonly name: string
  readonly config: Config.Config
}

const load = (file: string | undefined, { env }: Terminal): Effect.Effect<Source, Config.ConfigError> => {
  const path = file ?? (existsSync("understudy.yaml") ? "understudy.yaml" : undefined)
  return path === undefined
    ? Effect.map(Config.parse(sandboxPolicy, "sandbox", env), (config) => ({
        name: "the embedded sandbox policy",
        config
      }))
    : Effect.map(Config.load(path), (config) => ({ name: path, config }))
}

const serve = (
  { config, name }: Source,
  values: { readonly port?: string | undefined; readonly log?: string | undefined },
  terminal: Terminal
): Effect.Effect<void, UsageError | ListenError> =>
  Effect.gen(function* () {
    const port = values.port === undefined ? config.server.port : Number(values.port)
    if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
      return yield* new UsageError({ reason: "--port takes a number from 0 to 65535" })
    }
    const format = values.log ?? (terminal.isTty ? "pretty" : "json")
    if (format !== "json" && format !== "pretty") {
      return yield* new UsageError({ reason: "--log takes json or pretty" })
    }
    const log = (entry: Log.Entry) => terminal.print(Log.render(entry, format))
    const { url } = yield* Gateway.start(
      { ...config, server: { ...config.server, port } },
      (requestId, event) => log(Log.entry(requestId, event, new Date())),
      { onAlert: (status) => log(Log.alert(status, new Date())) }
    )
    terminal.print(
      format === "pretty"
        ? screen(url, name, Object.keys(config.routes)[0]!)
        : JSON.stringify({ timestamp: new Date().toISOString(), level: "INFO", message: "listening", url })
    )
    return yield* Effect.never
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Telemetry.configured(terminal.env)
        ? Telemetry.layer({ serviceName: "understudy", serviceVersion: version })
        : Layer.empty
    )
  )

const screen = (url: string, name: string, route: string): string => `
  Understudy is listening on ${url}, serving ${name}.

    curl ${url}/v1/chat/completions -H 'content-type: application/json' \\
      -d '{"model":"${route}","messages":[{"role":"user","content":"Who goes on tonight?"}]}'

  Add "stream": true for a stream. Every attempt is a line below; watch tiers fail and the next one answer.
  Clients of OpenAI need only the base URL ${url}/v1 and any key. Stop with Ctrl-C.
`
