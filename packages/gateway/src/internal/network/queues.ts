import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type * as Fiber from "effect/Fiber"

interface Waiting {
  readonly outgoing: ServerResponse
  readonly fiber: Fiber.RuntimeFiber<unknown>
}

/**
 * The pipelined requests of a connection. When their caller disconnects, Node tells only the response whose turn it is,
 * and the others never close.
 */
export class Queues {
  private readonly queues = new WeakMap<Socket, Set<Waiting>>()

  isFull(socket: Socket): boolean {
    return (this.queues.get(socket)?.size ?? 0) >= mostQueued
  }

  /** Interrupts the fiber if the connection closes before its answer. */
  add(socket: Socket, outgoing: ServerResponse, fiber: Fiber.RuntimeFiber<unknown>): void {
    const queue = this.queues.get(socket) ?? this.begin(socket)
    const waiting = { outgoing, fiber }
    queue.add(waiting)
    fiber.addObserver(() => queue.delete(waiting))
  }

  private begin(socket: Socket): Set<Waiting> {
    const queue = new Set<Waiting>()
    this.queues.set(socket, queue)
    socket.once("close", () => {
      for (const { fiber, outgoing } of queue) {
        outgoing.destroy()
        fiber.unsafeInterruptAsFork(fiber.id())
      }
    })
    return queue
  }
}

/** Per connection, since each costs as much as a request with its own connection. */
const mostQueued = 16
