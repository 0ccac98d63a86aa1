import { spawn } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Effect, type Scope } from "effect"
import { bundle } from "../../scripts/lib/bundle.mjs"

/** The gateway as the process that users run. */
export interface Program {
  readonly url: string
  /** What it printed on stdout, a line each, parsed. */
  readonly lines: Array<Record<string, unknown>>
  /** What it has said on stderr so far. */
  readonly complaints: () => string
  /** Where the file is that it serves. */
  readonly file: string
  readonly pid: number
  readonly signal: (signal: NodeJS.Signals) => void
  /** Sends the signal and waits for the exit code. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>
  /** Reads no more of what it prints. */
  readonly deafen: () => void
}

let bundled: Promise<string> | undefined

const main: Effect.Effect<string> = Effect.promise(() => (bundled ??= bundle()))

/** The path of a new file with this text. */
export const fileOf = (yaml: string): string => {
  const file = join(mkdtempSync(join(tmpdir(), "understudy-")), "understudy.yaml")
  writeFileSync(file, yaml)
  return file
}

/** What a command line printed and how it ended. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `understudy` with these arguments, which may print elsewhere. The scope's end kills it. */
export const started = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {},
  stdout: "pipe" | number = "pipe"
) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.map(main, (main) =>
        spawn(process.execPath, [main, ...args], {
          env: { ...process.env, ...env },
          stdio: ["ignore", stdout, "pipe"]
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child) => {
      const said = { stdout: "", stderr: "" }
      for (const name of ["stdout", "stderr"] as const) {
        child[name]?.on("data", (chunk) => {
          said[name] += chunk
        })
      }
      const closed = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, ...said })))
      return {
        ended: Effect.promise(() => closed),
        signal: (signal: NodeJS.Signals) => void child.kill(signal),
        /** Reads no more of what it prints. */
        deafen: () => void child.stdout?.destroy()
      }
    }
  )

/** Runs `understudy` with these arguments to its end. */
export const command = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Effect.Effect<Ended> => Effect.scoped(Effect.flatMap(started(args, env), ({ ended }) => ended))

/** Runs `understudy serve` on a file of this text and a free port. */
export const program = (
  yaml: string,
  env: Readonly<Record<string, string>> = {},
  args: ReadonlyArray<string> = []
): Effect.Effect<Program, never, Scope.Scope> =>
  Effect.gen(function* () {
    const file = fileOf(yaml)
    const child = spawn(
      process.execPath,
      [yield* main, "serve", file, "--port", "0", "--log", "json", ...args],
      {
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "pipe"]
      }
    )
    let complaints = ""
    child.stderr.on("data", (chunk) => {
      complaints += chunk
      process.stderr.write(chunk)
    })
    const exited = new Promise<number | null>((resolve) => child.on("exit", resolve))
    yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
    const lines: Array<Record<string, unknown>> = []
    const url = yield* Effect.async<string>((resume) => {
      createInterface({ input: child.stdout }).on("line", (text) => {
        const line: Record<string, unknown> = JSON.parse(text)
        lines.push(line)
        if (line["message"] === "listening") resume(Effect.succeed(String(line["url"])))
      })
      exited.then((code) => resume(Effect.dieMessage(`the gateway ended with ${code} before it listened`)))
    })
    return {
      url,
      lines,
      complaints: () => complaints,
      file,
      pid: child.pid ?? 0,
      signal: (signal) => void child.kill(signal),
      stop: (signal = "SIGTERM") => {
        child.kill(signal)
        return exited
      },
      deafen: () => void child.stdout.destroy()
    }
  })
