/**
 * What is wrong with the file, before anyone knows the file's name.
 */
export interface Fault {
  readonly line: number
  readonly column: number
  readonly path: string
  readonly reason: string
  readonly remedy: string
}

export type Path = ReadonlyArray<PropertyKey>

/**
 * `routes.chat.tiers[0].timeout`; keys that are no plain words are quoted: `routes["gpt-4.1"]`.
 */
export const formatPath = (path: Path): string =>
  path
    .map((step, index) => {
      if (typeof step === "number") return `[${step}]`
      const key = String(step)
      if (!/^[\w-]+$/.test(key)) return `[${JSON.stringify(key)}]`
      return index === 0 ? key : `.${key}`
    })
    .join("")
