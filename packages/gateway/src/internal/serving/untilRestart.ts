import { isDeepStrictEqual } from "node:util"
import type { Server } from "../../Config.ts"

/** The settings that change only with a restart. */
export const kept = ({ drain, host, maxBody, port, stallTimeout }: Server) => ({
  host,
  port,
  maxBody,
  stallTimeout,
  drain
})

/** The keys of those settings that a new file would change. */
export const changed = (first: Server, next: Server): ReadonlyArray<string> =>
  Object.entries(kept(first))
    .filter(([key, value]) => !isDeepStrictEqual(value, next[key as keyof Server]))
    .map(([key]) => `server.${key}`)
