import * as Utf8 from "../bytes/utf8.ts"

/**
 * A cache of what was last read from an event. It is valid for events that differ only in their text, as nearly all of
 * a stream do; comparing an event costs a fraction of parsing it.
 */
export class Alike<A> {
  /** The bytes around the text of the event. */
  private around: ReadonlyArray<Uint8Array> = []
  private read: A | undefined

  /** Only for JSON events. */
  learn(raw: Uint8Array, read: A): void {
    this.around = wordless(raw)
    this.read = read
  }

  /** `undefined` if the event has to be parsed. */
  find(raw: Uint8Array): A | undefined {
    const { around } = this
    let at = 0
    for (let index = 0; index < around.length; index++) {
      const bytes = around[index]!
      for (let i = 0; i < bytes.length; i++) if (raw[at + i] !== bytes[i]) return undefined
      at += bytes.length
      if (index === around.length - 1) return at === raw.length ? this.read : undefined
      const end = endOfWords(raw, at)
      // An empty text may have a meaning.
      if (end === at) return undefined
      at = end
    }
    return undefined
  }
}

const QUOTE = 0x22
const COLON = 0x3a
const BACKSLASH = 0x5c
const SPACE = 0x20
/** Its first byte in UTF-8. */
const BYTE_ORDER_MARK = 0xef

/**
 * Members of whose text `readChunk` only uses that it is not empty; the same holds for all names with such an ending.
 * In JSON only a key is followed by a quote, a colon and a quote.
 */
const names = ["content", "reasoning", "text", "arguments", "obfuscation"].map(Utf8.encode)

const endAt =
  (raw: Uint8Array, end: number) =>
  (name: Uint8Array): boolean =>
    end >= name.length && name.every((byte, index) => raw[end - name.length + index] === byte)

/** The bytes around the text of an event; empty if it has none. */
const wordless = (raw: Uint8Array): ReadonlyArray<Uint8Array> => {
  // It is skipped only at the start of a stream.
  if (raw[0] === BYTE_ORDER_MARK) return []
  const around: Array<Uint8Array> = []
  let kept = 0
  for (let quote = raw.indexOf(QUOTE); quote !== -1; quote = raw.indexOf(QUOTE, quote + 1)) {
    if (raw[quote + 1] !== COLON || raw[quote + 2] !== QUOTE || !names.some(endAt(raw, quote))) continue
    const from = quote + 3
    const to = endOfWords(raw, from)
    if (to === from) continue
    around.push(raw.subarray(kept, from))
    kept = to
    quote = to
  }
  return around.length === 0 ? around : [...around, raw.subarray(kept)]
}

const escaped = new Set(Utf8.encode('"\\/bfnrt'))

/** The end of a string, or of its part that needs no parser. */
const endOfWords = (raw: Uint8Array, from: number): number => {
  let at = from
  while (at < raw.length) {
    const byte = raw[at]!
    if (byte < SPACE || byte === QUOTE) return at
    if (byte !== BACKSLASH) at++
    else if (escaped.has(raw[at + 1]!)) at += 2
    else return at
  }
  return at
}
