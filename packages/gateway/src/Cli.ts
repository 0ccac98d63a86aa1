/**
 * The command `understudy`.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import { type CommandError, describe, dispatch, type Terminal } from "./internal/command/command.ts"
import { commands } from "./internal/command/commands.ts"
import { version } from "./internal/version.ts"

export type { Terminal } from "./internal/command/command.ts"
export { type CommandError, UnansweredError, UsageError } from "./internal/command/command.ts"
export { WorkerError } from "./internal/workers/parent.ts"

/**
 * Runs one command line, the arguments after the program's name. `serve` ends only when it is interrupted.
 *
 * @example
 * import { Effect } from "effect"
 * import { Cli } from "@understudy/gateway"
 *
 * const printed: Array<string> = []
 * const terminal: Cli.Terminal = { env: {}, isTty: false, print: (line) => printed.push(line) }
 * await Effect.runPromise(Cli.run(["check"], terminal))
 *
 * console.log(printed[0]?.slice(0, 37)) // => the embedded sandbox policy is valid.
 *
 * @since 0.1.0
 * @category execution
 */
export const run = (args: ReadonlyArray<string>, terminal: Terminal): Effect.Effect<void, CommandError> =>
  dispatch(commands, { help, version }, args, terminal)

const help =
  (): string => `understudy: an OpenAI-compatible gateway that keeps answering when a model does not

${describe(commands)}

Traces are exported when the standard OTEL_* variables ask for it, for example
OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 for a Jaeger on this machine.`
