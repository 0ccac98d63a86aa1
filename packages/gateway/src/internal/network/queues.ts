import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type * as Fiber from "effect/Fiber"

interface Waiting {
  readonly outgoing: ServerResponse
  readonly fiber: Fiber.RuntimeFiber<unknown>
}

/**
 * The requests that came by a connection before an earlier one of it had its answer. When their caller leaves, Node says
 * so to the response alone whose turn it is, and none of theirs ever closes.
 */
export class Queues {
  private readonly queues = new WeakMap<Socket, Set<Waiting>>()

  isFull(socket: Socket): boolean {
    return (this.queues.get(socket)?.size ?? 0) >= mostQueued
  }

  /** Interrupts what answers it where the connection closes first. */
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

/** Of one connection: each costs as much as one that has a connection of its own. */
const mostQueued = 16
