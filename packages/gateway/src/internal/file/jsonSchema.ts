import * as JSONSchema from "effect/JSONSchema"
import * as Config from "../../Config.ts"

/** The JSON Schema of the file's text, in which `${NAME}` may replace any formatted text. */
export const jsonSchema = (): unknown => withVariables(JSONSchema.make(Config.File))

const withVariables = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(withVariables)
  if (typeof node !== "object" || node === null) return node
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === "pattern" && typeof value === "string" ? `\\$\\{\\w+\\}|${value}` : withVariables(value)
    ])
  )
}
