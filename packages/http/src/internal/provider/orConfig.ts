import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"

/** Fields each of which may be a `Config`. */
export type OrConfig<Fields> = { readonly [Name in keyof Fields]: Fields[Name] | Config.Config<Fields[Name]> }

/** Loads the fields that are `Config`s, and reports all that are missing. */
export const load = <Fields>(fields: OrConfig<Fields>): Effect.Effect<Fields, ConfigError> => {
  const entries = Object.entries<unknown>(fields).map(([name, field]) =>
    Config.map(Config.isConfig(field) ? field : Config.succeed(field), (value) => [name, value] as const)
  )
  // `Config.all` does not accept an empty record, and cannot infer the type from a mapped type.
  return Effect.map(Config.all(entries), (loaded) => Object.fromEntries(loaded) as unknown as Fields)
}
