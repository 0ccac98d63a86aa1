import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"

/** Fields each of which may be left to the configuration. */
export type OrConfig<Fields> = { readonly [Name in keyof Fields]: Fields[Name] | Config.Config<Fields[Name]> }

/** Reads the fields that were left to the configuration. */
export const load = <Fields>(fields: OrConfig<Fields>): Effect.Effect<Fields, ConfigError> =>
  // What type it is that a record of effects gives cannot be told from a mapped type.
  Effect.all(
    Record.map(fields as Record<string, unknown>, (field) =>
      Config.isConfig(field) ? field : Effect.succeed(field)
    )
  ) as Effect.Effect<unknown, ConfigError> as Effect.Effect<Fields, ConfigError>
