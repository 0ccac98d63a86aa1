import { many } from "./drawing/figures.ts"

/** Writes one line to stderr. */
export const complain = (line: string): void => void process.stderr.write(`understudy: ${line}\n`)

/** Called for every text with the error of writing it, if any. */
type Written = (text: string, error: NodeJS.ErrnoException | null | undefined) => void

/** Prints lines on stdout. */
interface Output {
  readonly print: (line: string) => void
  /** Calls back when everything has been written, or cannot be. */
  readonly end: (then: () => void) => void
}

/** Lines are collected until `later` calls back and then written together, since a write costs more than a line. */
export const make = (later: (flush: () => void) => void, onWritten: Written): Output => {
  let printed = ""
  const flush = () => {
    const text = printed
    printed = ""
    if (text !== "") process.stdout.write(text, (error) => onWritten(text, error))
  }
  process.on("exit", flush)
  // Errors are reported per write; without this listener they would end the process.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})
  return {
    print: (line) => {
      if (printed === "") later(flush)
      printed += `${line}\n`
      // Half of a pipe's capacity: if it were full, a worker would wait for its parent.
      if (printed.length > 32_768) flush()
    },
    end: (then) => {
      flush()
      process.stdout.write("", then)
    }
  }
}

/** Drops lines that cannot be written: callers must not suffer from a closed log or a full disk. */
export const dropping = (complain: (line: string) => void): Written => {
  let lost = 0
  return (text, error) => {
    if (error) {
      if (lost === 0)
        complain(`the log cannot be written (${error.code}); its lines are dropped until it can`)
      lost += text.split("\n").length - 1
    } else if (lost > 0) {
      complain(`the log is written again; lost until now: ${many(lost, "line")}`)
      lost = 0
    }
  }
}

/** Ends the process, silently if the reader has gone: `understudy report | head` is no failure. */
export const ending: Written = (_, error) => {
  if (!error) return
  if (error.code === "EPIPE") process.exit(goneReader)
  complain(`cannot write what it prints (${error.code}); see where its output goes`)
  process.exit(1)
}

/** A shell's exit code for SIGPIPE, which Node itself ignores. */
const goneReader = 141
