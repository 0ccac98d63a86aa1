import type { Server } from "node:http"
import type { Socket } from "node:net"
import * as Effect from "effect/Effect"

/** Connections that another process accepts at this address and hands over to this one. */
export interface HandedOver {
  readonly url: string
  readonly onConnection: (take: (socket: Socket) => void) => void
}

/** Lets a server serve them. Returns an effect that completes when the last of them has closed. */
export const serve = (server: Server, { onConnection }: HandedOver): Effect.Effect<void> => {
  let open = 0
  let onEmpty = () => {}
  // A server starts checking the duration of requests when it listens.
  server.emit("listening")
  onConnection((socket) => {
    // As on connections that it accepts itself.
    socket.allowHalfOpen = true
    open++
    socket.on("close", () => {
      open--
      if (open === 0) onEmpty()
    })
    server.emit("connection", socket)
  })
  return Effect.async((resume) => {
    onEmpty = () => resume(Effect.void)
    if (open === 0) onEmpty()
  })
}
