import { Socket } from "node:net"
import { buildConnector, Client, type Dispatcher } from "undici"

/** One connection, kept open between its requests, which it takes one at a time. */
export interface Connection {
  readonly dispatch: (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) => void
  /** It is free for another one. */
  readonly giveBack: () => void
  /** Nobody waits for its answer any more. */
  readonly destroy: () => void
}

/**
 * The connections of one provider.
 *
 * They stand in place of undici's `Agent`, which opens another connection, for nothing, after every request that
 * was given up (nodejs/undici#5845), and goes on connecting for one that was.
 */
export interface Connections {
  /** One that is free, or a new one. */
  readonly take: (origin: string) => Connection
  readonly destroy: () => void
}

export const make = (connectTimeout: number): Connections => {
  const connector = buildConnector({ timeout: connectTimeout })
  const free = new Map<string, Array<Connection>>()
  const open = new Set<Connection>()
  const freeAt = (origin: string): Array<Connection> => {
    const connections = free.get(origin) ?? []
    free.set(origin, connections)
    return connections
  }

  const connect = (origin: string): Connection => {
    let socket: unknown
    const client = new Client(origin, {
      // The policy bounds the time.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (options, callback) => {
        // It returns the socket, which its type does not say.
        socket = connector(options, callback)
      }
    })
    client.on("disconnect", () => {
      const index = freeAt(origin).indexOf(connection)
      if (index === -1) return
      freeAt(origin).splice(index, 1)
      open.delete(connection)
    })
    const connection: Connection = {
      dispatch: (options, handler) => void client.dispatch(options, handler),
      giveBack: () => void freeAt(origin).push(connection),
      destroy: () => {
        open.delete(connection)
        client.destroy().catch(() => {})
        // The client does not end what is still connecting.
        if (socket instanceof Socket) socket.destroy(new Error("given up"))
      }
    }
    open.add(connection)
    return connection
  }

  return {
    take: (origin) => freeAt(origin).pop() ?? connect(origin),
    destroy: () => {
      for (const connection of open) connection.destroy()
    }
  }
}
