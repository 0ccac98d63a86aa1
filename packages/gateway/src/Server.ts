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
 * The address could not be listened on.
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
 * Where to listen, and what a caller may cost.
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
  /** How long a caller may leave its answer lying without taking a byte, or take for a megabyte of it. */
  readonly stallTimeout: Duration.Duration
  /** How long a stop waits for the requests that are under way. */
  readonly drain: Duration.Duration
  /** How long a connection may lie idle. Default: 75 seconds. */
  readonly keepAlive?: Duration.Duration | undefined
  /** Hears of a bug that broke a connection. Default: nobody does. */
  readonly onDefect?: ((cause: Cause.Cause<unknown>) => void) | undefined
  /** The connections that another process hands over. Default: it listens on `host` and `port` itself. */
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
 * Serves a handler until the scope closes. Then it stops accepting, lets the requests in flight finish for `drain`
 * at most, ends what is left and closes every connection.
 *
 * **Details**
 * - Every request runs in a fiber and a scope of its own. A caller that leaves interrupts it, which closes the
 *   upstream's connection; so does one that does not read its answer for `stallTimeout`, or takes longer than that for a
 *   megabyte of it.
 * - Of one connection 16 requests may wait behind one that has no answer yet; the next gets a 503, and the connection ends.
 * - A response that breaks after its head was sent has its connection destroyed: it never ends as if it were whole.
 * - At the end of `drain` a stream ends with its `farewell`, and a request without an answer gets a 503.
 * - What is no request of HTTP/1.1 is refused in OpenAI's error envelope: 400, 408, 413, 417 or 431. Headers may be
 *   16 KiB and take 15 seconds, a whole request 60; a connection may lie idle for 75.
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
      // Longer than load balancers keep theirs: whoever closes first must be the one that sends.
      keepAliveTimeout: Duration.toMillis(options.keepAlive ?? Duration.seconds(75)),
      maxHeaderSize: Refusals.maxHeaderSize,
      // Node's own refusal has no body.
      requireHostHeader: false
    })
    // A socket's clock runs while nothing moves, and so for ever where the caller does not read.
    server.setTimeout(stallMillis, (socket) => {
      // Node closes those that lie idle only where nobody listens to this.
      if (socket.writableLength || isIdle(socket)) socket.destroy()
    })
    server.on("connection", (socket) => {
      requests.accepted()
      socket.on("close", () => latest.delete(socket))
    })
    server.on("request", (incoming, outgoing) => {
      latest.set(incoming.socket, outgoing)
      if (incoming.headers.host === undefined && incoming.httpVersion === "1.1") {
        return Refusals.answerWith(outgoing, Refusals.noHost())
      }
      // An earlier request of the connection has it.
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
      // Who waits for a word need not send what is refused all the same.
      if (lengthOf(incoming) <= maxBody) outgoing.writeContinue()
      server.emit("request", incoming, outgoing)
    })
    server.on("checkExpectation", (_, outgoing) => Refusals.answerWith(outgoing, Refusals.expectation()))
    server.on("clientError", (error, socket) =>
      Refusals.refuseUnparsed(error, socket as Socket, latest.get(socket as Socket))
    )
    const begin = Effect.suspend(() => {
      // The HTTP server's own `close` cuts off whoever still reads an answer that Node has been given all of.
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
        // A finalizer is uninterruptible, and what cannot be interrupted no timeout ends.
        yield* Effect.timeoutOption(Effect.interruptible(requests.awaitNone), drain)
        if ((yield* requests.count) > 0) {
          yield* requests.interruptAll
          // Their last words are still to go out.
          yield* Effect.timeoutOption(Effect.interruptible(Fiber.join(closed)), "1 second")
        }
        server.closeAllConnections()
        yield* Fiber.join(closed)
        // Nothing is left to close but the clock that looks at how long requests take.
        server.close()
      })
    )
    return { url, underWay: requests.count }
  })

const toRequest = (incoming: Http.IncomingMessage, maxBody: number): Request => {
  const target = incoming.url ?? "/"
  const headers = incoming.headers as Request["headers"]
  const named = target.startsWith("/") ? null : absolute.exec(target)
  return {
    method: incoming.method ?? "GET",
    path: named === null ? target : `/${named[2]}`,
    // It counts in place of the header.
    headers: named === null ? headers : { ...headers, host: named[1]! },
    body: new Body(incoming, maxBody)
  }
}

/** As proxies are asked, and a server is to take it as well: host, and path with query. */
const absolute = /^https?:\/\/([^/?#]+)\/?(.*)$/i

/**
 * The port that providers send through, with keep-alive connections of its own that close with the scope. A request
 * that is given up takes its connection with it, even one that is not open yet.
 *
 * Neither redirects nor retries; the bounds on time are the policy's, but for 10 seconds to connect. Asks for
 * answers without a coding, and undoes gzip, deflate and br where they come all the same.
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
    // A provider is asked at one or two.
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
          // Before it takes a connection, so that nothing can come between the two.
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
