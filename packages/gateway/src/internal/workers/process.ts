import cluster from "node:cluster"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type { Port } from "./channel.ts"

/** A process of the same program. */
export interface Process {
  readonly port: Port
  /** How it ended, after all its output has been received. */
  readonly ended: Effect.Effect<string>
  readonly kill: () => void
}

/** Starts one. Its output is passed on in whole lines, without the last newline. */
export const start = (print: (lines: string) => void): Process => {
  // Piped through this process, so that lines of several workers do not mix. The serialization supports more than JSON.
  cluster.setupPrimary({ stdio: ["ignore", "pipe", "inherit", "ipc"], serialization: "advanced" })
  const { process: child } = cluster.fork()
  const ended = Deferred.unsafeMake<string>(FiberId.none)
  const end = (how: string) => Deferred.unsafeDone(ended, Effect.succeed(how))
  child.on("close", (code, signal) => end(signal ?? `exit code ${code}`))
  child.on("error", (error) => end(error.message))
  let rest: Buffer = Buffer.alloc(0)
  child.stdout?.on("data", (chunk: Buffer) => {
    const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const end = all.lastIndexOf("\n")
    if (end >= 0) print(all.toString("utf8", 0, end))
    rest = all.subarray(end + 1)
  })
  return {
    port: {
      // Errors are ignored: that it has ended is noticed elsewhere, and a connection that it has not taken is still
      // open here.
      send: (message, socket) => void child.send(message as object, socket, { keepOpen: true }, () => {}),
      onMessage: (hear) => void child.on("message", (message) => hear(message, undefined))
    },
    ended: Deferred.await(ended),
    kill: () => void child.kill("SIGKILL")
  }
}
