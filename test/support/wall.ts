import * as Http from "node:http"
import * as Https from "node:https"
import { Effect, type Scope } from "effect"
import type { Identity } from "./certificate.ts"
import { listen } from "./ports.ts"

/** What the wall does with one request. The body has been read. */
export type Behaviour = (response: Http.ServerResponse, request: Received) => void

/** What an upstream saw of one request. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: Http.IncomingMessage["headers"]
  readonly body: Buffer
  readonly at: number
  /** Whether the caller's side of the connection went away before the answer was complete. */
  abandoned: boolean
}

/** A real upstream on a real socket that does as it is told. */
export interface Wall {
  /** The base URL for an `openai` provider. */
  readonly url: string
  readonly received: Array<Received>
  /** Sockets open now. */
  readonly sockets: () => number
  /** Sockets opened so far. */
  readonly connections: () => number
  /** Closes every socket that has no request on it, as upstreams do after a while. */
  readonly closeIdle: () => void
  /** One behaviour a request, the last one for ever. */
  readonly script: (...behaviours: ReadonlyArray<Behaviour>) => void
}

const wallOver = (
  scheme: "http" | "https",
  createServer: (listener: Http.RequestListener) => Http.Server | Https.Server
): Effect.Effect<Wall, never, Scope.Scope> =>
  Effect.gen(function* () {
    const received: Array<Received> = []
    const sockets = new Set<unknown>()
    let connections = 0
    let behaviours: ReadonlyArray<Behaviour> = [answer()]
    let served = 0
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const seen: Received = {
          method: request.method ?? "",
          path: request.url ?? "",
          headers: request.headers,
          body: Buffer.concat(chunks),
          at: performance.now(),
          abandoned: false
        }
        received.push(seen)
        response.on("close", () => {
          seen.abandoned = !response.writableFinished
        })
        const behaviour = behaviours[Math.min(served++, behaviours.length - 1)] as Behaviour
        behaviour(response, seen)
      })
    })
    server.keepAliveTimeout = 0
    server.on("connection", (socket) => {
      connections++
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
    })
    const port = yield* Effect.acquireRelease(listen(server), () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
    )
    return {
      url: `${scheme}://127.0.0.1:${port}/v1`,
      received,
      sockets: () => sockets.size,
      connections: () => connections,
      closeIdle: () => server.closeIdleConnections(),
      script: (...next) => {
        behaviours = next
        served = 0
      }
    }
  })

export const wall: Effect.Effect<Wall, never, Scope.Scope> = wallOver("http", (listener) =>
  Http.createServer(listener)
)

export const tlsWall = (identity: Identity & Speaks): Effect.Effect<Wall, never, Scope.Scope> =>
  wallOver("https", (listener) => Https.createServer({ ...identity }, listener))

/** What a TLS server is able to speak. */
export interface Speaks extends Pick<Https.ServerOptions, "ALPNProtocols" | "maxVersion" | "minVersion"> {}

const modelOf = (received: Received): string => JSON.parse(received.body.toString()).model

/** A whole answer, or a stream of words where the caller asked for one. */
export const answer =
  (words: ReadonlyArray<string> = ["Hello", " there"]): Behaviour =>
  (response, received) => {
    if (JSON.parse(received.body.toString()).stream === true) {
      return stream([role, ...words.map(content), finish])(response, received)
    }
    response.writeHead(200, { "content-type": "application/json" })
    response.end(
      JSON.stringify({
        id: "chatcmpl-1",
        object: "chat.completion",
        created: 1,
        model: modelOf(received),
        choices: [
          { index: 0, message: { role: "assistant", content: words.join("") }, finish_reason: "stop" }
        ],
        usage: { prompt_tokens: 1, completion_tokens: words.length, total_tokens: 1 + words.length }
      })
    )
  }

/** An error in OpenAI's envelope. */
export const fails =
  (status: number, code: string | null = null, headers: Record<string, string> = {}): Behaviour =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(JSON.stringify({ error: { message: "scripted", type: "scripted", param: null, code } }))
  }

/** A body of one's own. */
export const sends =
  (status: number, contentType: string, body: string | Buffer): Behaviour =>
  (response) => {
    response.writeHead(status, { "content-type": contentType })
    response.end(body)
  }

/** One payload of a stream, to be given to `stream`. */
export type Piece = (model: string) => string

const chunk =
  (delta: object, finish_reason: string | null = null): Piece =>
  (model) =>
    `data: ${JSON.stringify({
      id: "chatcmpl-1",
      object: "chat.completion.chunk",
      created: 1,
      model,
      choices: [{ index: 0, delta, finish_reason }]
    })}\n\n`

export const role: Piece = chunk({ role: "assistant", content: "" })
export const content = (text: string): Piece => chunk({ content: text })
export const finish: Piece = chunk({}, "stop")
export const done: Piece = () => "data: [DONE]\n\n"
export const raw =
  (text: string): Piece =>
  () =>
    text

/** Streams the pieces, each in a segment of its own, and then does what `end` says; by default `[DONE]` and the end. */
export const stream =
  (pieces: ReadonlyArray<Piece>, end: "done" | "eof" | "reset" | "stall" = "done"): Behaviour =>
  (response, received) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.flushHeaders()
    const model = modelOf(received)
    const queue = end === "done" ? [...pieces, done] : [...pieces]
    const next = () => {
      const piece = queue.shift()
      if (response.destroyed) return
      if (piece !== undefined) response.write(piece(model), () => setTimeout(next, 2))
      else if (end === "reset") response.destroy()
      else if (end !== "stall") response.end()
    }
    next()
  }

/** Says nothing at all. */
export const silence: Behaviour = () => {}

/** Breaks the connection before a byte of an answer. */
export const reset: Behaviour = (response) => void response.destroy()

/** A stream of these bytes, each of its segments `size` bytes long. */
export const trickle =
  (bytes: Buffer, size = 1): Behaviour =>
  (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    let sent = 0
    const next = (): void => {
      if (sent >= bytes.length) return void response.end()
      sent += size
      response.write(bytes.subarray(sent - size, sent), next)
    }
    next()
  }

/** A stream whose pieces the test sends, one at a time. */
export interface Held {
  readonly behaviour: Behaviour
  readonly send: (...pieces: ReadonlyArray<Piece>) => void
  readonly end: () => void
}

export const held = (): Held => {
  let open: { readonly response: Http.ServerResponse; readonly model: string } | undefined
  const opened = () => {
    if (open === undefined) throw new Error("nobody asked for this stream yet")
    return open
  }
  return {
    behaviour: (response, received) => {
      open = { response, model: modelOf(received) }
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.flushHeaders()
    },
    send: (...pieces) => {
      const { model, response } = opened()
      for (const piece of pieces) response.write(piece(model))
    },
    end: () => void opened().response.end()
  }
}
