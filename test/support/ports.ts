import { type AddressInfo, createServer, type Server } from "node:net"
import { Effect, type Scope } from "effect"

const listenAt = (server: Server, port: number): Effect.Effect<number, Error> =>
  Effect.async((resume) => {
    server.once("error", (error) => resume(Effect.fail(error)))
    server.listen(port, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
  })

/** Listens on this machine alone, on any free port: which one that is. */
export const listen = (server: Server): Effect.Effect<number> => Effect.orDie(listenAt(server, 0))

const closed = (server: Server): Effect.Effect<void> =>
  Effect.async((resume) => void server.close(() => resume(Effect.void)))

/** A port that somebody else listens on. */
export const takenPort: Effect.Effect<number, never, Scope.Scope> = Effect.gen(function* () {
  const server = createServer()
  yield* Effect.addFinalizer(() => closed(server))
  return yield* listen(server)
})

/** Below all that systems give to whoever asks for any port, or calls somebody; fifty of its own for each process. */
let next = 20_000 + (process.pid % 200) * 50

/** A port that nobody listens on, and nobody else will have got before it is used. */
export const freePort: Effect.Effect<number> = Effect.suspend(() => {
  const port = next++
  const server = createServer()
  return Effect.matchEffect(listenAt(server, port), {
    onFailure: () => freePort,
    onSuccess: () => Effect.as(closed(server), port)
  })
})
