import * as Utf8 from "../bytes/utf8.ts"

/**
 * What was read of one event, for as long as those that follow it differ from it in their words alone, as nearly all of a
 * stream do: they come to the same. To compare an event costs a fraction of what it costs to parse it.
 */
export class Alike<A> {
  /** The bytes of the event around its words. */
  private around: ReadonlyArray<Uint8Array> = []
  private read: A | undefined

  /** Of an event that is JSON. */
  learn(raw: Uint8Array, read: A): void {
    this.around = wordless(raw)
    this.read = read
  }

  /** `undefined` where the event has to be read. */
  find(raw: Uint8Array): A | undefined {
    const { around } = this
    let at = 0
    for (let index = 0; index < around.length; index++) {
      const bytes = around[index]!
      for (let i = 0; i < bytes.length; i++) if (raw[at + i] !== bytes[i]) return undefined
      at += bytes.length
      if (index === around.length - 1) return at === raw.length ? this.read : undefined
      const end = endOfWords(raw, at)
      // That there are none may mean something.
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
/** The first byte of one. */
const BYTE_ORDER_MARK = 0xef

/**
 * Members whose text says nothing to `readChunk`, but that it is there; and so do all that have such an end. In JSON nothing
 * else is followed by a quote, a colon and a quote.
 */
const names = ["content", "reasoning", "text", "arguments", "obfuscation"].map(Utf8.encode)

const endAt =
  (raw: Uint8Array, end: number) =>
  (name: Uint8Array): boolean =>
    end >= name.length && name.every((byte, index) => raw[end - name.length + index] === byte)

/** The bytes around the words of an event; none where it has no words. */
const wordless = (raw: Uint8Array): ReadonlyArray<Uint8Array> => {
  // It is skipped at the start of a stream alone.
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

/** Where a string ends, or something begins that asks for a parser. */
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
