import * as Json from "../bytes/json.ts"

/** Fields of unknown names. */
export interface Fields {
  [name: string]: unknown
}

// Identifying fields come once or repeatedly, but always whole.
const whole = new Set(["role", "id", "type", "name", "index"])

/** Merges a delta into earlier ones: text and lists are appended, objects are merged, anything else is replaced. */
export const merge = (into: Fields, delta: object): Fields => {
  for (const [name, value] of Object.entries(delta)) {
    // It would set the object's prototype.
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

/** The non-empty fields; `undefined` if there are none. */
export const filled = (fields: Fields): Readonly<Record<string, unknown>> | undefined => {
  const entries = Object.entries(fields).filter(([, value]) => isFilled(value))
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

const isFilled = (value: unknown): boolean =>
  Json.isGiven(value) && value !== "" && !(Array.isArray(value) && value.length === 0)
