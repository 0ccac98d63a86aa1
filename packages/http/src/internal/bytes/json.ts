import { isTooDeep } from "./depth.ts"

/** A field of an object of unknown shape. */
export type Loose<Field extends string> = { readonly [_ in Field]?: unknown }

/** An object that is not an array, with fields of unknown types. */
export const asObject = <Field extends string>(value: unknown): Loose<Field> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined

/** The items of an array; none for any other value. */
export const asArray = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/** `undefined` if the text is not JSON, or nested too deep; no JSON text parses to that. */
export const parse = (text: string): unknown => {
  if (isTooDeep(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const isGiven = (value: unknown): boolean => value !== undefined && value !== null

export const asText = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined
