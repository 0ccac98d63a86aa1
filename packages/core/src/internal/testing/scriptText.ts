import { isRecord } from "effect/Predicate"
import type { ScriptFile } from "../../testing/Script.ts"

/** Readable YAML, with one item per line. */
export const scriptText = (script: ScriptFile): string =>
  Object.entries<unknown>(script)
    .map(([key, value]) => {
      if (Array.isArray(value) && value.length > 0)
        return `${key}:\n${value.map((each) => `  - ${flow(each)}\n`).join("")}`
      const entries = key === "upstreams" && isRecord(value) ? Object.entries(value) : []
      return entries.length === 0
        ? `${key}: ${flow(value)}\n`
        : `${key}:\n${entries.map(([name, each]) => `  ${flow(name)}: ${flow(each)}\n`).join("")}`
    })
    .join("")

const flow = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`
  if (isRecord(value)) {
    const entries = Object.entries(value).filter(([, each]) => each !== undefined)
    return entries.length === 0
      ? "{}"
      : `{ ${entries.map(([key, each]) => `${flow(key)}: ${flow(each)}`).join(", ")} }`
  }
  // Text that YAML would read as another type is quoted.
  return typeof value === "string" &&
    !/^(?!true$|false$|null$)[A-Za-z_][\w.-]*$|^\d+(\.\d+)?[a-z][\w.]*$/.test(value)
    ? JSON.stringify(value)
    : String(value)
}
