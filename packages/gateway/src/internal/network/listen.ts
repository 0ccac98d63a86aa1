import type { AddressInfo, Server } from "node:net"
import * as Effect from "effect/Effect"

/** Makes a server listen, and returns its address; fails with the error code. */
export const listen = (server: Server, host: string, port: number): Effect.Effect<string, string> =>
  Effect.async((resume) => {
    // The listener stays: an error while accepting a connection must not end the process.
    server.on("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(error.code ?? "unknown")))
    server.listen(port, host, backlog, () => {
      const { address, family, port } = server.address() as AddressInfo
      resume(Effect.succeed(`http://${family === "IPv6" ? `[${address}]` : address}:${port}`))
    })
  })

/**
 * The accept backlog: as many as the system allows (`net.core.somaxconn`). With Node's default of 511, callers that
 * arrive with a thousand others are turned away and retry after one second, or three.
 */
const backlog = 65_535
