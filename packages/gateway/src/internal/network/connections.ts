import { Socket } from "node:net"
import { buildConnector, Client, type Dispatcher } from "undici"

/** One connection, kept open between its requests, which it takes one at a time. */
export interface Connection {
  readonly request: (
    options: Dispatcher.RequestOptions,
    settle: (error: Error | null, response: Dispatcher.ResponseData) => void
  ) => void
  /**
   * Nobody wants anything more of its request. It is free again once the answer has ended; where that is not to be
   * waited for, or does not come to pass, it is closed.
   */
  readonly release: (mayEnd: boolean) => void
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
  const open = new Map<Connection, () => void>()
  const freeAt = (origin: string): Array<Connection> => {
    const connections = free.get(origin) ?? []
    free.set(origin, connections)
    return connections
  }

  const connect = (origin: string): Connection => {
    let socket: unknown
    let body: Dispatcher.ResponseData["body"] | undefined
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
    const giveBack = () => void freeAt(origin).push(connection)
    const destroy = () => {
      open.delete(connection)
      client.destroy().catch(() => {})
      // The client does not end what is still connecting.
      if (socket instanceof Socket) socket.destroy(new Error("given up"))
    }
    const connection: Connection = {
      request: (options, settle) => {
        body = undefined
        client.request(options, (error, response) => {
          body = response?.body
          settle(error, response)
        })
      },
      release: (mayEnd) => {
        if (body?.readableEnded) return giveBack()
        if (body === undefined || !mayEnd) return destroy()
        // After the last event of a stream its body has yet to end.
        const tooLate = setTimeout(destroy, endOfBodyWithin)
        body.once("end", () => {
          clearTimeout(tooLate)
          giveBack()
        })
        // It does not flow while there is somebody who waits to read it.
        body.removeAllListeners("readable")
        body.resume()
      }
    }
    open.set(connection, destroy)
    return connection
  }

  return {
    take: (origin) => freeAt(origin).pop() ?? connect(origin),
    destroy: () => {
      for (const destroy of open.values()) destroy()
    }
  }
}

const endOfBodyWithin = 1000
