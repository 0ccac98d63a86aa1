import type { AddressInfo, Server } from "node:net"
import * as Effect from "effect/Effect"

/** Has a server listen, and gives its address; fails with the code of what is in the way. */
export const listen = (server: Server, host: string, port: number): Effect.Effect<string, string> =>
  Effect.async((resume) => {
    // It stays: an error in accepting one connection must not end the process.
    server.on("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(error.code ?? "unknown")))
    server.listen(port, host, backlog, () => {
      const { address, family, port } = server.address() as AddressInfo
      resume(Effect.succeed(`http://${family === "IPv6" ? `[${address}]` : address}:${port}`))
    })
  })

/**
 * Connections that wait to be accepted: as many as the system allows (`net.core.somaxconn`). With Node's 511 a caller who
 * comes with a thousand others is not heard, and comes again a second later, or three.
 */
const backlog = 65_535
