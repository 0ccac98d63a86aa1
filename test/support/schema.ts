import { Ajv, type ValidateFunction } from "ajv"
import { Effect } from "effect"
import { parse } from "yaml"
import { command } from "./program.ts"

const regex = (text: string): boolean => {
  try {
    return new RegExp(text) instanceof RegExp
  } catch {
    return false
  }
}

/** A validator that takes nothing for granted, and knows the one format that the schema has. */
export const ajv = new Ajv({ strict: true, strictRequired: false, allErrors: true, formats: { regex } })

/** What `understudy schema` prints. */
export const schema: Effect.Effect<Readonly<Record<string, unknown>>> = Effect.map(
  command(["schema"]),
  ({ stdout }) => JSON.parse(stdout)
)

/** What a validator has against a file, a line each. */
export const objections = (validate: ValidateFunction, yaml: string): ReadonlyArray<string> => {
  validate(parse(yaml))
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}
