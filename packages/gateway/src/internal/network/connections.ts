import { Socket } from "node:net"
import { buildConnector, Client, type Dispatcher } from "undici"
import * as Turns from "./turns.ts"

/** One keep-alive connection, for one request at a time. */
export interface Connection {
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void
  /** Makes it available for another request. */
  giveBack(): void
  /** Closes it, since its answer is no longer wanted. */
  destroy(): void
}

/**
 * The connections of one provider.
 *
 * Used in place of undici's `Agent`, which needlessly opens another connection after every abandoned request
 * (nodejs/undici#5845), and keeps connecting for a request that was abandoned.
 */
interface Connections {
  /** Takes a free connection, or opens a new one. */
  readonly take: (origin: string) => Connection
  readonly destroy: () => void
}

export const make = (connectTimeout: number): Connections => {
  // The connect timeout is ours, since undici keeps its own for as long as the connection.
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

/** What connections to the same origin share. */
interface Place {
  readonly url: URL
  readonly connector: buildConnector.connector
  readonly connectTimeout: number
  readonly free: Array<Connection>
  /** The connections to all origins. */
  readonly open: Set<Connection>
}

class KeptOpen implements Connection {
  private readonly place: Place
  private readonly client: Client
  private socket: unknown
  /** The first turn in which it is known what had come while it was free, and the count which that is of. */
  private readBefore = 0
  private turns = Turns.current()

  constructor(place: Place) {
    this.place = place
    this.client = new Client(place.url, {
      // Time is bounded by the policy.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (options, callback) => {
        const tooLate = setTimeout(() => this.abandon(notInTime()), place.connectTimeout)
        const connected: buildConnector.Callback = (...socket) => {
          clearTimeout(tooLate)
          callback(...socket)
        }
        // It returns the socket, though its type does not say so.
        this.socket = place.connector(options, connected)
      }
    })
    this.client.on("disconnect", () => this.forget())
    place.open.add(this)
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    if (Turns.isReached(this.turns, this.readBefore)) hasBeenRead(this.socket)
    this.client.dispatch(options, handler)
  }

  giveBack(): void {
    this.turns = Turns.current()
    this.readBefore = Turns.afterNextRead()
    this.place.free.push(this)
  }

  destroy(): void {
    this.place.open.delete(this)
    this.client.destroy().catch(() => {})
    // The client does not close a socket that is still connecting.
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

/**
 * Before undici writes to a socket that was idle, it lets the event loop read that once more: it may have been closed, or
 * hold an answer to nothing (GHSA-35p6-xmwp-9g52). In a turn, that has just been done; waiting for it again would take until
 * after the next one. An undici that keeps this differently waits as ever.
 */
const hasBeenRead = (socket: unknown): void => {
  if (!(socket instanceof Socket)) return
  const state = socket as unknown as Record<symbol, unknown>
  validation ??= Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === "kIdleSocketValidation"
  )
  if (validation !== undefined && state[validation] === unread) state[validation] = read
}

let validation: symbol | undefined

/** Undici's own values. */
const unread = 0
const read = 2

const notInTime = (): Error => Object.assign(new Error("not in time"), { code: "UND_ERR_CONNECT_TIMEOUT" })
