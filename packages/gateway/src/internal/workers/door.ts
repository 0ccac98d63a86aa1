import { createServer, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { ListenError } from "../../Server.ts"
import { listen } from "../network/listen.ts"

/** The address of a gateway, whose connections its workers have in turns. */
interface Door {
  readonly url: string
  /** Has another one take its turns: the next comes when it has taken the last. Gives how it no longer does. */
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
    const close = Effect.sync(() => {
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
        const give = (socket: Socket) =>
          void Effect.runFork(
            Effect.map(take(socket), () => {
              if (gone) return
              free.add(give)
              next()
            })
          )
        free.add(give)
        next()
        return () => {
          gone = true
          free.delete(give)
        }
      },
      close
    }
  })
