import { createServer, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { ListenError } from "../../Server.ts"
import { listen } from "../network/listen.ts"

/** The listening socket of a gateway, whose connections go to its workers round robin. */
interface Door {
  readonly url: string
  /**
   * Adds a worker, which gets its next connection after it has taken the last one. Returns a function to call when the
   * worker has ended, which passes a connection that it had not taken to another one.
   */
  readonly admit: (take: (socket: Socket) => Effect.Effect<void>) => () => void
  /** Stops accepting. */
  readonly close: Effect.Effect<void>
}

/** Round robin, since otherwise a few long-lived connections might all go to the same worker. */
export const open = (host: string, port: number): Effect.Effect<Door, ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const free = new Set<(socket: Socket) => void>()
    const waiting: Array<Socket> = []
    const next = () => {
      for (const give of free) {
        const socket = waiting.shift()
        if (socket === undefined) return
        free.delete(give)
        give(socket)
      }
    }
    // The data stays unread for the worker.
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      socket.on("error", () => {})
      waiting.push(socket)
      next()
    })
    let closed = false
    const close = Effect.sync(() => {
      closed = true
      server.close()
      for (const socket of waiting.splice(0)) socket.destroy()
    })
    const url = yield* Effect.acquireRelease(
      Effect.mapError(listen(server, host, port), (code) => new ListenError({ host, port, code })),
      () => close
    )
    return {
      url,
      admit: (take) => {
        let gone = false
        let given: Socket | undefined
        const give = (socket: Socket) => {
          given = socket
          void Effect.runFork(
            Effect.map(take(socket), () => {
              if (given === undefined) return
              given = undefined
              // The worker has its own copy of the handle now.
              socket.destroy()
              if (gone) return
              free.add(give)
              next()
            })
          )
        }
        free.add(give)
        next()
        return () => {
          gone = true
          free.delete(give)
          // Once closed, no other worker takes it, but this one may while it drains.
          if (given === undefined || closed) return
          waiting.unshift(given)
          given = undefined
          next()
        }
      },
      close
    }
  })
