import { isDeepStrictEqual } from "node:util"
import type { Server } from "../../Config.ts"

/** What of a file holds until a restart, whatever other file comes. */
export const kept = ({ drain, host, maxBody, port, stallTimeout }: Server) => ({
  host,
  port,
  maxBody,
  stallTimeout,
  drain
})

/** The keys of it that another file would change. */
export const changed = (first: Server, next: Server): ReadonlyArray<string> =>
  Object.entries(kept(first))
    .filter(([key, value]) => !isDeepStrictEqual(value, next[key as keyof Server]))
    .map(([key]) => `server.${key}`)
