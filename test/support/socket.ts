import { Effect } from "effect"
import { freePort } from "./ports.ts"
import type { Behaviour } from "./wall.ts"

/** Puts these very bytes on the connection in place of a response, and then does as told. */
export const bytes =
  (text: string | Buffer, then: "close" | "reset" | "stall" = "close"): Behaviour =>
  (response) => {
    const { socket } = response
    socket?.write(text, () => {
      if (then === "close") socket.end()
      else if (then === "reset") setTimeout(() => socket.resetAndDestroy(), 2)
    })
  }

/** The base URL of an upstream that nobody listens at. */
export const nowhere: Effect.Effect<string> = Effect.map(freePort, (port) => `http://127.0.0.1:${port}/v1`)
