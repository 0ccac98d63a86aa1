import { Socket } from "node:net"
import { buildConnector, Client, type Dispatcher } from "undici"

/** One connection, kept open between its requests, which it takes one at a time. */
export interface Connection {
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void
  /** It is free for another one. */
  giveBack(): void
  /** Nobody waits for its answer any more. */
  destroy(): void
}

/**
 * The connections of one provider.
 *
 * They stand in place of undici's `Agent`, which opens another connection, for nothing, after every request that
 * was given up (nodejs/undici#5845), and goes on connecting for one that was.
 */
interface Connections {
  /** One that is free, or a new one. */
  readonly take: (origin: string) => Connection
  readonly destroy: () => void
}

export const make = (connectTimeout: number): Connections => {
  // Bounded here: what undici bounds it by it keeps as long as the connection.
  const connector = buildConnector({ timeout: 0 })
  const places = new Map<string, Place>()
  const open = new Set<Connection>()
  const placeAt = (origin: string): Place => {
    const place = places.get(origin) ?? { url: new URL(origin), connector, connectTimeout, free: [], open }
    places.set(origin, place)
    return place
  }
  return {
    take: (origin) => {
      const place = placeAt(origin)
      return place.free.pop() ?? new KeptOpen(place)
    },
    destroy: () => {
      for (const connection of open) connection.destroy()
    }
  }
}

/** What connections to the same place have in common. */
interface Place {
  readonly url: URL
  readonly connector: buildConnector.connector
  readonly connectTimeout: number
  readonly free: Array<Connection>
  /** Those to all places. */
  readonly open: Set<Connection>
}

class KeptOpen implements Connection {
  private readonly place: Place
  private readonly client: Client
  private socket: unknown

  constructor(place: Place) {
    this.place = place
    this.client = new Client(place.url, {
      // The policy bounds the time.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (options, callback) => {
        const tooLate = setTimeout(() => this.abandon(notInTime()), place.connectTimeout)
        const connected: buildConnector.Callback = (...socket) => {
          clearTimeout(tooLate)
          callback(...socket)
        }
        // It returns the socket, which its type does not say.
        this.socket = place.connector(options, connected)
      }
    })
    this.client.on("disconnect", () => this.forget())
    place.open.add(this)
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.client.dispatch(options, handler)
  }

  giveBack(): void {
    this.place.free.push(this)
  }

  destroy(): void {
    this.place.open.delete(this)
    this.client.destroy().catch(() => {})
    // The client does not end what is still connecting.
    this.abandon(new Error("given up"))
  }

  private abandon(error: Error): void {
    if (this.socket instanceof Socket) this.socket.destroy(error)
  }

  private forget(): void {
    const { free, open } = this.place
    const index = free.indexOf(this)
    if (index === -1) return
    free.splice(index, 1)
    open.delete(this)
  }
}

const notInTime = (): Error => Object.assign(new Error("not in time"), { code: "UND_ERR_CONNECT_TIMEOUT" })
