import { concat } from "./bytes.ts"
import * as Utf8 from "./utf8.ts"

/** A field of an object whose shape nobody vouches for. */
export type Loose<Field extends string> = { readonly [_ in Field]?: unknown }

/** An object that is not an array, with fields to be looked at one by one. */
export const asObject = <Field extends string>(value: unknown): Loose<Field> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined

/** `undefined` where the text is not JSON; no JSON text parses to that. */
export const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const isGiven = (value: unknown): boolean => value !== undefined && value !== null

/**
 * Puts a JSON value in the place of every value that `key` has in the outermost object, however the key is
 * escaped. Every other byte stays. Assumes valid JSON and an ASCII key, and does not recurse.
 */
export const replaceValues = (json: Uint8Array, key: string, value: Uint8Array): Uint8Array => {
  const parts: Array<Uint8Array> = []
  let kept = 0
  let index = skipSpace(json, 0) + 1
  while (index < json.length) {
    const keyStart = skipSpace(json, index)
    if (json[keyStart] !== QUOTE) break
    const keyEnd = stringEnd(json, keyStart)
    const valueStart = skipSpace(json, skipSpace(json, keyEnd) + 1)
    const valueEnd = endOfValue(json, valueStart)
    if (spells(json.subarray(keyStart, keyEnd), key)) {
      parts.push(json.subarray(kept, valueStart), value)
      kept = valueEnd
    }
    index = skipSpace(json, valueEnd) + 1
  }
  parts.push(json.subarray(kept))
  return concat(parts)
}

const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const SPACE = 0x20

/** Most keys need neither decoding nor parsing to be told apart. */
const spells = (quoted: Uint8Array, key: string): boolean =>
  quoted.includes(BACKSLASH)
    ? parse(Utf8.decode(quoted)) === key
    : quoted.length === key.length + 2 && Utf8.decode(quoted) === `"${key}"`

const skipSpace = (json: Uint8Array, from: number): number => {
  let index = from
  // Of the bytes up to the space, valid JSON has only white space between its tokens.
  while (index < json.length && json[index]! <= SPACE) index++
  return index
}

const stringEnd = (json: Uint8Array, from: number): number => {
  let index = from + 1
  while (index < json.length && json[index] !== QUOTE) index += json[index] === BACKSLASH ? 2 : 1
  return index + 1
}

const endOfValue = (json: Uint8Array, from: number): number => {
  let depth = 0
  let index = from
  do {
    const byte = json[index]!
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--
    index = byte === QUOTE ? stringEnd(json, index) : index + 1
  } while (index < json.length && (depth > 0 || !endsValue(json[index]!)))
  return index
}

const endsValue = (byte: number): boolean => byte === COMMA || byte === CLOSE_BRACE || byte <= SPACE
