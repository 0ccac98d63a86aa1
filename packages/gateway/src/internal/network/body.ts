import type { Readable } from "node:stream"
import { type TransportError, transportError } from "@understudy/http/Upstream"
import * as Effect from "effect/Effect"

/**
 * Reads a readable as its bytes come in: whatever has arrived, and `undefined` after the last. Its async iterator
 * would not do: it cannot be given up while it waits for a peer that has fallen silent.
 */
export const reading = (readable: Readable): Effect.Effect<Uint8Array | undefined, TransportError> => {
  const settled = (): Effect.Effect<Uint8Array | undefined, TransportError> | undefined => {
    const chunk: Buffer | null = readable.read()
    if (chunk !== null) return Effect.succeed(chunk)
    if (readable.errored) return Effect.fail(transportError(readable.errored))
    if (readable.readableEnded) return ended
    return readable.destroyed ? Effect.fail(transportError(undefined)) : undefined
  }
  let wake = () => {}
  // They stay: an error that comes while nobody reads would otherwise end the process.
  for (const event of events) readable.on(event, () => wake())
  return Effect.suspend(
    () =>
      settled() ??
      Effect.async((resume) => {
        wake = () => {
          const next = settled()
          if (next === undefined) return
          wake = () => {}
          resume(next)
        }
        return Effect.sync(() => {
          wake = () => {}
        })
      })
  )
}

const ended = Effect.succeed(undefined)

const events = ["readable", "end", "error", "close"] as const
