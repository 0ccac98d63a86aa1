import * as Effect from "effect/Effect"
import { type Config, ConfigError } from "../../Config.ts"

/**
 * A worker's share of a configuration: its part of the request limits, and only the first makes synthetic checks.
 */
export const share = (config: Config, worker: number, workers: number): Config => {
  const part = (all: number) => Math.floor(all / workers) + (worker <= all % workers ? 1 : 0)
  const { maxInFlight, maxQueue } = config.server
  return {
    ...config,
    server: { ...config.server, maxInFlight: part(maxInFlight), maxQueue: part(maxQueue) },
    probe: worker === 1 ? config.probe : undefined
  }
}

/** The configuration, if this many workers can share it. */
export const shareable = (
  file: string,
  config: Config,
  workers: number
): Effect.Effect<Config, ConfigError> =>
  config.server.maxInFlight >= workers
    ? Effect.succeed(config)
    : new ConfigError({
        file,
        line: undefined,
        column: undefined,
        path: "server.maxInFlight",
        reason: `${config.server.maxInFlight} at once is less than one for each of ${workers} workers`,
        remedy: "start fewer workers"
      })
