/**
 * The two sides of the gateway that touch the network: a server over `node:http`, and an upstream over `undici`.
 *
 * @since 0.1.0
 */
import * as Http from "node:http"
import { Server as NetServer, type Socket } from "node:net"
import * as Thin from "@understudy/core/Thin"
import type { Handler, Request } from "@understudy/http/OpenAiRouter"
import type { Upstream } from "@understudy/http/Upstream"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { longestTimer, send } from "./internal/network/answer.ts"
import { Body, lengthOf } from "./internal/network/body.ts"
import * as Connections from "./internal/network/connections.ts"
import { Exchange } from "./internal/network/exchange.ts"
import { type HandedOver, serve as serveHandedOver } from "./internal/network/handedOver.ts"
import { listen } from "./internal/network/listen.ts"
import { Queues } from "./internal/network/queues.ts"
import * as Refusals from "./internal/network/refusals.ts"
import * as Requests from "./internal/network/requests.ts"

/**
 * Listening on the address failed.
 *
 * @example
 * import { Server } from "@understudy/gateway"
 *
 * const error = new Server.ListenError({ host: "127.0.0.1", port: 80, code: "EACCES" })
 *
 * console.log(error.message.split(": ")[0]) // => cannot listen on 127.0.0.1:80
 *
 * @since 0.1.0
 * @category errors
 */
export class ListenError extends Data.TaggedError("ListenError")<{
  readonly host: string
  readonly port: number
  readonly code: string
}> {
  override get message(): string {
    return `cannot listen on ${this.host}:${this.port}: ${hindrances[this.code] ?? this.code}`
  }
}

const noAddress = "this machine has no such address; choose another server.host"

const hindrances: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; choose another server.port",
  EACCES: "the system lets only the privileged have this port; choose a server.port from 1024 on",
  EADDRNOTAVAIL: noAddress,
  ENOTFOUND: noAddress
}

/**
 * Where to listen, and the limits of a caller.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly handler: Handler
  readonly host: string
  readonly port: number
  /** Bytes. */
  readonly maxBody: number
  /** How long a caller may go without reading a byte of its answer, or take per megabyte. */
  readonly stallTimeout: Duration.Duration
  /** How long a shutdown waits for requests in flight. */
  readonly drain: Duration.Duration
  /** How long a connection may lie idle. Default: 75 seconds. */
  readonly keepAlive?: Duration.Duration | undefined
  /** Called with a defect that broke a connection. Default: ignored. */
  readonly onDefect?: ((cause: Cause.Cause<unknown>) => void) | undefined
  /** Connections handed over by another process. Default: it listens on `host` and `port` itself. */
  readonly handedOver?: HandedOver | undefined
}

/**
 * A server that listens.
 *
 * @since 0.1.0
 * @category models
 */
export interface Serving {
  readonly url: string
  /** How many requests have not had the whole of their answer yet. */
  readonly underWay: Effect.Effect<number>
}

/**
 * Serves a handler until the scope closes. Then it stops accepting, lets requests in flight finish for at most `drain`,
 * ends the rest and closes every connection.
 *
 * **Details**
 * - Every request runs in its own fiber and scope. A caller that disconnects interrupts it, which closes the upstream
 *   connection; so does one that does not read its answer for `stallTimeout`, or takes longer than that per megabyte.
 * - On one connection, 16 pipelined requests may wait behind an unanswered one; the next gets a 503, and the connection
 *   is closed.
 * - If a response breaks off after its head was sent, its connection is destroyed, so that it never looks complete.
 * - At the end of `drain` a stream ends with its `farewell`, and a request without an answer gets a 503.
 * - An invalid HTTP/1.1 request is refused in OpenAI's error envelope: 400, 408, 413, 417 or 431. Headers are limited
 *   to 16 KiB and 15 seconds, a whole request to 60 seconds, and an idle connection to 75.
 *
 * @example
 * import { Duration, Effect } from "effect"
 * import { Server } from "@understudy/gateway"
 *
 * const handler = () => Effect.succeed({ status: 200, headers: {}, body: new TextEncoder().encode("Hi") })
 * const program = Effect.gen(function* () {
 *   const { url } = yield* Server.serve({
 *     handler,
 *     host: "127.0.0.1",
 *     port: 0,
 *     maxBody: 1e6,
 *     stallTimeout: Duration.minutes(1),
 *     drain: Duration.seconds(1)
 *   })
 *   return yield* Effect.promise(async () => (await fetch(url)).text())
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => Hi
 *
 * @since 0.1.0
 * @category constructors
 */
export const serve = (options: Options): Effect.Effect<Serving, ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const { drain, handedOver, handler, host, maxBody, onDefect, port } = options
    const stallMillis = Math.min(Duration.toMillis(options.stallTimeout), longestTimer)
    const requests = yield* Requests.make
    const latest = new Map<Socket, Http.ServerResponse>()
    const isIdle = (socket: Socket): boolean => latest.get(socket)?.writableFinished === true
    const queues = new Queues()
    let stopping = false
    const server = Http.createServer({
      headersTimeout: 15_000,
      requestTimeout: 60_000,
      connectionsCheckingInterval: 5_000,
      // Longer than that of load balancers: the side that sends requests must be the one to close first.
      keepAliveTimeout: Duration.toMillis(options.keepAlive ?? Duration.seconds(75)),
      maxHeaderSize: Refusals.maxHeaderSize,
      // Checked by us, since Node's own refusal has no body.
      requireHostHeader: false
    })
    server.on("connection", (socket) => {
      requests.accepted()
      socket.on("close", () => latest.delete(socket))
    })
    server.on("request", (incoming, outgoing) => {
      latest.set(incoming.socket, outgoing)
      const hosts = countHosts(incoming.rawHeaders)
      if (hosts > 1 || (hosts === 0 && incoming.httpVersion === "1.1")) {
        return Refusals.answerWith(outgoing, Refusals.hosts(hosts))
      }
      // The connection still belongs to an earlier request.
      const isQueued = outgoing.socket === null
      if (isQueued && queues.isFull(incoming.socket)) {
        return Refusals.answerWith(outgoing, Refusals.queueFull())
      }
      let farewell: Uint8Array | undefined
      const fiber = requests.start(
        Effect.flatMap(handler(toRequest(incoming, maxBody)), (response) => {
          farewell = response.farewell
          if (stopping) outgoing.setHeader("connection", "close")
          return send(outgoing, response, stallMillis)
        }),
        (exit) => {
          if (Exit.isSuccess(exit)) return
          if (Cause.isDie(exit.cause)) onDefect?.(exit.cause)
          if (outgoing.destroyed || !Exit.isInterrupted(exit)) outgoing.destroy()
          else if (!outgoing.headersSent) Refusals.answerWith(outgoing, Refusals.stopping())
          else if (farewell !== undefined) outgoing.end(farewell)
          else outgoing.destroy()
        }
      )
      if (isQueued) queues.add(incoming.socket, outgoing, fiber)
      outgoing.on("close", () => {
        if (!outgoing.writableFinished) fiber.unsafeInterruptAsFork(fiber.id())
        if (stopping && isIdle(incoming.socket)) incoming.socket.destroy()
      })
    })
    server.on("checkContinue", (incoming, outgoing) => {
      // A client that waits for `100 Continue` need not send a body that will be refused.
      if (lengthOf(incoming) <= maxBody) outgoing.writeContinue()
      server.emit("request", incoming, outgoing)
    })
    server.on("checkExpectation", (_, outgoing) => Refusals.answerWith(outgoing, Refusals.expectation()))
    server.on("clientError", (error, socket) =>
      Refusals.refuseUnparsed(error, socket as Socket, latest.get(socket as Socket))
    )
    const begin = Effect.suspend(() => {
      // Not the HTTP server's own `close`, which cuts off callers that are still reading an answer that was completely
      // handed to Node.
      const closes = Effect.async<void>(
        (resume) => void NetServer.prototype.close.call(server, () => resume(Effect.void))
      )
      if (handedOver !== undefined) {
        const closed = serveHandedOver(server, handedOver)
        return Effect.succeed({ url: handedOver.url, closes: Effect.zipRight(closes, closed) })
      }
      return listen(server, host, port).pipe(
        Effect.map((url) => ({ url, closes })),
        Effect.mapError((code) => new ListenError({ host, port, code }))
      )
    })
    const { url } = yield* Effect.acquireRelease(begin, ({ closes }) =>
      Effect.gen(function* () {
        stopping = true
        const closed = yield* Effect.fork(closes)
        for (const socket of latest.keys()) if (isIdle(socket)) socket.destroy()
        // A finalizer is uninterruptible, and a timeout cannot end what is uninterruptible.
        yield* Effect.timeoutOption(Effect.interruptible(requests.awaitNone), drain)
        if ((yield* requests.count) > 0) {
          yield* requests.interruptAll
          // Their last bytes still have to be sent.
          yield* Effect.timeoutOption(Effect.interruptible(Fiber.join(closed)), "1 second")
        }
        server.closeAllConnections()
        yield* Fiber.join(closed)
        // All that is left to close is the timer that checks how long requests take.
        server.close()
      })
    )
    return { url, underWay: requests.count }
  })

/** Node's own `headers` keeps only the first. */
const countHosts = (rawHeaders: ReadonlyArray<string>): number => {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length === 4 && name.toLowerCase() === "host") count++
  }
  return count
}

const toRequest = (incoming: Http.IncomingMessage, maxBody: number): Request => {
  const target = incoming.url ?? "/"
  const headers = incoming.headers as Request["headers"]
  const named = target.startsWith("/") ? null : absolute.exec(target)
  return {
    method: incoming.method ?? "GET",
    path: named === null ? target : `/${named[2]}`,
    // It takes precedence over the header.
    headers: named === null ? headers : { ...headers, host: named[1]! },
    body: new Body(incoming, maxBody)
  }
}

/** An absolute-form target, which servers have to accept as well: host, and path with query. */
const absolute = /^https?:\/\/([^/?#]+)\/?(.*)$/i

/**
 * The port that providers send through, with its own keep-alive connections, which close with the scope. An abandoned
 * request closes its connection, even one that is not open yet.
 *
 * It neither follows redirects nor retries; apart from 10 seconds to connect, time is bounded by the policy. It asks
 * for uncompressed answers, and decodes gzip, deflate and br if they come anyway.
 *
 * @example
 * import { Effect } from "effect"
 * import { Server } from "@understudy/gateway"
 *
 * const program = Effect.flatMap(Server.upstream, ({ send }) =>
 *   Effect.flip(send({ method: "GET", url: "http://127.0.0.1:9/", headers: {}, body: undefined }))
 * )
 *
 * console.log((await Effect.runPromise(Effect.scoped(program))).code) // => ECONNREFUSED
 *
 * @since 0.1.0
 * @category constructors
 */
export const upstream: Effect.Effect<Upstream, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => Connections.make(connectWithin)),
    (connections) => Effect.sync(connections.destroy)
  ),
  (connections): Upstream => {
    let last = { url: "", origin: "", path: "" }
    // A provider has only one or two URLs.
    const placeOf = (url: string) => {
      if (last.url !== url) {
        const { origin, pathname, search } = new URL(url)
        last = { url, origin, path: pathname + search }
      }
      return last
    }
    return {
      send: ({ body, headers, method, url }) =>
        Thin.scopeWith((scope) => {
          const exchange = new Exchange()
          const releases = (exit: Exit.Exit<unknown, unknown>) =>
            Effect.sync(() => exchange.release(Exit.isSuccess(exit)))
          // Registered before it takes a connection, so that nothing can come in between.
          return Effect.flatMap(Scope.addFinalizerExit(scope, releases), () => {
            const { origin, path } = placeOf(url)
            const options = { path, method, headers: uncoded(headers), body: body ?? null }
            exchange.send(connections.take(origin), options)
            return exchange.head
          })
        })
    }
  }
)

const connectWithin = 10_000

const uncoded = (headers: Readonly<Record<string, string>>): Array<string> => {
  const all = "accept-encoding" in headers ? [] : ["accept-encoding", "identity"]
  for (const name in headers) all.push(name, headers[name] as string)
  return all
}
