import cluster from "node:cluster"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Cli from "../Cli.ts"
import * as Collector from "./collector.ts"

/** On stdout there are only lines for who reads them. */
const toStderr = Logger.make(({ message }) => console.error("understudy:", ...Arr.ensure(message)))

/** Runs the command line that this process was started with, and ends the process with it. */
export const run = (onHangup: Cli.Terminal["onHangup"]): void => {
  Collector.tune()
  // What is printed in one turn of the event loop is written at once: a write costs more than the line.
  let printed = ""
  const flush = () => {
    if (printed !== "") process.stdout.write(printed)
    printed = ""
  }
  // To be woken for a few lines costs a parent that prints for its workers more than they do.
  const flushSoon = cluster.isWorker ? () => setTimeout(flush, 20) : () => setImmediate(flush)
  process.on("exit", flush)
  // Nobody is left to print it.
  if (cluster.isWorker) process.stdout.on("error", () => process.exit(1))

  const fiber = Effect.runFork(
    Cli.run(process.argv.slice(2), {
      env: process.env,
      isTty: process.stdout.isTTY === true,
      onHangup,
      print: (line) => {
        if (printed === "") flushSoon()
        printed += `${line}\n`
        // Half of what a pipe holds: with more than fits a worker would wait for its parent.
        if (printed.length > 32_768) flush()
      },
      progress:
        process.stderr.isTTY === true ? (text) => void process.stderr.write(`\r\x1b[K${text}`) : undefined
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, toStderr)))
  )

  // The first signal drains, the second one does not wait.
  let stopped: NodeJS.Signals | undefined
  for (const signal of cluster.isWorker ? [] : (["SIGINT", "SIGTERM"] as const)) {
    process.on(signal, () => {
      if (stopped !== undefined) process.exit(1)
      stopped = signal
      fiber.unsafeInterruptAsFork(fiber.id())
    })
  }

  // What was printed is out before the process ends: whoever reads it may be slow.
  const end = (code: number) => {
    flush()
    process.stdout.write("", () => process.exit(code))
  }

  fiber.addObserver((exit) => {
    const isInterrupted = Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
    // To be stopped is the end of serving, and of everything else an end before it was done.
    if (Exit.isSuccess(exit) || (isInterrupted && process.argv.includes("serve"))) return end(0)
    const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
    const reason = isInterrupted ? `stopped by ${stopped} before it was done` : error?.message
    process.stderr.write(`understudy: ${reason ?? Cause.pretty(exit.cause)}\n`)
    end(1)
  })
}
