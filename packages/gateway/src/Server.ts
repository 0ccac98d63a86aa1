/**
 * The two sides of the gateway that touch the network: a server over `node:http`, and an upstream over `undici`.
 *
 * @since 0.1.0
 */
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { BodyTooLarge, type Handler, type Request, type Response } from "@understudy/http/OpenAiRouter"
import { transportError, type Upstream } from "@understudy/http/Upstream"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { bodyOf } from "./internal/body.ts"
import { decoded } from "./internal/coding.ts"
import * as Connections from "./internal/connections.ts"

/**
 * The address could not be listened on.
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
    const remedy =
      this.code === "EADDRINUSE" ? "another program listens there; choose another server.port" : this.code
    return `cannot listen on ${this.host}:${this.port}: ${remedy}`
  }
}

/**
 * Serves a handler until the scope closes. Then it stops accepting, lets the requests in flight finish for `drain`
 * at most, cuts off what is left and closes every connection.
 *
 * **Details**
 * - Every request runs in a fiber and a scope of its own. A caller that leaves interrupts it, which closes the
 *   upstream's connection.
 * - A response that breaks after its head was sent has its connection destroyed: it never ends as if it were whole.
 *
 * @since 0.1.0
 * @category constructors
 */
export const serve = (options: {
  readonly handler: Handler
  readonly host: string
  readonly port: number
  readonly maxBody: number
  readonly drain: Duration.Duration
}): Effect.Effect<
  { readonly url: string; readonly accepting: Effect.Effect<boolean> },
  ListenError,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const { drain, handler, host, maxBody, port } = options
    const requests = yield* FiberSet.make()
    const runFork = yield* FiberSet.runtime(requests)<never>()
    const server = Http.createServer({ headersTimeout: 15_000, requestTimeout: 60_000 })
    server.on("request", (incoming, outgoing) => {
      const fiber = runFork(
        Effect.scoped(
          Effect.flatMap(handler(toRequest(incoming, maxBody)), (response) => send(outgoing, response))
        )
      )
      outgoing.on("close", () => {
        if (!outgoing.writableFinished) fiber.unsafeInterruptAsFork(fiber.id())
      })
      fiber.addObserver((exit) => {
        if (Exit.isFailure(exit)) outgoing.destroy()
      })
    })
    yield* Effect.acquireRelease(listen(server, host, port), () =>
      Effect.gen(function* () {
        const closed = yield* Effect.fork(
          Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
        )
        server.closeIdleConnections()
        // A finalizer is uninterruptible, and what cannot be interrupted no timeout ends.
        yield* Effect.timeoutOption(Effect.interruptible(FiberSet.awaitEmpty(requests)), drain)
        yield* FiberSet.clear(requests)
        server.closeAllConnections()
        yield* Fiber.join(closed)
      })
    )
    const { address, family, port: bound } = server.address() as AddressInfo
    return {
      url: `http://${family === "IPv6" ? `[${address}]` : address}:${bound}`,
      accepting: Effect.sync(() => server.listening)
    }
  })

const listen = (server: Http.Server, host: string, port: number): Effect.Effect<void, ListenError> =>
  Effect.async((resume) => {
    // It stays: an error in accepting one connection must not end the process.
    server.on("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(new ListenError({ host, port, code: error.code ?? "unknown" })))
    )
    server.listen(port, host, () => resume(Effect.void))
  })

const toRequest = (incoming: Http.IncomingMessage, maxBody: number): Request => ({
  method: incoming.method ?? "GET",
  path: incoming.url ?? "/",
  headers: incoming.headers as Request["headers"],
  body: Effect.async((resume) => {
    const tooLarge = Effect.fail(new BodyTooLarge({ maxBody }))
    if (Number(incoming.headers["content-length"] ?? 0) > maxBody) return resume(tooLarge)
    const chunks: Array<Buffer> = []
    let length = 0
    const onData = (chunk: Buffer) => {
      length += chunk.length
      if (length <= maxBody) return void chunks.push(chunk)
      incoming.off("data", onData)
      resume(tooLarge)
    }
    incoming.on("data", onData)
    incoming.on("end", () => resume(Effect.succeed(Buffer.concat(chunks, length))))
  })
})

const send = (outgoing: Http.ServerResponse, response: Response): Effect.Effect<void> =>
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
const linger = (incoming: Http.IncomingMessage): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    incoming.once("end", () => resume(Effect.void))
    incoming.resume()
  }).pipe(Effect.timeoutOption("5 seconds"), Effect.asVoid)

const write = (outgoing: Http.ServerResponse, chunk: Uint8Array): Effect.Effect<void> =>
  Effect.suspend(() =>
    outgoing.write(chunk)
      ? Effect.void
      : Effect.async<void>((resume) => {
          const onDrain = () => resume(Effect.void)
          outgoing.once("drain", onDrain)
          return Effect.sync(() => outgoing.off("drain", onDrain))
        })
  )

const end = (outgoing: Http.ServerResponse, body?: Uint8Array): Effect.Effect<void> =>
  Effect.async((resume) => void outgoing.end(body, () => resume(Effect.void)))

/**
 * The port that providers send through, with keep-alive connections of its own that close with the scope. A request
 * that is given up takes its connection with it, even one that is not open yet.
 *
 * Neither redirects nor retries; the bounds on time are the policy's, but for 10 seconds to connect. Asks for
 * answers without a coding, and undoes gzip, deflate and br where they come all the same.
 *
 * @since 0.1.0
 * @category constructors
 */
export const upstream: Effect.Effect<Upstream, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => Connections.make(connectWithin)),
    (connections) => Effect.sync(connections.destroy)
  ),
  (connections): Upstream => ({
    send: ({ body, headers, method, url }) =>
      Effect.gen(function* () {
        const { origin, pathname, search } = new URL(url)
        const connection = yield* Effect.acquireRelease(
          Effect.sync(() => connections.take(origin)),
          (connection, exit) => Effect.sync(() => connection.release(Exit.isSuccess(exit)))
        )
        const response = yield* Effect.tryPromise({
          try: () =>
            connection.request({
              path: pathname + search,
              method,
              headers: { "accept-encoding": "identity", ...headers },
              body: body ?? null
            }),
          catch: transportError
        })
        const { "content-encoding": coding, ...rest } = flat(response.headers)
        return { status: response.statusCode, headers: rest, body: bodyOf(decoded(response.body, coding)) }
      })
  })
)

const connectWithin = 10_000

const flat = (
  headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
): Record<string, string> => {
  const one: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) one[name] = typeof value === "string" ? value : value.join(", ")
  }
  return one
}
