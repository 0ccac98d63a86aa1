import type { IncomingMessage, ServerResponse } from "node:http"
import * as Thin from "@understudy/core/Thin"
import type { Response } from "@understudy/http/OpenAiRouter"
import * as Effect from "effect/Effect"

/**
 * Writes a response no faster than the caller reads it, and completes when all of it has been handed over. The caller
 * has to read a megabyte of what is ready, or all of it, per `stallMillis`: one that reads a byte now and then would
 * occupy a place for days.
 */
export const send = (
  outgoing: ServerResponse,
  response: Response,
  stallMillis: number
): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (response.body instanceof Uint8Array) {
      const { req } = outgoing
      const isRead = req.complete || !hasBody(req)
      // The unread rest of a request cannot be skipped, so the connection cannot be reused.
      if (!isRead) outgoing.setHeader("connection", "close")
      outgoing.writeHead(response.status, { ...response.headers, "content-length": response.body.length })
      if (isRead) return end(outgoing, stallMillis, response.body)
      outgoing.write(response.body)
      return Effect.zipRight(linger(req), end(outgoing, stallMillis))
    }
    outgoing.writeHead(response.status, response.headers)
    const letGo = holdHead(outgoing)
    const drained = drain(outgoing, stallMillis)
    const rest: Effect.Effect<void> = Effect.flatMap(response.body, (bytes) => {
      if (bytes === undefined) return end(outgoing, stallMillis)
      const hasRoom = outgoing.write(bytes)
      letGo()
      return hasRoom ? rest : Effect.zipRight(drained, rest)
    })
    return rest
  })

/**
 * Sends the head together with the first bytes of the body if those come in the same tick, as soon as they are written:
 * the caller is waiting for them, and Node would hold them until the end of the tick.
 */
const holdHead = (outgoing: ServerResponse): (() => void) => {
  const { socket } = outgoing
  let isHeld = true
  const letGo = (): void => {
    if (isHeld) socket?.uncork()
    isHeld = false
  }
  socket?.cork()
  process.nextTick(letGo)
  outgoing.flushHeaders()
  return letGo
}

/** Whether a body follows. Node reports a request as complete only after its listeners have run, even without a body. */
const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0

/**
 * Keeps reading for a while after an answer that came before the end of the request. A connection closed with unread
 * bytes is reset, and most clients then report a broken pipe instead of the answer.
 */
const linger = (incoming: IncomingMessage): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    incoming.once("end", () => resume(Effect.void))
    incoming.resume()
  }).pipe(Effect.timeoutOption("5 seconds"), Effect.asVoid)

const drain = (outgoing: ServerResponse, stallMillis: number): Effect.Effect<void> =>
  taken(outgoing, stallMillis, (done) => {
    outgoing.once("drain", done)
    return () => outgoing.off("drain", done)
  })

const end = (outgoing: ServerResponse, stallMillis: number, body?: Uint8Array): Effect.Effect<void> =>
  Effect.withFiberRuntime(({ currentScheduler }) =>
    Thin.wait((resume) =>
      // Together with the answers of all other fibers: one after the other they cost less, probably because a reader is
      // woken only once.
      currentScheduler.scheduleTask(() => {
        outgoing.end(body)
        // Nearly always the operating system has accepted all of it already.
        if (outgoing.writableLength === 0) return resume(Effect.void)
        const finished = taken(outgoing, stallMillis, (done) => {
          // Before Node's listener, which begins to wait for the connection's next request.
          outgoing.prependOnceListener("finish", done)
          return () => outgoing.off("finish", done)
        })
        resume(finished)
      }, afterAllElse)
    )
  )

/** A priority within a tick: smaller numbers run first. */
const afterAllElse = 1

/**
 * Waits until the caller has read what was written, and destroys the connection if that takes too long, or if nothing
 * of it moves for `stallMillis`.
 */
const taken = (
  outgoing: ServerResponse,
  stallMillis: number,
  waitFor: (done: () => void) => () => void
): Effect.Effect<void> =>
  Effect.async((resume) => {
    const forget = waitFor(() => {
      clearTimeout(timer)
      outgoing.setTimeout(0)
      resume(Effect.void)
    })
    // Node's own, which notices every byte. Only for as long as this lasts, since a connection pays for it.
    outgoing.setTimeout(stallMillis)
    const megabytes = Math.ceil(outgoing.writableLength / 1e6)
    const late = () => {
      // It is not this answer's turn yet: the answer to an earlier pipelined request is still being sent.
      if (outgoing.socket === null) timer.refresh()
      else outgoing.destroy()
    }
    const timer = setTimeout(late, Math.min(stallMillis * megabytes, longestTimer))
    return Effect.sync(() => {
      clearTimeout(timer)
      forget()
    })
  })

export const longestTimer = 2 ** 31 - 1
