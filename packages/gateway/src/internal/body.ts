import type { Readable } from "node:stream"
import { type TransportError, transportError } from "@understudy/http/Upstream"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/**
 * A readable as it comes in, one stream chunk for what has arrived. Its async iterator would not do: it cannot be
 * given up while it waits for a peer that has fallen silent.
 */
export const bodyOf = (readable: Readable): Stream.Stream<Uint8Array, TransportError> => {
  // An error that comes while nobody reads would otherwise end the process.
  readable.on("error", () => {})
  return Stream.repeatEffectChunkOption(
    Effect.async<Chunk.Chunk<Uint8Array>, Option.Option<TransportError>>((resume) => {
      const settle = (): boolean => {
        const chunk: Buffer | null = readable.read()
        if (chunk !== null) resume(Effect.succeed(Chunk.of(chunk)))
        else if (readable.errored) resume(Effect.fail(Option.some(transportError(readable.errored))))
        else if (readable.readableEnded) resume(Effect.fail(Option.none()))
        else if (readable.destroyed) resume(Effect.fail(Option.some(transportError(undefined))))
        else return false
        return true
      }
      if (settle()) return
      const stop = () => {
        for (const event of events) readable.off(event, listener)
      }
      const listener = () => {
        if (settle()) stop()
      }
      for (const event of events) readable.on(event, listener)
      return Effect.sync(stop)
    })
  )
}

const events = ["readable", "end", "error", "close"] as const
