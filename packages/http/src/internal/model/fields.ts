import * as Json from "../bytes/json.ts"

/** What was said under names that nobody here may know. */
export interface Fields {
  [name: string]: unknown
}

// What says what a thing is comes once or again and again, whole each time.
const whole = new Set(["role", "id", "type", "name", "index"])

/** Puts a delta to what was said before it: text and lists go on, objects grow, all else is replaced. */
export const merge = (into: Fields, delta: object): Fields => {
  for (const [name, value] of Object.entries(delta)) {
    // It would not be a field of the object, but whence all of its fields come.
    if (name === "__proto__" || !Json.isGiven(value)) continue
    const known = into[name]
    const object = Json.asObject(value)
    if (object !== undefined) into[name] = merge({ ...Json.asObject(known) }, object)
    else if (Array.isArray(value)) into[name] = [...Json.asArray(known), ...value]
    else if (typeof value !== "string" || typeof known !== "string") into[name] = value
    else if (!whole.has(name)) into[name] = known + value
    else if (value !== "") into[name] = value
  }
  return into
}

/** Those that say anything; `undefined` where none does. */
export const filled = (fields: Fields): Readonly<Record<string, unknown>> | undefined => {
  const entries = Object.entries(fields).filter(([, value]) => isFilled(value))
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

const isFilled = (value: unknown): boolean =>
  Json.isGiven(value) && value !== "" && !(Array.isArray(value) && value.length === 0)
