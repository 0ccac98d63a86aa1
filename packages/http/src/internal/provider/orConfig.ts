import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"

/** Fields each of which may be left to the configuration. */
export type OrConfig<Fields> = { readonly [Name in keyof Fields]: Fields[Name] | Config.Config<Fields[Name]> }

/** Reads the fields that were left to the configuration, and says of all that are missing. */
export const load = <Fields>(fields: OrConfig<Fields>): Effect.Effect<Fields, ConfigError> => {
  const entries = Object.entries<unknown>(fields).map(([name, field]) =>
    Config.map(Config.isConfig(field) ? field : Config.succeed(field), (value) => [name, value] as const)
  )
  // `Config.all` takes no empty record, and what type its record has cannot be told from a mapped type.
  return Effect.map(Config.all(entries), (loaded) => Object.fromEntries(loaded) as unknown as Fields)
}
