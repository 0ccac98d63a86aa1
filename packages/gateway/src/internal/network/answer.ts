import type { IncomingMessage, ServerResponse } from "node:http"
import * as Thin from "@understudy/core/Thin"
import type { Response } from "@understudy/http/OpenAiRouter"
import * as Effect from "effect/Effect"

/**
 * Writes a response, no faster than the caller reads it; done when all of it has been handed over. Of what lies there for
 * it a caller has to take a megabyte, or all, in `stallMillis`: one that takes a byte now and then would hold a place for days.
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
      // What was left unread of a request cannot be skipped: the connection has nothing more to say.
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
 * Sends the head with the first words, where those come in the same turn: as soon as they are written, for somebody waits for
 * them, and Node would keep them until the turn is over.
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

/** Node says that a request is complete only after it has been heard of, even where nothing follows its headers. */
const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0

/**
 * Reads on for a while past an answer that came before the end of the request. A connection that is closed with
 * bytes unread is reset, and most clients then see a broken pipe in place of the answer.
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
      // With the answers of all other fibers: one after the other they cost less, probably since a reader is woken once.
      currentScheduler.scheduleTask(() => {
        outgoing.end(body)
        // Nearly always the system has taken all of it already.
        if (outgoing.writableLength === 0) return resume(Effect.void)
        const finished = taken(outgoing, stallMillis, (done) => {
          outgoing.once("finish", done)
          return () => outgoing.off("finish", done)
        })
        resume(finished)
      }, afterAllElse)
    )
  )

/** Of a turn: the scheduler's smaller numbers come first. */
const afterAllElse = 1

/** Waits until the caller has taken what was written, and destroys the connection of one that is not done in time. */
const taken = (
  outgoing: ServerResponse,
  stallMillis: number,
  waitFor: (done: () => void) => () => void
): Effect.Effect<void> =>
  Effect.async((resume) => {
    const forget = waitFor(() => {
      clearTimeout(timer)
      resume(Effect.void)
    })
    const megabytes = Math.ceil(outgoing.writableLength / 1e6)
    const late = () => {
      // It is not this answer's turn yet: one to an earlier request of the connection is still being sent.
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
