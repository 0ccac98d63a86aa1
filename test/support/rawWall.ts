import { createServer, type Socket } from "node:net"
import { Effect, type Scope } from "effect"
import { listen } from "./ports.ts"

/** How much of a request the wall reads before it does something. After less than all it reads no further. */
export type Reads = "nothing" | "head" | "half" | "all"

export type Fault = "close" | "reset"

/** What the wall does about one request. */
export interface Turn {
  readonly reads?: Reads
  /** These very bytes, each item in a segment of its own. */
  readonly writes?: ReadonlyArray<string | Buffer>
  /** By default the connection stays open and silent. */
  readonly ends?: Fault
}

/** An upstream below HTTP: what comes when, and whether it makes sense, is up to the test. */
export interface RawWall {
  /** The base URL for an `openai` provider. */
  readonly url: string
  /** Requests of which at least the head came. */
  readonly requests: () => number
  /** Connections opened so far. */
  readonly connections: () => number
  /** Connections that the other side has not given up. */
  readonly open: () => number
  /** Turns taken of the script. */
  readonly turns: () => number
  /** One turn a request, the last one for ever. */
  readonly script: (...turns: ReadonlyArray<Turn>) => void
  /** Says more on every connection, and ends it in this way. */
  readonly goOn: (bytes: string | Buffer, ends?: Fault) => void
  /** Reads all that there is on every connection: only then does the wall see that the other side is gone. */
  readonly readOn: () => void
}

interface Connection {
  readonly socket: Socket
  given: boolean
}

export const rawWall: Effect.Effect<RawWall, never, Scope.Scope> = Effect.gen(function* () {
  const all = new Set<Connection>()
  let turns: ReadonlyArray<Turn> = [{}]
  let served = 0
  let requests = 0
  const turn = (): Turn => turns[Math.min(served, turns.length - 1)]!

  const take = (socket: Socket): void => {
    const { ends, reads = "all", writes = [] } = turn()
    served++
    if (reads === "head" || reads === "half") socket.pause()
    writeEach(socket, writes, () => {
      if (ends !== undefined) endOf[ends](socket)
    })
  }

  // Half-open: when the other side closes, this one does not follow by itself.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection: Connection = { socket, given: false }
    all.add(connection)
    let input = Buffer.alloc(0)
    let counted = false
    socket.on("data", (chunk) => {
      input = Buffer.concat([input, chunk])
      const { bodyAt, length } = headOf(input)
      if (bodyAt === -1) return
      if (!counted) requests++
      counted = true
      const { reads = "all" } = turn()
      if (input.length < bodyAt + { nothing: 0, head: 0, half: length / 2, all: length }[reads]) return
      input = input.subarray(bodyAt + length)
      counted = false
      take(socket)
    })
    for (const event of ["end", "close"]) socket.on(event, () => (connection.given = true))
    socket.on("error", () => {})
    if (turn().reads === "nothing") take(socket)
  })

  const port = yield* Effect.acquireRelease(listen(server), () =>
    Effect.async<void>((resume) => {
      server.close(() => resume(Effect.void))
      for (const { socket } of all) socket.destroy()
    })
  )
  const each = (action: (socket: Socket) => void) => {
    for (const { socket } of all) action(socket)
  }
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests: () => requests,
    connections: () => all.size,
    open: () => [...all].filter(({ given }) => !given).length,
    turns: () => served,
    script: (...next) => {
      turns = next
      served = 0
    },
    goOn: (bytes, ends) => each((socket) => socket.write(bytes, () => ends && endOf[ends](socket))),
    readOn: () => each((socket) => socket.resume())
  }
})

const endOf: Readonly<Record<Fault, (socket: Socket) => void>> = {
  close: (socket) => void socket.end(),
  reset: (socket) => void socket.resetAndDestroy()
}

const headOf = (input: Buffer) => {
  const end = input.indexOf("\r\n\r\n")
  const length = /^content-length: (\d+)/im.exec(input.subarray(0, Math.max(end, 0)).toString("latin1"))
  return { bodyAt: end === -1 ? -1 : end + 4, length: Number(length?.[1] ?? 0) }
}

/** Two turns of the event loop lie between two segments, so that whoever reads them sees them apart. */
const writeEach = (socket: Socket, [first, ...rest]: ReadonlyArray<string | Buffer>, done: () => void) => {
  if (first === undefined) return done()
  socket.write(first, () => setImmediate(() => setImmediate(() => writeEach(socket, rest, done))))
}
