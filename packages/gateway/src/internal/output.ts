import { many } from "./drawing/figures.ts"

/** One line on stderr. */
export const complain = (line: string): void => void process.stderr.write(`understudy: ${line}\n`)

/** Hears of every text whether it could be written. */
type Written = (text: string, error: NodeJS.ErrnoException | null | undefined) => void

/** What prints lines on stdout. */
interface Output {
  readonly print: (line: string) => void
  /** Calls back when all is out, or never will be. */
  readonly end: (then: () => void) => void
}

/** What is printed until `later` calls back is written at once: a write costs more than the line. */
export const make = (later: (flush: () => void) => void, onWritten: Written): Output => {
  let printed = ""
  const flush = () => {
    const text = printed
    printed = ""
    if (text !== "") process.stdout.write(text, (error) => onWritten(text, error))
  }
  process.on("exit", flush)
  // Each write tells of its own; of an error that nobody hears the process would end.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})
  return {
    print: (line) => {
      if (printed === "") later(flush)
      printed += `${line}\n`
      // Half of what a pipe holds: with more than fits a worker would wait for its parent.
      if (printed.length > 32_768) flush()
    },
    end: (then) => {
      flush()
      process.stdout.write("", then)
    }
  }
}

/** Goes on without the lines: callers are not to suffer from a log that nobody reads, or a disk that is full. */
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

/** Ends the process, without a word where its reader has gone: `understudy report | head` is no failure. */
export const ending: Written = (_, error) => {
  if (!error) return
  if (error.code === "EPIPE") process.exit(goneReader)
  complain(`cannot write what it prints (${error.code}); see where its output goes`)
  process.exit(1)
}

/** What a shell says of a program that SIGPIPE has ended, which Node ignores. */
const goneReader = 141
