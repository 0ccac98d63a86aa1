import cluster from "node:cluster"
import { constants } from "node:os"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Cli from "../Cli.ts"
import * as Collector from "./collector.ts"
import { many } from "./drawing/figures.ts"
import * as Output from "./output.ts"

/** Effect's own log lines go to stderr, since stdout is for output. */
const toStderr = Logger.make(({ message }) => console.error("understudy:", ...Arr.ensure(message)))

/** As a shell has it of a program that the signal has ended. */
const endAtOnce = (
  signal: "SIGINT" | "SIGTERM",
  underWay: Effect.Effect<number | undefined> = Effect.succeed(undefined)
): Effect.Effect<void> =>
  Effect.map(underWay, (count) => {
    const cut = count === undefined ? "" : `, and cut off ${many(count, "request")}`
    Output.complain(`a second ${signal} has ended it at once${cut}`)
    process.exit(128 + constants.signals[signal])
  })

/** Runs this process's command line, and ends the process with its exit code. */
export const run = (serves: boolean, onHangup: Cli.Terminal["onHangup"]): void => {
  Collector.tune()
  // A worker collects lines for a while, since waking the parent costs more than a few lines.
  const later = cluster.isWorker ? (flush: () => void) => setTimeout(flush, 20) : setImmediate
  // A worker's stdout is read by its parent.
  const output = Output.make(
    later,
    serves && !cluster.isWorker ? Output.dropping(Output.complain) : Output.ending
  )

  let underWay: Effect.Effect<number> | undefined
  const fiber = Effect.runFork(
    Cli.run(process.argv.slice(2), {
      env: process.env,
      isTty: process.stdout.isTTY === true,
      onHangup,
      onServing: (count) => {
        underWay = count
      },
      print: output.print,
      progress:
        process.stderr.isTTY === true ? (text) => void process.stderr.write(`\r\x1b[K${text}`) : undefined
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, toStderr)))
  )

  // The first signal drains, the second one exits at once.
  let stopped: NodeJS.Signals | undefined
  for (const signal of cluster.isWorker ? [] : (["SIGINT", "SIGTERM"] as const)) {
    process.on(signal, () => {
      if (stopped !== undefined) return void Effect.runFork(endAtOnce(signal, underWay))
      stopped = signal
      fiber.unsafeInterruptAsFork(fiber.id())
    })
  }

  // Flushes the output before exiting, since its reader may be slow.
  const end = (code: number) => output.end(() => process.exit(code))

  fiber.addObserver((exit) => {
    const isInterrupted = Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
    // An interruption is a normal end of `serve`, but a premature one of other commands.
    if (Exit.isSuccess(exit) || (isInterrupted && serves)) return end(0)
    const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
    const reason = isInterrupted ? `stopped by ${stopped} before it was done` : error?.message
    Output.complain(reason ?? Cause.pretty(exit.cause))
    end(1)
  })
}
