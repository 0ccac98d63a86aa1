import type { IncomingMessage, ServerResponse } from "node:http"
import type { Response } from "@understudy/http/OpenAiRouter"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Writes a response, no faster than the caller reads it; done when all of it has been handed over. */
export const send = (outgoing: ServerResponse, response: Response): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (response.body instanceof Uint8Array) {
      const { req } = outgoing
      // What was left unread of a request cannot be skipped: the connection has nothing more to say.
      if (!req.complete) outgoing.setHeader("connection", "close")
      outgoing.writeHead(response.status, { ...response.headers, "content-length": response.body.length })
      if (req.complete) return end(outgoing, response.body)
      outgoing.write(response.body)
      return Effect.zipRight(linger(req), end(outgoing))
    }
    outgoing.writeHead(response.status, response.headers)
    outgoing.flushHeaders()
    return Effect.zipRight(
      Stream.runForEach(response.body, (chunk) => write(outgoing, chunk)),
      end(outgoing)
    )
  })

/**
 * Reads on for a while past an answer that came before the end of the request. A connection that is closed with
 * bytes unread is reset, and most clients then see a broken pipe in place of the answer.
 */
const linger = (incoming: IncomingMessage): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    incoming.once("end", () => resume(Effect.void))
    incoming.resume()
  }).pipe(Effect.timeoutOption("5 seconds"), Effect.asVoid)

const write = (outgoing: ServerResponse, chunk: Uint8Array): Effect.Effect<void> =>
  Effect.suspend(() =>
    outgoing.write(chunk)
      ? Effect.void
      : Effect.async<void>((resume) => {
          const onDrain = () => resume(Effect.void)
          outgoing.once("drain", onDrain)
          return Effect.sync(() => outgoing.off("drain", onDrain))
        })
  )

const end = (outgoing: ServerResponse, body?: Uint8Array): Effect.Effect<void> =>
  Effect.async((resume) => void outgoing.end(body, () => resume(Effect.void)))
