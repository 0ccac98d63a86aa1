import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http"
import { connect, type Socket } from "node:net"
import type { StatusPage } from "@understudy/gateway"
import { Effect, type Scope } from "effect"

/** What came back for one request, however it ended. */
export interface Answer {
  /** 0 where the connection broke before one came. */
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
  /** False where the connection broke before the end of the answer. */
  readonly whole: boolean
}

/** One request under way. */
export interface Call {
  /** Undefined until the head of the answer is here. */
  readonly head: () => IncomingMessage | undefined
  /** What has come of the body so far. */
  readonly text: () => string
  readonly answer: Effect.Effect<Answer>
  /** Stops or goes on reading from the socket. */
  readonly pause: () => void
  readonly resume: () => void
  /** Destroys the socket. */
  readonly leave: () => void
}

export interface Options {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | ReadonlyArray<string>>>
  /** Anything but text and bytes is sent as JSON. */
  readonly body?: unknown
}

/** The body of a request for the route `chat`. */
export const chatBody = (fields: object = {}): object => ({
  model: "chat",
  messages: [{ role: "user", content: "Hi" }],
  ...fields
})

const bytesOf = (body: unknown): Buffer =>
  Buffer.isBuffer(body) ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body))

/** Sends one request on a connection of its own, without any client library. The scope's end leaves. */
export const call = (url: string, options: Options = {}): Effect.Effect<Call, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): Call => {
      const method = options.method ?? "POST"
      const body = method === "POST" ? bytesOf(options.body ?? chatBody()) : undefined
      const chunks: Array<Buffer> = []
      let head: IncomingMessage | undefined
      const outgoing = request(`${url}${options.path ?? "/v1/chat/completions"}`, {
        method,
        agent: false,
        headers: {
          ...(body && { "content-type": "application/json", "content-length": body.length }),
          ...(options.headers as Record<string, string | Array<string>>)
        }
      })
      const over = new Promise<Answer>((resolve) => {
        const end = () => {
          const all = Buffer.concat(chunks)
          resolve({
            status: head?.statusCode ?? 0,
            headers: head?.headers ?? {},
            body: all,
            text: all.toString(),
            whole: head?.complete === true
          })
        }
        outgoing.on("response", (incoming) => {
          head = incoming
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
          incoming.on("error", () => {})
          incoming.on("close", end)
        })
        outgoing.on("error", () => {})
        outgoing.on("close", () => head === undefined && end())
      })
      outgoing.end(body)
      return {
        head: () => head,
        text: () => Buffer.concat(chunks).toString(),
        answer: Effect.promise(() => over),
        pause: () => void head?.pause(),
        resume: () => void head?.resume(),
        leave: () => void outgoing.destroy()
      }
    }),
    ({ leave }) => Effect.sync(leave)
  )

export const ask = (url: string, options?: Options): Effect.Effect<Answer> =>
  Effect.scoped(Effect.flatMap(call(url, options), ({ answer }) => answer))

export const get = (url: string, path: string): Effect.Effect<Answer> => ask(url, { method: "GET", path })

/** What the gateway says of itself. */
export const statusOf = (url: string): Effect.Effect<StatusPage.Status> =>
  Effect.map(get(url, "/status"), ({ text }) => JSON.parse(text))

/** The envelope that OpenAI's clients read an error from. */
export interface Envelope {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string
    readonly attempts?: ReadonlyArray<Readonly<Record<string, unknown>>>
  }
}

export const envelope = (answer: Answer): Envelope["error"] => (JSON.parse(answer.text) as Envelope).error

/** Sends these very bytes to a server and gives all it says until it hangs up or `enough` has come. `end` says that there is no more. */
export const exchange = (
  url: string,
  bytes: string | Buffer,
  enough: (text: string) => boolean = () => false,
  then?: "end"
): Effect.Effect<string> =>
  Effect.async((resume) => {
    const socket = open(url)
    socket.write(bytes)
    if (then === "end") socket.end()
    let text = ""
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
      if (enough(text)) socket.destroy()
    })
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(text)))
    return Effect.sync(() => socket.destroy())
  })

/**
 * Writes all of a request before it reads a byte of the answer, as blocking clients do; gives the beginning of the
 * answer, or the code of the error that came in its place.
 */
export const writeAllThenRead = (url: string, bytes: string | Buffer): Effect.Effect<string> =>
  Effect.async((resume) => {
    const socket = open(url)
    socket.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(String(error.code))))
    socket.write(bytes, (error) => {
      if (error) return
      socket.on("data", (chunk) => {
        resume(Effect.succeed(chunk.toString("latin1")))
        socket.destroy()
      })
    })
    return Effect.sync(() => socket.destroy())
  })

const open = (url: string): Socket => {
  const { hostname, port } = new URL(url)
  return connect(Number(port), hostname)
}
