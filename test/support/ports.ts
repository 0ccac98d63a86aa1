import { type AddressInfo, createServer, type Server } from "node:net"
import { Effect, type Scope } from "effect"

/** Listens on this machine alone, on any free port: which one that is. */
export const listen = (server: Server): Effect.Effect<number> =>
  Effect.async((resume) => {
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
  })

/** A port that somebody else listens on. */
export const takenPort: Effect.Effect<number, never, Scope.Scope> = Effect.gen(function* () {
  const server = createServer()
  yield* Effect.addFinalizer(() =>
    Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  )
  return yield* listen(server)
})

/** A port that nobody listens on. */
export const freePort: Effect.Effect<number> = Effect.scoped(takenPort)
