import { concat } from "./bytes.ts"
import * as Json from "./json.ts"
import * as Utf8 from "./utf8.ts"

/** The bytes of a value, without surrounding white space. */
export type Value = Uint8Array

/** The text of a value. */
export type Text = string

/** Parses a value. Not for numbers that are passed on, which may exceed JavaScript's range. */
export const read = (json: Value): unknown => Json.parse(Utf8.decode(json))

/** The original text of a value. */
export const written = (json: Value | undefined): Text | undefined => json && Utf8.decode(json)

/** `JSON.stringify`; `undefined` stays `undefined`. */
export const text = (value: unknown): Text | undefined =>
  value === undefined ? undefined : JSON.stringify(value)

/** The text of an object with these members, each already JSON; undefined ones are left out. */
export const object = (members: Readonly<Record<string, Text | undefined>>): Text =>
  `{${Object.entries(members)
    .flatMap(([key, json]) => (json === undefined ? [] : `${JSON.stringify(key)}:${json}`))
    .join(",")}}`

/** The text of an array of these items, each already JSON. */
export const array = (items: ReadonlyArray<Text>): Text => `[${items.join(",")}]`

/**
 * Makes JSON text encodable in UTF-8 without loss: lone surrogates become escapes.
 */
export const wellFormed = (json: Text): Text =>
  json.replace(/\p{Surrogate}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`)

/**
 * The values of an object; of duplicate keys the last one counts, as in `JSON.parse`. Empty if it is no object. Assumes
 * valid JSON, and does not recurse.
 */
export const members = (json: Value): ReadonlyMap<string, Value> => {
  const all = new Map<string, Value>()
  if (json[skipSpace(json, 0)] !== OPEN_BRACE) return all
  for (const { end, key, start } of entries(json)) all.set(keyOf(key), json.subarray(start, end))
  return all
}

/** The items of an array; empty if it is none. Assumes valid JSON, and does not recurse. */
export const items = (json: Value | undefined): ReadonlyArray<Value> =>
  json !== undefined && json[skipSpace(json, 0)] === OPEN_BRACKET
    ? Array.from(entries(json), ({ end, start }) => json.subarray(start, end))
    : []

/** The value at this path of keys. */
export const at = (json: Value | undefined, ...keys: ReadonlyArray<string>): Value | undefined =>
  keys.reduce((value: Value | undefined, key) => value && members(value).get(key), json)

/**
 * Replaces every value at this path of keys and positions, however the keys are escaped. Every other byte stays
 * unchanged. Assumes valid JSON and ASCII keys, and recurses only along the path.
 */
export const update = (
  json: Value,
  [step, ...steps]: readonly [string | number, ...ReadonlyArray<string | number>],
  f: (value: Value) => Value
): Value => {
  const [next, ...rest] = steps
  const parts: Array<Uint8Array> = []
  let kept = 0
  let position = 0
  for (const { end, key, start } of entries(json)) {
    const found = typeof step === "number" ? key.length === 0 && position++ === step : spells(key, step)
    if (!found) continue
    const value = json.subarray(start, end)
    parts.push(json.subarray(kept, start), next === undefined ? f(value) : update(value, [next, ...rest], f))
    kept = end
  }
  parts.push(json.subarray(kept))
  return concat(parts)
}

/**
 * Appends an item to the outermost array, or a member to the outermost object; any other value stays unchanged, as does
 * every other byte. Assumes valid JSON, and does not recurse.
 */
export const append = (json: Value, text: Text): Value => {
  const open = skipSpace(json, 0)
  if (json[open] !== OPEN_BRACKET && json[open] !== OPEN_BRACE) return json
  let end = open + 1
  for (const entry of entries(json)) end = entry.end
  return concat([
    json.subarray(0, end),
    Utf8.encode(end === open + 1 ? text : `,${text}`),
    json.subarray(end)
  ])
}

/** An object in which these members replace those of the same names; undefined ones are left out. */
export const withMembers = (
  json: Value,
  members: ReadonlyArray<readonly [name: string, value: Text | undefined]>
): Value => {
  const gone = new Map(members.map(([name]) => [name, undefined]))
  const given = members.filter(([, value]) => value !== undefined)
  return given.reduce(
    (object, [name, value]) => append(object, `${JSON.stringify(name)}:${value}`),
    rekey(json, () => gone)
  )
}

/**
 * Renames members of the outermost object or, if the new key is undefined, drops them; `decide` gets all keys and
 * returns the changes. A dropped member takes the comma before it along, the first one the comma after it; every other
 * byte stays unchanged. Assumes valid JSON, and does not recurse.
 */
export const rekey = (
  json: Uint8Array,
  decide: (keys: ReadonlyArray<string>) => ReadonlyMap<string, string | undefined>
): Uint8Array => {
  const all = Array.from(entries(json), (entry) => ({ ...entry, name: keyOf(entry.key) }))
  const becomes = decide(all.map(({ name }) => name))
  const parts: Array<Uint8Array> = []
  let kept = 0
  // The end of the last kept member.
  let before: number | undefined
  for (const [index, { at, end, key, name }] of all.entries()) {
    const next = becomes.get(name)
    const out = next === undefined && becomes.has(name)
    if (out) {
      parts.push(json.subarray(kept, before ?? at))
      kept = before === undefined ? (all[index + 1]?.at ?? end) : end
    } else if (next !== undefined) {
      parts.push(json.subarray(kept, at), Utf8.encode(JSON.stringify(next)))
      kept = at + key.length
    }
    if (before !== undefined || !out) before = end
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
const MAX_ASCII = 0x7f

interface Entry {
  /** Its start position. */
  readonly at: number
  /** With its quotes; empty in an array. */
  readonly key: Uint8Array
  readonly start: number
  readonly end: number
}

/** The entries of the outermost object or array, if there is one. */
function* entries(json: Uint8Array): Generator<Entry> {
  const open = skipSpace(json, 0)
  const keyed = json[open] === OPEN_BRACE
  if (!keyed && json[open] !== OPEN_BRACKET) return
  let index = skipSpace(json, open + 1)
  while (index < json.length && json[index] !== CLOSE_BRACE && json[index] !== CLOSE_BRACKET) {
    const keyEnd = keyed ? stringEnd(json, index) : index
    const start = keyed ? skipSpace(json, skipSpace(json, keyEnd) + 1) : index
    const end = endOfValue(json, start)
    yield { at: index, key: json.subarray(index, keyEnd), start, end }
    index = skipSpace(json, end)
    if (json[index] === COMMA) index = skipSpace(json, index + 1)
  }
}

const keyOf = (quoted: Uint8Array): string => {
  // For a short key, a decoder would cost more than everything else.
  let key = ""
  for (let index = 1; index < quoted.length - 1; index++) {
    const byte = quoted[index]!
    if (byte === BACKSLASH || byte > MAX_ASCII) return String(Json.parse(Utf8.decode(quoted)))
    key += String.fromCharCode(byte)
  }
  return key
}

/** Most keys can be compared without decoding or parsing. */
const spells = (quoted: Uint8Array, key: string): boolean =>
  quoted.includes(BACKSLASH)
    ? Json.parse(Utf8.decode(quoted)) === key
    : quoted.length === key.length + 2 && Utf8.decode(quoted) === `"${key}"`

const skipSpace = (json: Uint8Array, from: number): number => {
  let index = from
  // In valid JSON, the only bytes up to the space between tokens are white space.
  while (index < json.length && json[index]! <= SPACE) index++
  return index
}

const stringEnd = (json: Uint8Array, from: number): number => {
  let index = json.indexOf(QUOTE, from + 1)
  while (index !== -1 && isEscaped(json, index)) index = json.indexOf(QUOTE, index + 1)
  return index === -1 ? json.length : index + 1
}

const isEscaped = (json: Uint8Array, index: number): boolean => {
  let before = index
  while (json[before - 1] === BACKSLASH) before--
  return (index - before) % 2 === 1
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

const endsValue = (byte: number): boolean =>
  byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte <= SPACE
