import { createServer, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { ListenError } from "../../Server.ts"
import { listen } from "../network/listen.ts"

/** The address of a gateway, whose connections its workers have in turns. */
interface Door {
  readonly url: string
  /**
   * Has another one take its turns: the next comes when it has taken the last. Gives what is to be done once it has
   * ended: then another one gets what it was given and has not taken.
   */
  readonly admit: (take: (socket: Socket) => Effect.Effect<void>) => () => void
  /** Takes no more. */
  readonly close: Effect.Effect<void>
}

/** In turns, and not to whoever is first: a few connections that stay would all come to the same worker. */
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
    // What a caller says is left for who answers it.
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
              // It has one of its own now.
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
          // Once closed nobody else takes it, and one that only drains still may.
          if (given === undefined || closed) return
          waiting.unshift(given)
          given = undefined
          next()
        }
      },
      close
    }
  })
