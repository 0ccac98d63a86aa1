import { type ChildProcess, execFileSync, fork } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { createServer } from "node:net"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import type { Asked, Usage } from "./probe.ts"

/** A server in a process of its own that can be asked what it uses. */
export interface Server {
  readonly url: string
  readonly pid: number
  readonly ask: (asked: Asked) => Promise<Usage>
  readonly end: () => Promise<void>
}

/** Where a process may run: what is measured on one core, what measures it on the other; several processes on both. */
export type Core = "measured" | "load" | "both"

const canPin = (() => {
  try {
    execFileSync("taskset", ["--version"])
    return availableParallelism() >= 2
  } catch {
    return false
  }
})()

export const onCore = (core: Core): ReadonlyArray<string> =>
  canPin && core !== "both" ? ["taskset", "-c", core === "measured" ? "1" : "0"] : []

export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

/** Starts a program without waiting for it to listen; what it prints goes to a file, as in production. */
export const start = async (
  out: string,
  options: {
    readonly name: string
    readonly core: Core
    readonly program: string
    readonly args: (port: number) => ReadonlyArray<string>
    readonly env?: Readonly<Record<string, string>> | undefined
  }
): Promise<Server> => {
  const port = await freePort()
  const log = openSync(join(out, `${options.name}.log`), "w")
  const node = [process.execPath, "--expose-gc", "--import", join(out, "probe.mjs")]
  const [execPath, ...execArgv] = [...onCore(options.core), ...node] as [string, ...Array<string>]
  const child = fork(options.program, options.args(port), {
    execPath,
    execArgv,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", log, log, "ipc"]
  })
  closeSync(log)
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    ask: (asked) => nextAnswer(child, options.name, asked),
    end: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null) return resolve()
        child.once("exit", () => resolve())
        child.kill("SIGKILL")
      })
  }
}

const nextAnswer = (child: ChildProcess, name: string, asked: Asked): Promise<Usage> =>
  new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error(`${name} has ended; see its log`))
    child.once("exit", ended)
    child.once("message", (usage: Usage) => {
      child.removeListener("exit", ended)
      resolve(usage)
    })
    child.send(asked)
  })
